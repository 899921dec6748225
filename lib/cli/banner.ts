import { homedir } from 'node:os';
import type { Address } from '../base/address.js';
import { listenerText } from '../base/listener-text.js';
import type { Scheme } from '../base/transport-info.js';
import { formatDuration } from '../base/units.js';
import { describeListener, entrancesOf } from '../config/inventory.js';
import type { Config, ListenerConfig, RouteConfig } from '../config/types.js';
import { count, longest } from './error-text.js';
import type { Paint } from './paint.js';
import { pathOption, type StartSettings } from './start-settings.js';

export interface BannerOptions {
  readonly version: string;
  /** The command that started this program. */
  readonly program: string;
  readonly plan: StartSettings;
  /** The listening addresses, with real ports. */
  readonly addresses: readonly Address[];
  /** The address of the admin listener; null without one. */
  readonly admin: Address | null;
  /** How many changes of the previous process are in force. */
  readonly restored: number;
  /** The certificate of the local authority. */
  readonly authority: string;
  /** Is the settings file reloaded when it changes? */
  readonly isWatched: boolean;
  readonly paint: Paint;
}

const LABEL_WIDTH = 11;
/** Longer lists are cut, so that the banner stays short. */
const SHOWN_SERVERS = 8;
const SHOWN_ROUTES = 12;
/** Widths of the column for what a request asks for and of the column for its servers. */
const ENTRANCE_WIDTH = 26;
const TARGET_WIDTH = 39;

/** The start banner, a dozen lines of at most 80 columns: how to try it, which servers it has, how to stop it. */
export function banner(options: BannerOptions): string {
  const { bold, cyan, dim } = options.paint;
  const { addresses, admin, isWatched, program, restored } = options;
  const { config, file, isDemo } = options.plan;
  const rows: [label: string, text: string][] = [];
  const authority = shortened(options.authority);
  const doors = addresses.map((address, i) => new Door(address, config.listen[i], authority));
  const first = doors.find(({ serves }) => serves) ?? doors[0];
  if (first !== undefined) rows.push(['try it', cyan(curlCommand(first, config))]);
  for (const door of doors) if (door !== first) rows.push(['', dim(`also on ${door.text}`)]);
  if (config.listen.some(({ tls }) => tls?.internal === true))
    rows.push(['trust', `${authority}  ${dim('once, in browsers and tools')}`]);
  const { hosts, rest } = config;
  const routed = hosts.length > 0 || rest.paths.length > 0 || rest.fallback?.action.kind !== 'forward';
  const lines = routed ? routeLines(options) : serverLines(options);
  lines.forEach((line, index) => {
    rows.push([index > 0 ? '' : routed ? 'routes' : 'servers', line]);
  });
  rows.push(['health', healthLine(config, file)]);
  if (admin !== null)
    rows.push([
      'watch',
      `${cyan(urlOf(admin, (config.admin?.tls ?? null) === null ? 'http' : 'https'))}  ${dim('status page, /metrics, /api')}`,
    ]);
  if (file !== null)
    rows.push(['settings', isWatched ? `${file}  ${dim('reloaded when it changes')}` : file]);
  if (restored > 0)
    rows.push(['changed', `${count(restored, 'change')} kept in ${config.stateFile}; lb status lists them`]);
  const demoed = isDemo ? config.servers[0]?.address : undefined;
  if (demoed !== undefined) rows.push(['fail one', cyan(`curl -X POST http://${demoed.text}/unhealthy`)]);
  rows.push(['stop', 'Ctrl-C lets requests in flight finish, twice stops at once']);
  if (isDemo) rows.push(['your own', cyan(`${program} 8080 localhost:5001 localhost:5002`)]);
  const url = first === undefined ? '' : `  ${bold(first.url)}`;
  const note = isDemo ? `  ${dim('a demo, on loopback only')}` : '';
  const written = rows.map(([label, text]) => `  ${dim(label.padEnd(LABEL_WIDTH))}${text}\n`);
  return `\n  ${bold('lb')} ${options.version}${url}${note}\n\n${written.join('')}\n`;
}

function serverLines({ plan, paint }: BannerOptions): string[] {
  const { servers } = plan.config;
  const shown = servers.length > SHOWN_SERVERS ? servers.slice(0, SHOWN_SERVERS - 1) : servers;
  const width = longest(shown.map(({ name }) => name));
  const lines = shown.map(({ name, address: { text }, tls }) => {
    const where = tls === null ? text : `https://${text}`;
    return name === text ? where : `${name.padEnd(width)}  ${paint.dim(where)}`;
  });
  if (shown.length < servers.length) lines.push(paint.dim(`and ${servers.length - shown.length} more`));
  const group = plan.config.groups.find((one) => one.servers === servers);
  return [...lines, ...(group?.providers ?? []).map(({ text }) => text)];
}

