import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { parseAddress } from '../base/address.js';
import { didYouMean, nearest, suggest } from '../base/nearest.js';
import { parseServerAddress } from '../base/server-address.js';
import { parseDuration, ValueError } from '../base/units.js';
import type { AccessLogFormat, AlgorithmName } from '../config/types.js';
import { type AskedRequest, readHeader, readRequest } from '../routing/dry-run/asked-request.js';
import {
  ACCESS_LOG_FORMATS,
  ALGORITHMS,
  COMMANDS,
  type CommandName,
  isCommand,
  OPTIONS,
  type OptionName,
  spoken,
  takes,
  UsageError,
} from './options.js';
import { remoteOptions } from './remote/args.js';
import { type RemoteOptions, readAdminOption } from './remote/options.js';
import { shellWord } from './shell-word.js';

export { UsageError };

/** What a person asked for. Texts are checked and kept as written: the configuration interprets them. */
export interface RunOptions {
  readonly port: number | null;
  readonly servers: readonly string[];
  readonly configFile: string | null;
  readonly algorithm: AlgorithmName | null;
  readonly healthPath: string | null;
  readonly healthInterval: string | null;
  readonly accessLog: AccessLogFormat | null;
  readonly accessLogFile: string | null;
  /** The address of the admin listener, or `off`; null when not given. */
  readonly admin: string | null;
  /** Speak TLS with a certificate of the local authority. */
  readonly tls: boolean;
  /** Reload when the settings file changes. */
  readonly watch: boolean;
  /** How many threads serve clients; null when not given. */
  readonly workers: number | 'auto' | null;
  /** Labels of containers make routes. */
  readonly docker: boolean;
  readonly volume: 'quiet' | 'normal' | 'verbose';
}

const MOST_WORKERS = 64;

/** The options that `lb check` and `lb explain` share. */
export interface CheckOptions {
  /** Named with or without `-c`; null: the file in the working directory. */
  readonly configFile: string | null;
  readonly json: boolean;
}

/** The options of `lb init`; null and empty lists are options that were not given. */
export interface InitOptions {
  /** The file to write. */
  readonly configFile: string | null;
  /** Replace an existing file. */
  readonly force: boolean;
  readonly listen: string | null;
  readonly servers: readonly string[];
  readonly hosts: readonly string[];
  readonly healthPath: string | null;
  /** `off` for none. */
  readonly admin: string | null;
  readonly algorithm: AlgorithmName | null;
}

export interface HealthcheckOptions {
  /** The address that lb listens on; null: taken from the settings file. */
  readonly port: number | null;
  /** The admin listener, as written; null: taken from the settings file. */
  readonly admin: string | null;
  readonly configFile: string | null;
  /** Check that it is ready for requests, not only alive? */
  readonly ready: boolean;
}

/** The options of `lb certs`. */
export interface CertsOptions extends CheckOptions {
  /** The admin listener of a running balancer, as written; null: the certificates of the file. */
  readonly admin: string | null;
  /** Only those that are for this host; null: all. */
  readonly host: string | null;
  /** Only those that expire within this many ms; null: all. */
  readonly within: number | null;
}

export interface ExplainOptions extends CheckOptions {
  readonly request: AskedRequest;
  /** The address of the client. */
  readonly ip: string;
  /** Is the request shown as the client sends it, too? */
  readonly isVerbose: boolean;
}

export type Command =
  /** `key`: a command, or a key of the settings file; null for the help of the program. */
  | { readonly name: 'help'; readonly key: string | null }
  | { readonly name: 'version' }
  | { readonly name: 'init'; readonly options: InitOptions }
  | { readonly name: 'check'; readonly options: CheckOptions }
  | { readonly name: 'certs'; readonly options: CertsOptions }
  | { readonly name: 'explain'; readonly options: ExplainOptions }
  | { readonly name: 'remote'; readonly options: RemoteOptions }
  | { readonly name: 'healthcheck'; readonly options: HealthcheckOptions }
  | { readonly name: 'completion'; readonly words: readonly string[] }
  | { readonly name: 'run'; readonly options: RunOptions };

