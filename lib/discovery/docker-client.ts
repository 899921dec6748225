import type { ClientRequest, IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { requestErrorReason } from '../base/request-error.js';
import { systemAuthorities } from '../base/system-authorities.js';
import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { formatDuration, formatSize } from '../base/units.js';
import { VERSION } from '../base/version.js';

/** How an engine is reached. */
export type DockerEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: EngineTls | null };

/** In PEM; null: the authorities of the system, or no certificate of our own. */
export interface EngineTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

/** 10,000 containers with a few kilobytes of labels each. */
const MOST_BYTES = 64 * 1024 * 1024;
/** ms for a whole answer, and for the head of the stream of events. */
const PATIENCE = 10_000;
/** ms after which a silent connection is probed: an engine may be gone without a word. */
const PROBE_AFTER = 15_000;

/** How an answer came out. `date`: the time of the engine in s since the epoch; null when it does not say. */
export interface DockerReplyListener {
  onReply(body: Buffer, date: number | null): void;
  onFailed(reason: string): void;
}

/** How a stream of events goes. Nothing is called after `onEnded`. */
export interface DockerStreamListener {
  /** The engine has begun to send. */
  onOpen(): void;
  onBytes(bytes: Buffer): void;
  onEnded(reason: string): void;
}

/** What can be given up; nothing is called after it. */
export interface Cancellable {
  cancel(): void;
}

/** Asks an engine by GET alone: nothing that is sent here can change anything. Each request has a connection of its own. */
export class DockerClient {
  readonly #endpoint: DockerEndpoint;
  readonly #wheel: TimerWheel;
  readonly #agent: https.Agent | null;

  /** Throws an Error when the certificates can't be used. */
  constructor(endpoint: DockerEndpoint, wheel: TimerWheel) {
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    const tls = endpoint.kind === 'tcp' ? endpoint.tls : null;
    this.#agent = tls === null ? null : new https.Agent({ secureContext: contextOf(tls) });
  }

  /** The whole answer to a path such as `/containers/json`. */
  get(path: string, listener: DockerReplyListener): Cancellable {
    const call = new DockerCall(this.#wheel, (reason) => listener.onFailed(reason));
    call.begin(this.#request(path), (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > MOST_BYTES) call.fail(`the answer is larger than ${formatSize(MOST_BYTES)}`);
      });
      response.on('end', () => {
        if (!response.complete) call.fail('the answer is not complete');
        else call.succeed(() => listener.onReply(Buffer.concat(chunks), dateOf(response)));
      });
    });
    return call;
  }

  /** An answer without an end, such as that of `/events`. */
  stream(path: string, listener: DockerStreamListener): Cancellable {
    const call = new DockerCall(this.#wheel, (reason) => listener.onEnded(reason));
    call.begin(this.#request(path), (response) => {
      call.isPatient();
      response.on('data', (chunk: Buffer) => {
        if (!call.isOver) listener.onBytes(chunk);
      });
      response.on('end', () => call.fail('the engine closed the connection'));
      listener.onOpen();
    });
    return call;
  }

  #request(path: string): ClientRequest {
    const endpoint = this.#endpoint;
    const headers = { Host: 'docker', 'User-Agent': `lb/${VERSION}` };
    if (endpoint.kind === 'unix') return http.get({ socketPath: endpoint.path, path, headers, agent: false });
    const { host, port } = endpoint;
    const options = { host, port, path, headers: { ...headers, Host: `${host}:${port}` } };
    return this.#agent === null
      ? http.get({ ...options, agent: false })
      : https.get({ ...options, agent: this.#agent });
  }
}

/** One request, which ends once. */
class DockerCall implements Cancellable {
  readonly #deadline: Deadline;
  readonly #onFailed: (reason: string) => void;
  #request: ClientRequest | null = null;

  constructor(wheel: TimerWheel, onFailed: (reason: string) => void) {
    this.#onFailed = onFailed;
    this.#deadline = new Deadline(wheel, {
      onDeadline: () => this.fail(`no answer within ${formatDuration(PATIENCE)}`),
    });
  }

  get isOver(): boolean {
    return this.#request === null;
  }

  begin(request: ClientRequest, onGood: (response: IncomingMessage) => void): void {
    this.#request = request;
    this.#deadline.arm(PATIENCE);
    request.on('socket', (socket) => socket.setKeepAlive(true, PROBE_AFTER));
    request.on('error', (error: NodeJS.ErrnoException) => this.fail(reasonOf(error)));
    refuseUpgrade(request);
    request.on('response', (response) => {
      response.on('error', (error: NodeJS.ErrnoException) => this.fail(reasonOf(error)));
      if (this.isOver) return;
      if (response.statusCode === 200) onGood(response);
      else this.#readRefusal(response);
    });
  }

  /** It may take as long as it likes from now on. */
  isPatient(): void {
    this.#deadline.disarm();
  }

  succeed(tell: () => void): void {
    if (this.isOver) return;
    this.cancel();
    tell();
  }

  fail(reason: string): void {
    if (this.isOver) return;
    this.cancel();
    this.#onFailed(reason);
  }

  cancel(): void {
    const request = this.#request;
    this.#request = null;
    this.#deadline.release();
    request?.destroy();
  }

  /** An engine says in JSON what is wrong: `{"message": "..."}`. */
  #readRefusal(response: IncomingMessage): void {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (more: string) => {
      text = (text + more).slice(0, 1000);
    });
    response.on('end', () => {
      const message = /"message"\s*:\s*"([^"\\\x00-\x1f]{1,200})/.exec(text)?.[1];
      this.fail(`status ${response.statusCode}${message === undefined ? '' : `: ${message}`}`);
    });
  }
}

/** Made once: with the authorities of a system it takes 10 to 40 ms. */
function contextOf({ ca, cert, key }: EngineTls): ReturnType<typeof createSecureContext> {
  return createSecureContext({
    ca: ca ?? systemAuthorities(),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  });
}

function dateOf({ headers }: IncomingMessage): number | null {
  const ms = Date.parse(headers.date ?? '');
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such socket: is the engine running?'],
  ['ECONNREFUSED', 'the connection was refused: is the engine running?'],
  ['EACCES', 'not allowed: may this user use the socket of the engine?'],
  ['ECONNRESET', 'the engine closed the connection'],
]);

/** One line that says what to do; of TLS what is wrong with the certificate. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return ADVICE.get(error.code ?? '') ?? requestErrorReason(error);
}
