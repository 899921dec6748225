import * as http from 'node:http';
import * as https from 'node:https';
import { refuseUpgrade } from '../../base/refuse-upgrade.js';
import { type AdminAddress, AdminError } from './admin-address.js';
import type { RequestQuery } from './options.js';
import type {
  BansView,
  CertificateView,
  EventView,
  MaintenanceView,
  NewServerView,
  ServerView,
  StatusView,
  TrafficView,
} from './view.js';

const PATIENCE_MS = 5000;
/** A settings file is read, checked and tested. */
const RELOAD_PATIENCE_MS = 60_000;
/** Beyond what the new program is given: it is asked for its version before, and ended if it does not become ready. */
const UPGRADE_PATIENCE_MS = 60_000;

/** The states that a server can be set to. */
export interface Change {
  readonly state?: 'ready' | 'drain' | 'maintenance';
  readonly weight?: number;
}

interface AdminRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly patience?: number;
}

/** Asks and controls a running balancer through its admin listener. Every method rejects with an AdminError. */
export class AdminClient {
  readonly #place: AdminAddress;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;

  constructor(place: AdminAddress) {
    this.#place = place;
    const { Agent, request } = place.trust === null ? http : https;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#request = request;
  }

  /** The address of the listener, for people. */
  get address(): string {
    return this.#place.address.text;
  }

  status(): Promise<StatusView> {
    return this.#ask({ method: 'GET', path: '/api/status' });
  }

