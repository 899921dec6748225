import type { Address } from '../base/address.js';
import type { Availability, BalancerEvent, CheckRecord, RequestRecord } from '../base/observer.js';
import { everyRoute } from '../config/every-route.js';
import { serversOf } from '../config/inventory.js';
import type { Config, GroupConfig } from '../config/types.js';
import { escapeForScreen } from '../observe/escape.js';
import { shorten } from '../observe/formats/dev.js';
import { serverChanges } from '../observe/server-changes.js';
import type { RequestSummary, ThreadReader, ThreadReading } from '../observe/thread-reader.js';
import { clockTime, isoTime } from '../observe/timestamps.js';
import type { RunOptions } from './args.js';
import { count, humanDuration } from './error-text.js';
import { renderHead } from './heads.js';
import { LogRateLimit } from './log-rate-limit.js';
import type { Terminal } from './terminal.js';
import { wrapWords } from './word-wrap.js';

export interface NarratorOptions {
  readonly terminal: Terminal;
  /** The number of servers, for "2 of 3 left". */
  readonly servers: number;
  /** `quiet`: problems only; `verbose`: also every check and the heads of every request. */
  readonly volume: RunOptions['volume'];
}

type Absence = 'down' | 'ejected' | 'set aside';

const AVAILABILITY: { readonly [availability in Availability]: string } = {
  ready: 'is ready again',
  draining: 'is draining: no new requests',
  maintenance: 'is in maintenance: no requests at all',
};

/** Logs events to stderr: servers that go down and come back, warnings and, if asked for, every detail. */
export class ConsoleLog implements ThreadReader {
  readonly #terminal: Terminal;
  #servers: number;
  readonly #volume: RunOptions['volume'];
  /** Servers that get no new requests, with the reason of each. */
  readonly #out = new Map<string, Set<Absence>>();
  /** The checks whose path is the default, such as `GET /`, by the names of the servers and of their routes. */
  readonly #guesses = new Map<string, string>();
  /** How long requests of a route without a server wait for one, in ms, by its name; of other routes they get 503. */
  readonly #holds = new Map<string, number>();
  #masksAddresses = false;
  #pathOption = '';
  #isIntroduced = false;
  readonly #flood = new LogRateLimit();
  #requests = 0;

  constructor(options: NarratorOptions) {
    this.#terminal = options.terminal;
    this.#servers = options.servers;
    this.#volume = options.volume;
  }

  /** Updates the number of servers. */
  expect(servers: number): void {
    this.#servers = servers;
  }

  /** Uses this configuration from now on. `pathOption`: how the reader can set the path of checks. */
  applyConfig(config: Config, pathOption: string): void {
    this.expect(serversOf(config).length);
    this.#pathOption = pathOption;
    this.#masksAddresses = config.maskAddresses;
    this.#guesses.clear();
    this.#holds.clear();
    for (const { name, action, hold } of everyRoute(config)) {
      if (hold !== null) this.#holds.set(name, hold.for);
      const question = action.kind === 'forward' ? guessOf(action.group) : '';
      if (action.kind !== 'forward' || question === '') continue;
      this.#guesses.set(name, question);
      for (const server of action.group.servers) this.#guesses.set(server.name, question);
    }
  }

  /** The start is over: listening addresses are news from now on. */
  introduced(): void {
    this.#isIntroduced = true;
  }

  /** Requests settled so far. */
  get requests(): number {
    return this.#requests;
  }

