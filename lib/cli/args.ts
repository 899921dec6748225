import { parseArgs } from 'node:util';
import { parseAddress } from '../base/address.js';
import { nearest } from '../base/nearest.js';
import { parseDuration } from '../base/units.js';
import { ValueError } from '../base/value-error.js';
import type { AccessLogFormat } from '../config/types.js';

/** What a person asked for. Texts are checked and kept as written: what they mean is the configuration's affair. */
export interface RunOptions {
  readonly port: number | null;
  readonly servers: readonly string[];
  readonly configFile: string | null;
  readonly healthPath: string | null;
  readonly healthInterval: string | null;
  readonly accessLog: AccessLogFormat | null;
  readonly accessLogFile: string | null;
  readonly volume: 'quiet' | 'normal' | 'verbose';
}

export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | { readonly name: 'run'; readonly options: RunOptions };

export interface Arguments {
  readonly command: Command;
  /** False with --no-color. */
  readonly colour: boolean;
}

/** A command line that makes no sense. The message is one sentence for stderr. */
export class UsageError extends Error {}

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  'health-path': { type: 'string' },
  'health-interval': { type: 'string' },
  'access-log': { type: 'string' },
  'access-log-file': { type: 'string' },
  quiet: { type: 'boolean', short: 'q' },
  verbose: { type: 'boolean', short: 'v' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

const ACCESS_LOG_FORMATS = ['dev', 'combined', 'json', 'off'] as const satisfies readonly AccessLogFormat[];

type OptionName = keyof typeof OPTIONS;

/** Reads the words after the program's name. Throws a UsageError. */
export function parseArguments(words: readonly string[]): Arguments {
  const { values, positionals } = readWords(words);
  const colour = !values.has('no-color');
  if (values.has('help')) return { command: { name: 'help' }, colour };
  if (values.has('version')) return { command: { name: 'version' }, colour };
  return { command: { name: 'run', options: runOptions(values, positionals) }, colour };
}

/** Whether the words ask for no colour, for when they are otherwise too wrong to be parsed. */
export function refusesColour(words: readonly string[]): boolean {
  return words.includes('--no-color');
}

function runOptions(values: ReadonlyMap<OptionName, string>, positionals: readonly string[]): RunOptions {
  if (values.has('quiet') && values.has('verbose')) throw new UsageError('-q and -v contradict each other.');
  const [port, ...servers] = positionals;
  for (const server of servers) checkServer(server);
  return {
    port: port === undefined ? null : readPort(port),
    servers,
    configFile: values.get('config') ?? null,
    healthPath: readHealthPath(values.get('health-path')),
    healthInterval: readInterval(values.get('health-interval')),
    accessLog: readFormat(values.get('access-log')),
    accessLogFile: values.get('access-log-file') ?? null,
    volume: values.has('quiet') ? 'quiet' : values.has('verbose') ? 'verbose' : 'normal',
  };
}

/** parseArgs in its lenient mode splits the words; its strict mode would word the complaints for us, and badly. */
function readWords(words: readonly string[]): { values: Map<OptionName, string>; positionals: string[] } {
  const parsed = parseArgs({
    args: [...words],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<OptionName, string>();
  for (const token of parsed.tokens) {
    if (token.kind !== 'option') continue;
    if (!isOption(token.name)) throw new UsageError(unknownOption(token.rawName));
    const takesValue = OPTIONS[token.name].type === 'string';
    if (takesValue && (token.value === undefined || (!token.inlineValue && token.value.startsWith('-')))) {
      throw new UsageError(`${token.rawName} needs a value.`);
    }
    if (!takesValue && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value.`);
    values.set(token.name, token.value ?? '');
  }
  return { values, positionals: parsed.positionals };
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

function unknownOption(rawName: string): string {
  const names = Object.keys(OPTIONS).map((name) => `--${name}`);
  const close = rawName.startsWith('--') ? nearest(rawName, names) : undefined;
  return `unknown option ${rawName}.${close === undefined ? '' : ` Did you mean ${close}?`}`;
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  if (/^\d+$/.test(text))
    throw new UsageError(`${text} is not a port: ports go from 1 to 65535 (0 takes a free one).`);
  if (/[.:]|^localhost$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a port. The port to listen on comes first: 8080 ${text}.`,
    );
  }
  throw new UsageError(`${JSON.stringify(text)} is not a port.`);
}

function checkServer(text: string): void {
  const address = attempt(`server ${JSON.stringify(text)}`, () =>
    parseAddress(text, { defaultHost: 'localhost' }),
  );
  if (address.kind === 'tcp' && address.port === 0) {
    throw new UsageError(`server ${JSON.stringify(text)}: port 0 cannot be connected to.`);
  }
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
  if (interval === 0)
    throw new UsageError('--health-interval: checks cannot follow each other without a pause.');
  return text;
}

function readFormat(text: string | undefined): AccessLogFormat | null {
  if (text === undefined) return null;
  const known = ACCESS_LOG_FORMATS.find((format) => format === text);
  if (known !== undefined) return known;
  const close = nearest(text, ACCESS_LOG_FORMATS);
  const advice =
    close === undefined ? `It is one of ${ACCESS_LOG_FORMATS.join(', ')}.` : `Did you mean ${close}?`;
  throw new UsageError(`--access-log ${JSON.stringify(text)} is unknown. ${advice}`);
}

/** Runs a reader of a text and puts the name of what it read before its complaint. */
function attempt<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError(`${what}: ${error.message}. ${error.hint}`.trim());
  }
}
