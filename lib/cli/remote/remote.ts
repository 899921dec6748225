import { AddressSet } from '../../base/address-set.js';
import { parseNetwork } from '../../config/network.js';
import { escapeForScreen } from '../../observe/escape.js';
import { clockTime } from '../../observe/timestamps.js';
import { complain, writeReport } from '../complaint.js';
import { count, humanDuration } from '../error-text.js';
import { StartSettingsError } from '../start-settings.js';
import type { SignalSource } from '../stop-signals.js';
import type { Terminal } from '../terminal.js';
import { wrapWords } from '../word-wrap.js';
import { AdminError, findAdminAddress } from './admin-address.js';
import { AdminClient } from './client.js';
import { Progress, untilEmpty } from './drain.js';
import type { Action, RemoteOptions } from './options.js';
import type { Rates } from './rates.js';
import { type Keyboard, type Pause, Screen } from './screen.js';
import { serverTable, stateTint, stateWord } from './server-table.js';
import { bansText, statusText } from './status-text.js';
import { tail } from './tail.js';
import { glance, watchTop } from './top.js';
import { topLines } from './top-text.js';
import type { BansView, ServerView, StatusView } from './view.js';

/** The parts of the process that a command for a running balancer uses. */
export interface RemoteContext {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly keyboard: Keyboard;
  readonly signals: SignalSource;
  readonly env: NodeJS.ProcessEnv;
  readonly exists: (path: string) => boolean;
  readonly pause: Pause;
}

const WATCH_MS = 2000;
/** How many routes a warning names. */
const MOST_NAMED = 10;

/** Runs a command for a running balancer. Returns the exit code: 0 when it succeeded, otherwise 1. */
export async function remote(options: RemoteOptions, context: RemoteContext): Promise<number> {
  let client: AdminClient | null = null;
  try {
    client = new AdminClient(findAdminAddress(options, context.env, context.exists));
    await new Conversation(client, options.json, context).act(options.action);
    return 0;
  } catch (error) {
    if (error instanceof AdminError) report(error, options.json, context);
    else if (error instanceof StartSettingsError) writeReport(context.stderr, error.report);
    else throw error;
    return 1;
  } finally {
    client?.close();
  }
}

function report({ code, message, details }: AdminError, json: boolean, context: RemoteContext): void {
  const { stdout, stderr } = context;
  if (json) {
    stdout.write(`${JSON.stringify({ error: { code, message, details } }, null, 2)}\n`);
    return;
  }
  // Problems of the file come first, as with lb check; control characters in them are escaped already.
  if (details !== '') stderr.write(`${details.trimEnd()}\n\n`);
  complain(stderr, escapeForScreen(message));
}

/** One command and its output. */
class Conversation {
  readonly #client: AdminClient;
  readonly #json: boolean;
  readonly #context: RemoteContext;

  constructor(client: AdminClient, json: boolean, context: RemoteContext) {
    this.#client = client;
    this.#json = json;
    this.#context = context;
  }