  requestSettled(record: RequestRecord): void {
    this.#requests++;
    if (this.#volume !== 'verbose') return;
    const { cyan, green } = this.#terminal.paint;
    const rendered = (head: string, mark: '>' | '>>' | '<'): string =>
      head === '' ? '' : renderHead(head, mark, this.#masksAddresses);
    const request = cyan(rendered(record.requestHeadText, '>'));
    const passed = cyan(rendered(record.serverHeadText, '>>'));
    const response = green(rendered(record.responseHeadText, '<'));
    this.#terminal.write(`\n${request}${passed}${response}`);
  }

  get readsServerHeads(): boolean {
    return this.#volume === 'verbose';
  }

  /** The heads of requests are written only with `-v`. */
  get reads(): ThreadReading {
    return this.#volume === 'verbose' ? 'records' : 'summaries';
  }

  requestsSummed({ requests }: RequestSummary): void {
    this.#requests += requests;
  }

  event(event: BalancerEvent): void {
    switch (event.what) {
      case 'checked':
        this.#checked(event);
        break;
      case 'down':
        this.#goesDown(event.server, event.reason);
        break;
      case 'up':
        this.#comesUp(event.server, event.downMs);
        break;
      case 'ejected':
        this.#ejected(event.server, event.reason, event.forMs);
        break;
      case 'spared':
        this.#spared(event.server, event.reason);
        break;
      case 'returned':
        this.#returned(event.server);
        break;
      case 'route_down':
        this.#routeDown(event.route, event.detail);
        break;
      case 'route_up':
        this.#routeUp(event.route, event.downMs);
        break;
      case 'availability':
        this.#availability(event.server, event.to);
        break;
      case 'drained':
        this.#drained(event.server);
        break;
      case 'host_maintenance':
        this.#maintenance(event.host, event.on, event.until);
        break;
      case 'weight':
        this.#weight(event.server, event.to, event.from);
        break;
      case 'added':
        this.#added(event.server, event.route);
        break;
      case 'removed':
        this.#removed(event.server);
        break;
      case 'queue_full':
        this.#queueFull(event.server);
        break;
      case 'banned':
        this.#banned(event.client, event.firewall, event.forMs);
        break;
      case 'unbanned':
        this.#unbanned(event.client, event.firewall);
        break;
      case 'resolve_failed':
        this.#resolveFailed(event.host, event.detail);
        break;
      case 'discovered':
        this.#discovered(event.source, event.came, event.left);
        break;
      case 'source_failed':
        this.#sourceFailed(event.source, event.detail, event.servers);
        break;
      case 'source_recovered':
        this.mention(`${escapeForScreen(event.source)} answers again after ${humanDuration(event.failedMs)}`);
        break;
      case 'export_failed':
        this.#warning(`OpenTelemetry collector: no ${event.signal}: ${event.detail}`);
        break;
      case 'export_recovered':
        this.mention(exportRecovered(event.signal, event.failedMs, event.dropped));
        break;
      case 'shared_lost':
        this.#sharedLost(event.detail);
        break;
      case 'shared_recovered':
        this.mention(`Redis answers again after ${humanDuration(event.lostMs)}: limits are shared`);
        break;
      case 'certificates_reloaded':
        this.mention(`certificates reloaded: ${escapeForScreen(event.detail)}`);
        break;
      case 'certificate_refused':
        this.#certificateRefused(event.file, event.detail);
        break;
      case 'certificate_expiring':
        this.#certificateExpires(event.certificate, event.notAfter, `in ${event.days} days or less`);
        break;
      case 'certificate_expired':
        this.#certificateExpires(event.certificate, event.notAfter, 'clients refuse it');
        break;
      case 'certificate_ordered':
        this.#certificateOrdered(event.hosts, event.notAfter);
        break;
      case 'certificate_failed':
        this.#certificateFailed(event.hosts, event.reason, event.retryMs);
        break;
      case 'listening':
        this.#listening(event.address);
        break;
      case 'closed':
        this.#closed(event.address);
        break;
      case 'warning':
        this.#warning(event.message);
        break;
      case 'reloaded':
      case 'reload_refused':
      case 'upgraded':
      case 'upgrade_failed':
        // Who did it writes the answer in full.
        break;
      case 'resolved':
        if (!event.isFirst) this.#resolved(event.host, event.addresses);
    }
  }

  #checked(check: CheckRecord): void {
    if (this.#volume !== 'verbose') return;
    const { dim, yellow } = this.#terminal.paint;
    const text = `check ${check.server}: ${escapeForScreen(check.result)} in ${check.durationMs.toFixed(1)} ms`;
    this.say(check.ok ? dim(text) : yellow(text));
  }

  #goesDown(server: string, reason: string): void {
    const { bold, red } = this.#terminal.paint;
    this.#goes(server, 'down');
    const said = `${bold(server)} is down: ${escapeForScreen(reason)}`;
    this.say(`${red(said)}${this.#advice(server, reason)}${this.#remaining()}`);
  }

  #comesUp(server: string, downMs: number): void {
    const { bold, green } = this.#terminal.paint;
    // A server that was not up before was not reported as down.
    const wasDown = this.#out.get(server)?.has('down') === true;
    this.#comes(server, 'down');
    const text = wasDown ? `is back after ${humanDuration(downMs)}` : 'is up';
    this.say(`${green(`${bold(server)} ${text}`)}${this.#remaining()}`);
  }