  async servers(): Promise<readonly ServerView[]> {
    const { servers } = await this.#ask<{ servers: readonly ServerView[] }>({
      method: 'GET',
      path: '/api/servers',
    });
    return servers;
  }

  server(name: string): Promise<ServerView> {
    return this.#ask({ method: 'GET', path: pathOf(name) });
  }

  change(name: string, change: Change): Promise<ServerView> {
    return this.#ask({ method: 'PATCH', path: pathOf(name), body: change });
  }

  add(server: NewServerView): Promise<ServerView> {
    return this.#ask({ method: 'POST', path: '/api/servers', body: server });
  }

  async remove(name: string): Promise<void> {
    await this.#ask({ method: 'DELETE', path: pathOf(name) });
  }

  /** Those that are shown to clients. */
  async certificates(): Promise<readonly CertificateView[]> {
    const path = '/api/certificates';
    return (await this.#ask<{ certificates: readonly CertificateView[] }>({ method: 'GET', path }))
      .certificates;
  }

  bans(): Promise<BansView> {
    return this.#ask({ method: 'GET', path: '/api/bans' });
  }

  /** Returns the names of the firewalls that had banned the client. */
  async unban(client: string): Promise<readonly string[]> {
    const path = `/api/bans/${encodeURIComponent(client)}`;
    return (await this.#ask<{ rules: readonly string[] }>({ method: 'DELETE', path })).rules;
  }

  /** Returns what is in maintenance then. `forMs`: null for a maintenance that does not end by itself. */
  async closeHost(
    host: string,
    forMs: number | null,
    allow: readonly string[],
  ): Promise<readonly MaintenanceView[]> {
    const body = { host, for_ms: forMs, allow };
    return this.#maintenances({ method: 'POST', path: '/api/maintenance', body });
  }

  async openHost(host: string): Promise<readonly MaintenanceView[]> {
    return this.#maintenances({ method: 'DELETE', path: `/api/maintenance/${encodeURIComponent(host)}` });
  }

  async #maintenances(request: AdminRequest): Promise<readonly MaintenanceView[]> {
    return (await this.#ask<{ maintenance: readonly MaintenanceView[] }>(request)).maintenance;
  }

  /** Makes it reload its settings file and returns its report. */
  reload(): Promise<{ readonly ok: boolean; readonly message: string }> {
    return this.#ask({ method: 'POST', path: '/api/reload', patience: RELOAD_PATIENCE_MS });
  }

  /** Has the program on the disk take over, which may take `timeoutMs` to be ready; null: as long as the balancer lets it. */
  upgrade(timeoutMs: number | null): Promise<{ readonly ok: boolean; readonly message: string }> {
    const body = timeoutMs === null ? {} : { body: { timeout_ms: timeoutMs } };
    const patience = UPGRADE_PATIENCE_MS + (timeoutMs ?? 0);
    return this.#ask({ method: 'POST', path: '/api/upgrade', patience, ...body });
  }

  /** The seconds of the last minutes that ended after `since`, in ms since the epoch. */
  async traffic(since: number): Promise<readonly TrafficView[]> {
    const path = `/api/traffic?since=${since}`;
    return (await this.#ask<{ points: readonly TrafficView[] }>({ method: 'GET', path })).points;
  }

  /** Calls `tell` for every event that is kept and every new one, until the returned function is called. */
  events(tell: (event: EventView) => void): () => void {
    const outgoing = this.#request({
      ...this.#target(),
      path: '/api/events?since=0',
      headers: this.#headers(),
    });
    outgoing.on('error', () => {
      // A lost connection is noticed by the requests for the status.
    });
    refuseUpgrade(outgoing);
    outgoing.on('response', (response) => {
      response.on('error', () => {});
      if (response.statusCode !== 200) return response.resume();
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        const lines = (text + piece).split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) if (line.startsWith('data: ')) tell(JSON.parse(line.slice(6)) as EventView);
      });
      return response;
    });
    outgoing.end();
    return () => void outgoing.destroy();
  }

  /**
   * Calls `tell` for every line of `/api/tail` until `signal` is aborted. Rejects when it is refused, and when the balancer
   * ends it.
   */
  async tail(filter: RequestQuery, tell: (line: string) => void, signal: AbortSignal): Promise<void> {
    const path = `/api/tail?${new URLSearchParams(filter)}`;
    await new Promise<void>((resolve, reject) => {
      const outgoing = this.#request({ ...this.#target(), path, headers: this.#headers() });
      signal.addEventListener('abort', () => {
        resolve();
        outgoing.destroy();
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(this.#unreachable(error)));
      refuseUpgrade(outgoing);
      outgoing.on('response', (response) => {
        if (response.statusCode !== 200) {
          read(response).then((answer) => reject(this.#refusal(answer)), reject);
          return;
        }
        const ended = new AdminError('ended', `${this.address} has ended the stream.`);
        response.on('error', () => reject(ended));
        response.on('close', () => reject(ended));
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          const lines = (text + piece).split('\n');
          text = lines.pop() ?? '';
          for (const line of lines) if (line !== '') tell(line);
        });
      });
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask<T>({ method, path, body, patience = PATIENCE_MS }: AdminRequest): Promise<T> {
    const sent = body === undefined ? '' : JSON.stringify(body);
    const headers = { ...this.#headers(), ...(sent !== '' && { 'content-type': 'application/json' }) };
    const answer = await new Promise<AdminResponse>((resolve, reject) => {
      const outgoing = this.#request(
        { ...this.#target(), agent: this.#agent, method, path, headers },
        (response) => {
          read(response).then(resolve, reject);
        },
      );
      outgoing.setTimeout(patience, () =>
        outgoing.destroy(
          new AdminError('no_answer', `${this.address} does not answer within ${patience / 1000} s.`),
        ),
      );
      outgoing.on('error', reject);
      outgoing.end(sent);
    }).catch((error: NodeJS.ErrnoException) => {
      throw error instanceof AdminError ? error : this.#unreachable(error);
    });
    if (answer.status >= 200 && answer.status < 300) return this.#parse(answer) as T;
    throw this.#refusal(answer);
  }

  #target(): https.RequestOptions {
    const { address, trust } = this.#place;
    return address.kind === 'unix'
      ? { socketPath: address.path, ...trust }
      : { host: address.host, port: address.port, ...trust };
  }

  #headers(): Record<string, string> {
    const { token } = this.#place;
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  #parse({ status, text }: AdminResponse): unknown {
    if (status === 204) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw this.#stranger();
    }
  }

  #unreachable({ code, message }: NodeJS.ErrnoException): AdminError {
    const where = this.address;
    if (code === 'EACCES')
      return new AdminError('unreachable', `not allowed to open ${where}: try as its user.`);
    if (this.#place.trust !== null && isDistrust(code)) {
      const hint = 'NODE_EXTRA_CA_CERTS names a file of further authorities.';
      return new AdminError('untrusted', `the certificate of ${where} is not trusted: ${message}. ${hint}`);
    }
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return new AdminError('unreachable', `the host of ${where} is not known to the name service.`);
    if (code !== 'ECONNREFUSED' && code !== 'ENOENT')
      return new AdminError('unreachable', `${where} cannot be asked: ${message}.`);
    const another = this.#place.isFromOption ? '' : ' Another address is set with --admin.';
    const hint = `Is lb running, with --admin or admin: in its file?${another}`;
    return new AdminError('unreachable', `no answer at ${where}. ${hint}`);
  }

  #refusal(answer: AdminResponse): AdminError {
    if (answer.status === 401) {
      const hint = 'Put it into LB_ADMIN_TOKEN, or name the settings file that has it with -c.';
      return new AdminError('unauthorized', `${this.address} requires its token. ${hint}`);
    }
    const error = errorOf(this.#parse(answer));
    if (error === undefined) return this.#stranger();
    const { code, message, details = '' } = error;
    // Hints of the API are for programs; here a command does the same.
    const hint = error.hint.replace('/api/servers lists', 'lb servers lists');
    return new AdminError(code, `${message}.${hint === '' ? '' : ` ${hint}`}`.replace('..', '.'), details);
  }

  #stranger(): AdminError {
    return new AdminError(
      'not_lb',
      `what answers at ${this.address} is not lb. Set another address with --admin.`,
    );
  }
}

/** The words of OpenSSL and of Node for a certificate that is not accepted. */
function isDistrust(code: string | undefined): boolean {
  return code !== undefined && /CERT|ISSUER|VERIFY/.test(code);
}

interface AdminResponse {
  readonly status: number;
  readonly text: string;
}

async function read(response: http.IncomingMessage): Promise<AdminResponse> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece as string;
  return { status: response.statusCode ?? 0, text };
}

interface ApiRefusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details?: string;
}

function errorOf(value: unknown): ApiRefusal | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
  return (value as { error: ApiRefusal }).error;
}

function pathOf(name: string): string {
  return `/api/servers/${encodeURIComponent(name)}`;
}