/** `www.mango.com  localhost:8081, localhost:8082`: a line for each host, path, and the rest. */
function routeLines({ plan, paint }: BannerOptions): string[] {
  const entrances = entrancesOf(plan.config);
  const shown = entrances.length > SHOWN_ROUTES ? entrances.slice(0, SHOWN_ROUTES - 1) : entrances;
  const rest = entrances.length === 1 ? 'everything' : 'everything else';
  const labels = shown.map(({ label }) => shorten(label === '' ? rest : label, ENTRANCE_WIDTH));
  const width = longest(labels);
  const lines = shown.map(
    ({ route }, i) => `${(labels[i] ?? '').padEnd(width)}  ${paint.dim(targetOf(route))}`,
  );
  if (shown.length < entrances.length) lines.push(paint.dim(`and ${entrances.length - shown.length} more`));
  return lines;
}

function targetOf(route: RouteConfig | null): string {
  if (route === null) return 'by its routes';
  const { action } = route;
  if (action.kind !== 'forward') return `${action.kind} ${action.status}`;
  const { servers, providers } = action.group;
  const names = [...servers.map(({ name }) => name), ...providers.map(({ text }) => text)];
  for (let shown = names.length; shown > 1; shown--) {
    const rest = names.length - shown;
    const text = names.slice(0, shown).join(', ') + (rest === 0 ? '' : ` and ${rest} more`);
    if (text.length <= TARGET_WIDTH) return text;
  }
  return names.length === 1
    ? shorten(names[0] ?? '', TARGET_WIDTH)
    : countsOf(servers.length, providers.length);
}

/** `2 servers, 1 source`: how many servers a source has is not known when lb starts. */
function countsOf(servers: number, sources: number): string {
  if (sources === 0) return count(servers, 'server');
  return servers === 0
    ? count(sources, 'source')
    : `${count(servers, 'server')}, ${count(sources, 'source')}`;
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function healthLine({ healthCheck }: Config, file: string | null): string {
  if (healthCheck === null) return 'not checked; a server that refuses a connection is left out';
  const { type, method, path, isPathChosen } = healthCheck;
  const interval = formatDuration(healthCheck.interval);
  if (type === 'tcp') return `a connection every ${interval}`;
  return `${method} ${path} every ${interval}${isPathChosen ? '' : `; another path: ${pathOption(file)}`}`;
}

/** If only hosts or paths are served, the example asks for the first of them: `/` of any other host would get 404. */
function curlCommand({ address, scheme, url, options }: Door, { hosts, rest }: Config): string {
  const isEverywhere = rest.fallback !== null || rest.routes.length > 0;
  const [path] = isEverywhere ? [] : rest.paths;
  const [name] =
    isEverywhere || path !== undefined
      ? []
      : hosts.flatMap(({ names }) => names).flatMap((host) => (host.kind === 'regex' ? [] : [host]));
  const tail = path === undefined || path.path.kind === 'regex' ? '' : path.path.path.slice(1);
  const host = name === undefined ? '' : name.kind === 'exact' ? name.name : `www${name.suffix}`;
  const field = `${options}${host === '' ? '' : `-H 'Host: ${host}' `}`;
  return address.kind === 'unix'
    ? `curl ${field}--unix-socket ${address.path} ${scheme}://localhost/${tail}`
    : `curl ${field}${url}${tail}`;
}

/** As a shell reads it. */
function shortened(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** One listener, as it is reached from this machine. */
class Door {
  readonly address: Address;
  readonly scheme: Scheme;
  readonly url: string;
  readonly #listener: ListenerConfig | undefined;
  readonly #authority: string;

  /** `authority`: the file of the certificate that signs those for development. */
  constructor(address: Address, listener: ListenerConfig | undefined, authority: string) {
    this.#authority = authority;
    this.address = address;
    this.#listener = listener;
    this.scheme = listener === undefined || listener.tls === null ? 'http' : 'https';
    this.url = urlOf(address, this.scheme);
  }

  /** Does a client get there what it asks for, without a proxy in front? */
  get serves(): boolean {
    return this.#listener === undefined || (this.#listener.redirect ?? this.#listener.proxyProtocol) === null;
  }

  /** What curl needs to be told to be served. */
  get options(): string {
    const tls = this.#listener?.tls ?? null;
    // A certificate of a file is hardly for localhost.
    const trust = tls === null ? '' : tls.internal ? `--cacert ${this.#authority} ` : '-k ';
    return `${trust}${(this.#listener?.proxyProtocol ?? null) === null ? '' : '--haproxy-protocol '}`;
  }

  /** `http://localhost:80/ (redirects to https)` */
  get text(): string {
    if (this.#listener === undefined) return this.url;
    const described = describeListener(this.#listener);
    // The URL has the scheme.
    return listenerText({ ...described, address: this.url, scheme: 'http' });
  }
}

/** An address that a browser or curl on this machine can use; a listener on every interface is reached as localhost. */
function urlOf(address: Address, scheme: Scheme): string {
  if (address.kind === 'unix') return address.text;
  const everywhere = address.host === '' || address.host === '0.0.0.0' || address.host === '::';
  const host = everywhere || address.host === '127.0.0.1' ? 'localhost' : address.host;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${address.port}/`;
}