export interface Arguments {
  readonly command: Command;
  /** False with --no-color. */
  readonly colour: boolean;
}

interface Words {
  readonly values: ReadonlyMap<OptionName, string>;
  readonly positionals: readonly string[];
  /** All words as typed, and which of them are the positionals. */
  readonly typed: readonly string[];
  readonly places: readonly number[];
  /** All values of the options that may be repeated. */
  readonly headers: readonly string[];
  readonly hosts: readonly string[];
}

/** Parses the words after the program's name. Throws a UsageError. */
export function parseArguments(words: readonly string[]): Arguments {
  const read = readWords(words);
  const { values } = read;
  const colour = !values.has('no-color');
  const [first] = read.positionals;
  if (values.has('help'))
    return { command: { name: 'help', key: isCommand(first) && first !== 'help' ? first : null }, colour };
  if (values.has('version')) return { command: { name: 'version' }, colour };
  return { command: readCommand(read), colour };
}

function readCommand(words: Words): Command {
  const [first] = words.positionals;
  const name = isCommand(first) ? first : 'run';
  try {
    return readOptions(name, words);
  } catch (error) {
    const meant = error instanceof UsageError && error.meant === '' ? withFile(name, words) : '';
    throw meant === '' ? error : new UsageError((error as UsageError).message, meant);
  }
}

function readOptions(name: CommandName, words: Words): Command {
  const { values, positionals } = words;
  for (const option of values.keys()) {
    if (takes(name, option)) continue;
    const other = (['run', ...COMMANDS] as const).find((one) => takes(one, option)) ?? 'run';
    throw new UsageError(`--${option} is an option of ${spoken(other)}, not of ${spoken(name)}.`);
  }
  switch (name) {
    case 'run':
      refuseStartWord(words);
      return { name, options: runOptions(values, positionals) };
    case 'init':
      return { name, options: initOptions(words) };
    case 'check':
      return { name, options: checkOptions(words) };
    case 'certs':
      return { name, options: certsOptions(words) };
    case 'explain':
      return { name, options: explainOptions(words) };
    case 'healthcheck':
      return { name, options: healthcheckOptions(words) };
    case 'completion':
      return { name, words: positionals.slice(1) };
    case 'help':
      return { name, key: positionals.length > 1 ? positionals.slice(1).join('.') : null };
    case 'version':
      return { name };
    default:
      if (words.hosts.length > 1) throw new UsageError(`--host is given twice: lb ${name} takes one.`);
      return { name: 'remote', options: remoteOptions(name, positionals.slice(1), values) };
  }
}

/** What other programs call the command that lb has no word for. */
const START_WORDS = ['run', 'start', 'serve'];

function refuseStartWord({ typed, places, ...rest }: Words): void {
  const [place = -1, ...later] = places;
  const word = typed[place] ?? '';
  if (!START_WORDS.includes(word)) return;
  const others = typed.filter((_, at) => at !== place);
  const without = { ...rest, typed: others, places: later.map((at) => at - 1) };
  throw new UsageError(
    `${word} is no command: lb starts without one.`,
    withFile('run', without) || asTyped(others),
  );
}

/** Is this the name of a settings file, rather than a port, a server or a method? */
function isFileName(text: string): boolean {
  return /\.(?:ya?ml|json|conf|cfg)$/i.test(text);
}