  act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'status':
        return this.#show(
          action.watch,
          (status) => this.#statusText(status),
          () => this.#client.status(),
        );
      case 'servers':
        return this.#show(
          action.watch,
          (status) => this.#serverTable(status),
          () => this.#client.servers(),
        );
      case 'top':
        return this.#top();
      case 'drain':
        return this.#drain(action.server, action.wait);
      case 'ready':
      case 'maintenance':
        return this.#setState(action.server, action.kind);
      case 'close_host':
        return this.#closeHost(action);
      case 'open_host':
        return this.#openHost(action.host);
      case 'weight':
        return this.#setWeight(action.server, action.weight);
      case 'add':
        return this.#add(action.server);
      case 'remove':
        return this.#remove(action.server);
      case 'tail':
        return tail(this.#client, action.filter, this.#json, this.#context);
      case 'bans':
        return this.#bans(action);
      case 'unban':
        return this.#unban(action.client);
      case 'reload':
        return this.#tellOutcome(this.#client.reload());
      case 'upgrade':
        return this.#tellOutcome(this.#client.upgrade(action.timeoutMs));
    }
  }

  async #show(
    watch: boolean,
    render: (status: StatusView) => string,
    data: () => Promise<unknown>,
  ): Promise<void> {
    const { stdout } = this.#context;
    if (this.#json) {
      this.#print(await data());
    } else if (watch && stdout.isTty) {
      const draw = async (): Promise<string[]> => render(await this.#client.status()).split('\n');
      await this.#screen().run(draw, WATCH_MS);
    } else {
      stdout.write(render(await this.#client.status()));
    }
  }

  #statusText(status: StatusView): string {
    const { paint, columns } = this.#context.stdout;
    return statusText(status, { width: columns, paint });
  }

  #serverTable({ servers, started_at, uptime_ms }: StatusView): string {
    const { paint, columns } = this.#context.stdout;
    return serverTable(servers, started_at + uptime_ms, columns, paint);
  }

  async #top(): Promise<void> {
    const { stdout, keyboard, signals, pause } = this.#context;
    if (stdout.isTty && !this.#json) {
      await watchTop(this.#client, { terminal: stdout, keyboard, signals, pause });
      return;
    }
    const seen = await glance(this.#client, pause);
    if (this.#json) {
      this.#print(ratesJson(seen.rates));
      return;
    }
    const lines = topLines(seen, Number.POSITIVE_INFINITY, { width: stdout.columns, paint: stdout.paint });
    stdout.write(`${lines.join('\n').trimEnd()}\n`);
  }

  async #drain(name: string, wait: boolean): Promise<void> {
    const { stderr, pause } = this.#context;
    const server = await this.#client.change(name, { state: 'drain' });
    if (!wait) {
      this.#tell(server, `drains: ${left(server)}${bound(server)}. lb ready ${server.name} takes it back.`);
      this.#warnOfRoutes(server);
      return;
    }
    this.#warnOfRoutes(server);
    const progress = new Progress(stderr);
    try {
      const empty = await untilEmpty(this.#client, server, progress, pause);
      progress.end();
      const how = server.active > 0 ? ` after ${progress.elapsed}` : ': nothing was on it';
      this.#tell(empty, `is empty${how}${bound(empty)}.`);
    } catch (error) {
      progress.end();
      throw error;
    }
  }

  async #setState(name: string, state: 'ready' | 'maintenance'): Promise<void> {
    const server = await this.#client.change(name, { state });
    if (state === 'ready') this.#tell(server, `is ready: ${this.#state(server)}.`);
    else this.#tell(server, `is in maintenance: ${left(server)}. lb ready ${server.name} takes it back.`);
    this.#warnOfRoutes(server);
  }

  async #closeHost({ host, forMs, allow }: Extract<Action, { kind: 'close_host' }>): Promise<void> {
    const { stdout } = this.#context;
    const list = await this.#client.closeHost(host, forMs, allow);
    if (this.#json) return this.#print(list);
    const { bold } = stdout.paint;
    const { until = null } = list.find(({ name }) => name === host.toLowerCase()) ?? {};
    const end =
      until === null || forMs === null ? '' : ` for ${humanDuration(forMs)}, until ${clockTime(until)}`;
    const who = allow.length === 0 ? 'every client gets 503' : `all but ${allow.join(', ')} get 503`;
    const command = `lb maintenance --host ${host === '*' ? "'*'" : host} --off ends it.`;
    this.#say(`${bold(hostText(host))} is in maintenance${end}: ${who}.`);
    stdout.write(`${command}\n`);
  }

  async #openHost(host: string): Promise<void> {
    const { stdout } = this.#context;
    const list = await this.#client.openHost(host);
    if (this.#json) this.#print(list);
    else stdout.write(`${stdout.paint.bold(hostText(host))} is served again.\n`);
  }

  async #setWeight(name: string, weight: number): Promise<void> {
    const { weight: before } = await this.#client.server(name);
    const server = await this.#client.change(name, { weight });
    const consequence = weight === 0 ? ': it gets no new requests' : '';
    this.#tell(server, `has weight ${weight} now, ${before} before${consequence}.`);
    this.#warnOfRoutes(server);
  }

  async #add(server: Parameters<AdminClient['add']>[0]): Promise<void> {
    const added = await this.#client.add(server);
    const where = added.name === added.address ? '' : ` at ${added.address}`;
    this.#tell(added, `was added${where} to ${added.routes.join(', ')}: ${this.#standing(added)}.`);
  }

  async #remove(name: string): Promise<void> {
    const server = await this.#client.server(name);
    await this.#client.remove(server.name);
    this.#tell(server, `was removed: ${left(server)}.`, { removed: server.name, active: server.active });
    if (this.#json) return;
    const { routes } = await this.#client.status();
    const down = routes.filter((route) => route.down_since !== null && server.routes.includes(route.name));
    this.#warnOfRoutes({ routes_down: down.map((route) => route.name) });
  }

  async #bans({ client, rule }: Extract<Action, { kind: 'bans' }>): Promise<void> {
    const { stdout } = this.#context;
    const bans = chosenBans(await this.#client.bans(), client, rule);
    if (this.#json) this.#print(bans);
    else stdout.write(bansText(bans, { width: stdout.columns, paint: stdout.paint }));
  }

  async #unban(client: string): Promise<void> {
    const rules = await this.#client.unban(client);
    if (this.#json) this.#print({ client, rules });
    else this.#say(escapeForScreen(`${client} is let in again; it was banned by ${rules.join(' and ')}.`));
  }

  async #tellOutcome(asked: Promise<{ readonly message: string }>): Promise<void> {
    const outcome = await asked;
    const { stdout } = this.#context;
    if (this.#json) this.#print(outcome);
    else stdout.write(`${stdout.paint.green(escapeForScreen(outcome.message))}\n`);
  }

  /** For a person what happened to the server, for a program the new state of the server. */
  #tell(server: ServerView, what: string, data: unknown = server): void {
    const { stdout } = this.#context;
    if (this.#json) this.#print(data);
    else this.#say(`${stdout.paint.bold(escapeForScreen(server.name))} ${what}`);
  }

  /** The change has left routes without a usable server; the operator should know at once. */
  #warnOfRoutes({ routes_down: names }: Pick<ServerView, 'routes_down'>): void {
    if (names.length === 0) return;
    const { stderr } = this.#context;
    const named = names.slice(0, MOST_NAMED).map(escapeForScreen);
    const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
    const text = `no server takes new requests for ${named.join(', ')}${more} now: they get 503, or wait if the route has hold.`;
    stderr.write(`${wrapWords(`${stderr.paint.yellow('warning:')} ${text}`, stderr.columns, 2)}\n`);
  }

  /** A sentence in lines that fit the window. */
  #say(text: string): void {
    const { stdout } = this.#context;
    stdout.write(`${wrapWords(text, stdout.columns)}\n`);
  }

  /** The state of a new server, and what its first check said. */
  #standing(server: ServerView): string {
    if (stateWord(server) === 'checking') return 'it gets requests, its first check is not over';
    const why = server.why === '' ? '' : ` (${escapeForScreen(server.why)})`;
    return `${this.#state(server)}${why}`;
  }

  #state(server: ServerView): string {
    return stateTint(server, this.#context.stdout.paint)(server.state);
  }

  #print(data: unknown): void {
    this.#context.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
  }

  #screen(): Screen {
    const { stdout, keyboard, signals, pause } = this.#context;
    return new Screen({ terminal: stdout, keyboard, signals, pause });
  }
}