  #ejected(server: string, reason: string, forMs: number): void {
    const { bold, yellow } = this.#terminal.paint;
    this.#goes(server, 'ejected');
    const text = `${bold(server)} is out for ${humanDuration(forMs)}: ${escapeForScreen(reason)}`;
    this.say(`${yellow(text)}${this.#remaining()}`);
  }

  #spared(server: string, reason: string): void {
    const { bold, yellow } = this.#terminal.paint;
    const text = `${bold(server)} fails, but is kept because too few servers would be left: ${escapeForScreen(reason)}`;
    this.#sometimes('servers that fail', () => this.say(yellow(text)));
  }

  #returned(server: string): void {
    const { bold, green } = this.#terminal.paint;
    this.#comes(server, 'ejected');
    this.say(`${green(`${bold(server)} gets requests again`)}${this.#remaining()}`);
  }

  #routeDown(route: string, detail: string): void {
    const { bold, red } = this.#terminal.paint;
    const wait = this.#holds.get(route);
    const then =
      wait === undefined ? 'requests get 503' : `requests wait up to ${humanDuration(wait)} for one`;
    const text = `${bold(route)} has no server, ${then}: ${escapeForScreen(detail)}`;
    this.#sometimes('routes without a server', () => this.say(red(text)));
  }

  #routeUp(route: string, downMs: number): void {
    const { bold, green } = this.#terminal.paint;
    const text = `${bold(route)} has a server again after ${humanDuration(downMs)}`;
    this.#sometimes('routes with a server again', () => this.say(green(text)));
  }

  #availability(server: string, to: Availability): void {
    const { bold } = this.#terminal.paint;
    if (to === 'ready') this.#comes(server, 'set aside');
    else this.#goes(server, 'set aside');
    this.say(`${bold(server)} ${AVAILABILITY[to]}${this.#remaining()}`);
  }

  #maintenance(host: string, on: boolean, until: number | null): void {
    const { bold, green, yellow } = this.#terminal.paint;
    const name = bold(host === '*' ? 'every host' : escapeForScreen(host));
    const end = until === null ? '' : ` until ${clockTime(until)}`;
    this.say(on ? `${yellow(`${name} is in maintenance${end}`)}: 503` : green(`${name} is served again`));
  }

  #drained(server: string): void {
    this.say(`${this.#terminal.paint.bold(server)} is drained: no request is left on it`);
  }

  #weight(server: string, to: number, from: number): void {
    this.mention(`${this.#terminal.paint.bold(server)} has weight ${to}, it was ${from}`);
  }

  #added(server: string, route: string): void {
    const question = this.#guesses.get(route);
    if (question !== undefined) this.#guesses.set(server, question);
    this.#sometimes('servers added', () => this.mention(`${server} was added to ${route}`));
  }

  #removed(server: string): void {
    this.#out.delete(server);
    this.#sometimes('servers removed', () => this.mention(`${server} was removed`));
  }

  #queueFull(server: string): void {
    const { bold, yellow } = this.#terminal.paint;
    const text = `${bold(server)} has too many waiting requests, more get 503`;
    this.#sometimes('full lines', () => this.say(yellow(text)));
  }

  #banned(client: string, firewall: string, forMs: number): void {
    const text = `${client} is banned for ${humanDuration(forMs)} by ${firewall}`;
    this.#sometimes('bans', () => this.say(this.#terminal.paint.yellow(escapeForScreen(text))));
  }

  #unbanned(client: string, firewall: string): void {
    this.mention(escapeForScreen(`${client} is let in again by ${firewall}: its ban was lifted`));
  }

  #resolved(host: string, addresses: readonly string[]): void {
    this.mention(`${host} is now ${shorten(addresses.join(', '), 50)}`);
  }

  #resolveFailed(host: string, detail: string): void {
    const text = `${host} could not be resolved: ${escapeForScreen(detail)}`;
    this.#sometimes('failed look-ups', () => this.say(this.#terminal.paint.yellow(text)));
  }

  #discovered(source: string, came: readonly string[], left: readonly string[]): void {
    for (const server of left) this.#out.delete(server);
    this.#sometimes('servers that came or left', () =>
      this.mention(escapeForScreen(`${source}: ${serverChanges(came, left)}`)),
    );
  }

  #sourceFailed(source: string, detail: string, servers: number): void {
    const rest =
      servers === 0 ? 'it has no servers' : `its ${count(servers, 'server')} stay${servers === 1 ? 's' : ''}`;
    const text = `${source}: ${detail}; ${rest}`;
    this.#sometimes('sources that fail', () => this.say(this.#terminal.paint.yellow(escapeForScreen(text))));
  }

  #sharedLost(detail: string): void {
    const text = `Redis: ${detail}; limits are this node's share until it answers`;
    this.#sometimes('Redis', () => this.say(this.#terminal.paint.yellow(escapeForScreen(text))));
  }

  #certificateRefused(file: string, detail: string): void {
    const text = `${file}: ${detail}; what was read before stays in force`;
    this.#sometimes('refused certificates', () => this.say(this.#terminal.paint.red(escapeForScreen(text))));
  }

  #certificateExpires(certificate: string, notAfter: number, what: string): void {
    const day = new Date(notAfter).toISOString().slice(0, 10);
    const { red, yellow } = this.#terminal.paint;
    const isOver = what === 'clients refuse it';
    const text = `the certificate of ${escapeForScreen(certificate)} ${isOver ? 'expired' : 'expires'} on ${day}, ${what}`;
    this.#sometimes('certificates that expire', () => this.say(isOver ? red(text) : yellow(text)));
  }

  #certificateOrdered(hosts: readonly string[], notAfter: number): void {
    const until = new Date(notAfter).toISOString().slice(0, 10);
    const text = `new certificate for ${nameOf(hosts)}, valid until ${until}`;
    this.#sometimes('new certificates', () => this.say(this.#terminal.paint.green(text)));
  }

  #certificateFailed(hosts: readonly string[], reason: string, retryMs: number): void {
    const why = `${escapeForScreen(reason)} (next try in ${humanDuration(retryMs)})`;
    const text = `no certificate for ${nameOf(hosts)}: ${why}`;
    this.#sometimes('failed certificates', () => this.say(this.#terminal.paint.red(text)));
  }

  #listening(address: Address): void {
    if (this.#isIntroduced) this.mention(`listening on ${placeOf(address)}`);
  }

  #closed(address: Address): void {
    this.mention(`no longer listening on ${placeOf(address)}`);
  }

  #warning(message: string): void {
    this.say(`${this.#terminal.paint.yellow('warning:')} ${escapeForScreen(message)}`);
  }

  warn(message: string): void {
    this.#warning(message);
  }

  /** Not a problem: left out with -q. */
  mention(text: string): void {
    if (this.#volume !== 'quiet') this.say(text);
  }

  /** Overwrites the `^C` that a terminal has just echoed at the start of the line. */
  eraseInterrupt(): void {
    if (this.#terminal.isTty && this.#volume !== 'quiet') this.#terminal.write('\r');
  }

  /** One line with the time in front: short for a person, who sees it in lines that fit the window, complete for a file. */
  say(text: string): void {
    const now = Date.now();
    const { isTty, columns, paint } = this.#terminal;
    const time = isTty ? clockTime(now) : isoTime(now);
    const line = `${paint.dim(time)}  ${text}`;
    // A report of several lines is laid out already.
    const shown = isTty && !text.includes('\n') ? wrapWords(line, columns, time.length + 2) : line;
    this.#terminal.write(`${shown}\n`);
  }

  /** What may happen to a thousand servers at once must not bury other messages. */
  #sometimes(what: string, say: () => void): void {
    const unsaid = this.#flood.pass(what, performance.now());
    if (unsaid === null) return;
    if (unsaid > 0) this.say(this.#terminal.paint.dim(`${unsaid} more ${what} were not shown`));
    say();
  }

  /** For a server that fails the default check: what it was asked, and how to ask something else. */
  #advice(server: string, reason: string): string {
    const question = this.#guesses.get(server);
    if (question === undefined || !/^(status \d+|timed out)$/.test(reason)) return '';
    return ` for ${question}, another path: ${this.#pathOption}`;
  }

  #goes(server: string, absence: Absence): void {
    const absences = this.#out.get(server) ?? new Set();
    this.#out.set(server, absences.add(absence));
  }

  #comes(server: string, absence: Absence): void {
    const absences = this.#out.get(server);
    absences?.delete(absence);
    if (absences?.size === 0) this.#out.delete(server);
  }

  #remaining(): string {
    const left = Math.max(0, this.#servers - this.#out.size);
    // What no server at all means for requests is said of each route.
    return left === this.#servers ? '' : this.#terminal.paint.dim(` (${left} of ${this.#servers} left)`);
  }
}

/** Of a certificate: `www.example.com and 2 more`. */
function nameOf([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** `127.0.0.1:8080`, `port 8080` of every interface. */
function placeOf(address: Address): string {
  return address.kind === 'tcp' && address.host === '' ? `port ${address.port}` : address.text;
}

/** The default check of a group's servers; empty when its path is set. */
function guessOf({ healthCheck }: GroupConfig): string {
  if (healthCheck === null || healthCheck.isPathChosen || healthCheck.type === 'tcp') return '';
  return `${healthCheck.method} ${healthCheck.path}`;
}

function exportRecovered(signal: string, failedMs: number, dropped: number): string {
  const lost = dropped === 0 ? '' : `; ${dropped} spans were dropped`;
  return `OpenTelemetry collector: it takes ${signal} again after ${humanDuration(failedMs)}${lost}`;
}