/** The same command line with `-c` before the file that is named without; empty when there is none, or several. */
function withFile(name: CommandName, { typed, places, values }: Words): string {
  // After `--` there are no options.
  if (values.has('config') || !takes(name, 'config') || typed.includes('--')) return '';
  const isFile = (place: number | undefined): place is number => isFileName(typed[place ?? -1] ?? '');
  // The URL of a request may end like the name of a file.
  const [file, another] = (name === 'explain' ? [places[1]] : places).filter(isFile);
  if (file === undefined || another !== undefined) return '';
  // Without a URL nobody can tell what is to be explained.
  if (name === 'explain' && places.length < 3) return '';
  const method = name === 'explain' && places.length === 3 ? ['GET'] : [];
  return asTyped(typed.flatMap((word, at) => (at === file ? ['-c', word, ...method] : [word])));
}

/** The same command line with a method before the URL. */
function withMethod({ typed, places }: Words): string {
  return asTyped(typed.flatMap((word, at) => (at === places[1] ? ['GET', word] : [word])));
}

function asTyped(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function initOptions({ values, positionals, hosts }: Words): InitOptions {
  const servers = positionals.slice(1);
  for (const server of servers) {
    if (/^\d+$/.test(server))
      throw new UsageError(
        `${server} may be a port to listen on or a server: write --listen ${server} or localhost:${server}.`,
      );
    checkServer(server);
  }
  const listen = values.get('listen') ?? null;
  if (listen !== null) attempt('--listen', () => parseAddress(listen, { defaultHost: '' }));
  return {
    configFile: values.get('config') ?? null,
    force: values.has('force'),
    listen,
    servers,
    hosts,
    healthPath: readHealthPath(values.get('health-path')),
    admin: readAdmin(values.get('admin')),
    algorithm: readAlgorithm(values.get('algorithm')),
  };
}

function healthcheckOptions({ values, positionals }: Words): HealthcheckOptions {
  const [, port, unexpected] = positionals;
  if (unexpected !== undefined)
    throw new UsageError(`${JSON.stringify(unexpected)} is one too many: lb healthcheck takes one port.`);
  const admin = values.get('admin') ?? null;
  if (admin !== null) attempt('--admin', () => adminAddress(admin));
  return {
    port: port === undefined ? null : readPort(port),
    admin,
    configFile: values.get('config') ?? null,
    ready: values.has('ready'),
  };
}

function checkOptions(words: Words): CheckOptions {
  return { configFile: onlyFile('check', words), json: words.values.has('json') };
}

/** The file of a command that takes nothing else besides its options: `-c` may be left out. */
function onlyFile(name: CommandName, { values, positionals }: Words): string | null {
  const [, ...operands] = positionals;
  const named = values.get('config');
  const [file = null, unexpected] = named === undefined ? operands : [named, ...operands];
  if (unexpected !== undefined)
    throw new UsageError(`${JSON.stringify(unexpected)} is one too many: ${spoken(name)} takes one file.`);
  return file;
}

function certsOptions(words: Words): CertsOptions {
  const { values } = words;
  const configFile = onlyFile('certs', words);
  const admin = values.get('admin') ?? null;
  if (admin !== null) attempt('--admin', () => adminAddress(admin));
  const within = values.get('within');
  return {
    admin,
    configFile,
    json: values.has('json'),
    host: values.get('host')?.toLowerCase() ?? null,
    within: within === undefined ? null : attempt('--within', () => parseDuration(within)),
  };
}

function adminAddress(text: string): unknown {
  return parseAddress(readAdminOption(text).address, { defaultHost: '127.0.0.1' });
}

function explainOptions(words: Words): ExplainOptions {
  const { values, positionals, headers } = words;
  const [, method = '', url, unexpected] = positionals;
  if (url === undefined) {
    const isUrl = /[/.:]/.test(method) && !isFileName(method);
    const wanted = 'a method and a URL are needed: lb explain [-c FILE] GET http://www.mango.com/v1.';
    throw new UsageError(wanted, isUrl ? withMethod(words) : '');
  }
  if (isFileName(method)) throw new UsageError(`${JSON.stringify(method)} is not a method.`);
  if (unexpected !== undefined)
    throw new UsageError(
      `${JSON.stringify(unexpected)} is one too many: lb explain takes a method and a URL.`,
    );
  const ip = values.get('ip') ?? '127.0.0.1';
  if (isIP(ip) === 0) throw new UsageError(`--ip ${JSON.stringify(ip)} is not an address such as 192.0.2.1.`);
  const fields = headers.map((text) => attempt('-H', () => readHeader(text)));
  const request = attempt('', () => readRequest(method, url, fields));
  const isVerbose = values.has('verbose');
  return { configFile: values.get('config') ?? null, json: values.has('json'), request, ip, isVerbose };
}

/** Whether the words contain --no-color, for when they are too wrong to be parsed. */
export function refusesColour(words: readonly string[]): boolean {
  return words.includes('--no-color');
}

function runOptions(values: ReadonlyMap<OptionName, string>, positionals: readonly string[]): RunOptions {
  if (values.has('quiet') && values.has('verbose')) throw new UsageError('-q and -v contradict each other.');
  const [first, ...servers] = positionals;
  // Before the servers: with a mistyped command the words after it are no servers.
  const port = first === undefined ? null : readPort(first);
  for (const server of servers) checkServer(server);
  return {
    port,
    servers,
    configFile: values.get('config') ?? null,
    algorithm: readAlgorithm(values.get('algorithm')),
    healthPath: readHealthPath(values.get('health-path')),
    healthInterval: readInterval(values.get('health-interval')),
    accessLog: readFormat(values.get('access-log')),
    accessLogFile: values.get('access-log-file') ?? null,
    admin: readAdmin(values.get('admin')),
    tls: values.has('tls'),
    watch: values.has('watch'),
    workers: readWorkers(values.get('workers')),
    docker: values.has('docker'),
    volume: values.has('quiet') ? 'quiet' : values.has('verbose') ? 'verbose' : 'normal',
  };
}

function readWorkers(text: string | undefined): RunOptions['workers'] {
  if (text === undefined) return null;
  if (text === 'auto') return text;
  const count = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MOST_WORKERS)
    throw new UsageError(
      `--workers is auto or a number of threads from 1 to ${MOST_WORKERS}, not ${JSON.stringify(text)}.`,
    );
  return count;
}