/** The bans of clients in a network (for IPv6 those whose /64 begins there), and of a firewall. */
function chosenBans(all: BansView, client: string | null, rule: string | null): BansView {
  if (client === null && rule === null) return all;
  const network = client === null ? null : new AddressSet([parseNetwork(client).text]);
  const bans = all.bans.filter(
    (ban) =>
      network?.has(ban.client.replace(/\/\d+$/, '')) !== false && (rule === null || ban.rule.includes(rule)),
  );
  return { total: bans.length, bans };
}

/** How people call it. */
function hostText(host: string): string {
  return host === '*' ? 'every host' : escapeForScreen(host);
}

function left({ active }: ServerView): string {
  return active === 0
    ? 'nothing is left on it'
    : `${count(active, 'request')} on it finish${active === 1 ? 'es' : ''}`;
}

/** Clients that are bound to the server, though it has no requests right now. */
function bound({ bound }: ServerView): string {
  if (bound === 0) return '';
  return `; ${count(bound, 'client')} of the last 10 minutes ${bound === 1 ? 'is' : 'are'} bound to it`;
}

function ratesJson({ requests, errors, servers }: Rates): object {
  return {
    requests_per_second: requests,
    errors_per_second: errors,
    servers: servers.map(({ server, requests, failures }) => ({
      name: server.name,
      state: server.state,
      requests_per_second: requests,
      failures_per_second: failures,
    })),
  };
}