/** parseArgs splits the words in its lenient mode; the messages of its strict mode are not good enough. */
function readWords(words: readonly string[]): Words {
  const parsed = parseArgs({
    args: [...words],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<OptionName, string>();
  const places: number[] = [];
  const headers: string[] = [];
  const hosts: string[] = [];
  for (const token of parsed.tokens) {
    if (token.kind === 'positional') places.push(token.index);
    if (token.kind !== 'option') continue;
    if (!isOption(token.name)) throw new UsageError(unknownOption(token.rawName));
    const takesValue = OPTIONS[token.name].type === 'string';
    if (takesValue && (token.value === undefined || (!token.inlineValue && token.value.startsWith('-')))) {
      throw new UsageError(`${token.rawName} needs a value.`);
    }
    if (!takesValue && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value.`);
    const before = token.name === 'allow' ? values.get('allow') : undefined;
    values.set(token.name, before === undefined ? (token.value ?? '') : `${before},${token.value}`);
    if (token.name === 'header') headers.push(token.value ?? '');
    if (token.name === 'host') hosts.push(token.value ?? '');
  }
  return { values, positionals: parsed.positionals, typed: words, places, headers, hosts };
}

/** Words that people type for what lb calls otherwise, with the whole advice: no similar command may be suggested for them. */
const OTHER_WORDS: { readonly [word: string]: string } = {
  stop: 'Ctrl-C or SIGTERM ends lb; lb drain NAME is for a server.',
  quit: 'Ctrl-C or SIGTERM ends lb.',
  restart: 'lb upgrade restarts it without a refused connection, lb reload reads the file again.',
  log: 'lb tail shows requests as they end.',
  logs: 'lb tail shows requests as they end.',
  list: 'lb servers lists the servers, lb status the routes with them.',
  ls: 'lb servers lists the servers, lb status the routes with them.',
  show: 'lb status shows the routes and their servers.',
  stats: 'lb status has the figures, lb top shows them live.',
  metrics: 'The admin listener has them at /metrics.',
  config: 'lb check checks a settings file, lb init writes one.',
  configtest: 'lb check checks a settings file.',
  test: 'lb check checks a settings file and runs its tests.',
  validate: 'lb check checks a settings file.',
  enable: 'lb ready NAME gives new requests to a server again.',
  disable: 'lb drain NAME, or lb maintenance NAME, takes a server out.',
  undrain: 'lb ready NAME gives new requests to a server again.',
  ban: 'Firewall rules of the settings file ban clients; lb bans lists them.',
};

function isOption(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

function unknownOption(rawName: string): string {
  const names = Object.keys(OPTIONS).map((name) => `--${name}`);
  return `unknown option ${rawName}. ${rawName.startsWith('--') ? suggest(rawName, names) : ''}`.trimEnd();
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  if (isFileName(text)) throw new UsageError(`${JSON.stringify(text)} is not a port.`);
  if (/^\d+$/.test(text))
    throw new UsageError(`${text} is not a port: ports go from 1 to 65535 (0 takes a free one).`);
  if (/[.:]|^localhost$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a port. The port to listen on comes first: 8080 ${text}.`,
    );
  }
  if (!/^[a-z][a-z-]*$/i.test(text)) throw new UsageError(`${JSON.stringify(text)} is not a port.`);
  const close = nearest(text, COMMANDS);
  const advice = Object.hasOwn(OTHER_WORDS, text) ? OTHER_WORDS[text] : didYouMean(close && `lb ${close}`);
  throw new UsageError(`there is no command ${JSON.stringify(text)}. ${advice}`.trimEnd());
}

function checkServer(text: string): void {
  if (isFileName(text))
    throw new UsageError(`${JSON.stringify(text)} is not a server such as localhost:5001.`);
  attempt(`server ${JSON.stringify(text)}`, () => parseServerAddress(text));
}

function readAlgorithm(text: string | undefined): AlgorithmName | null {
  if (text === undefined) return null;
  const known = ALGORITHMS.find((name) => name === text);
  if (known !== undefined) return known;
  if (text === 'hash')
    throw new UsageError('--algorithm hash needs a key: write algorithm: { name: hash, on: uri } in a file.');
  const advice = suggest(text, ALGORITHMS, `It is one of ${ALGORITHMS.join(', ')}.`);
  throw new UsageError(`--algorithm ${JSON.stringify(text)} is unknown. ${advice}`);
}

function readHealthPath(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (!/^\/[\x21-\x7e]*$/.test(text)) {
    throw new UsageError(`--health-path ${JSON.stringify(text)}: a path starts with / and has no spaces.`);
  }
  return text;
}

function readInterval(text: string | undefined): string | null {
  if (text === undefined) return null;
  const interval = attempt('--health-interval', () => parseDuration(text));
  if (interval === 0) throw new UsageError('--health-interval must be more than 0, such as 5s.');
  return text;
}

function readAdmin(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text !== 'off') attempt('--admin', () => parseAddress(text, { defaultHost: '127.0.0.1' }));
  return text;
}

function readFormat(text: string | undefined): AccessLogFormat | null {
  if (text === undefined) return null;
  const known = ACCESS_LOG_FORMATS.find((format) => format === text);
  if (known !== undefined) return known;
  const advice = suggest(text, ACCESS_LOG_FORMATS, `It is one of ${ACCESS_LOG_FORMATS.join(', ')}.`);
  throw new UsageError(`--access-log ${JSON.stringify(text)} is unknown. ${advice}`);
}

/** Calls `read` and puts `what`, if it is not empty, in front of its error message. */
function attempt<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const place = what === '' ? '' : `${what}: `;
    throw new UsageError(`${place}${error.message}. ${error.hint}`.trim());
  }
}
