import type { AccessLogFormat, AlgorithmName } from '../config/types.js';

/** All options; their meaning depends on the command. */
export const OPTIONS = {
  config: { type: 'string', short: 'c' },
  algorithm: { type: 'string', short: 'a' },
  'health-path': { type: 'string' },
  'health-interval': { type: 'string' },
  'access-log': { type: 'string' },
  'access-log-file': { type: 'string' },
  admin: { type: 'string' },
  quiet: { type: 'boolean', short: 'q' },
  verbose: { type: 'boolean', short: 'v' },
  header: { type: 'string', short: 'H' },
  ip: { type: 'string' },
  json: { type: 'boolean' },
  tls: { type: 'boolean' },
  watch: { type: 'boolean' },
  workers: { type: 'string' },
  docker: { type: 'boolean' },
  wait: { type: 'boolean' },
  route: { type: 'string' },
  weight: { type: 'string' },
  name: { type: 'string' },
  backup: { type: 'boolean' },
  listen: { type: 'string' },
  host: { type: 'string' },
  for: { type: 'string' },
  allow: { type: 'string' },
  off: { type: 'boolean' },
  path: { type: 'string' },
  status: { type: 'string' },
  server: { type: 'string' },
  client: { type: 'string' },
  'min-duration': { type: 'string' },
  rule: { type: 'string' },
  within: { type: 'string' },
  timeout: { type: 'string' },
  force: { type: 'boolean' },
  ready: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

export type OptionName = keyof typeof OPTIONS;

/** Options that every command takes. */
export const COMMON: readonly OptionName[] = ['no-color', 'help', 'version'];

const REMOTE = ['admin', 'config', 'json'] as const satisfies readonly OptionName[];

/** The further options of each command. `run` is the command without a name. */
export const TAKES = {
  run: [
    'config',
    'algorithm',
    'health-path',
    'health-interval',
    'access-log',
    'access-log-file',
    'admin',
    'tls',
    'watch',
    'workers',
    'docker',
    'quiet',
    'verbose',
  ],
  init: ['config', 'force', 'listen', 'host', 'health-path', 'admin', 'algorithm'],
  check: ['config', 'json'],
  explain: ['config', 'json', 'header', 'ip', 'verbose'],
  certs: [...REMOTE, 'host', 'within'],
  status: [...REMOTE, 'watch'],
  servers: [...REMOTE, 'watch'],
  drain: [...REMOTE, 'wait'],
  ready: REMOTE,
  maintenance: [...REMOTE, 'host', 'for', 'allow', 'off'],
  weight: REMOTE,
  add: [...REMOTE, 'route', 'weight', 'name', 'backup'],
  remove: REMOTE,
  tail: [...REMOTE, 'host', 'path', 'status', 'server', 'client', 'min-duration'],
  bans: [...REMOTE, 'client', 'rule'],
  unban: REMOTE,
  reload: REMOTE,
  upgrade: [...REMOTE, 'timeout'],
  top: REMOTE,
  healthcheck: ['admin', 'config', 'ready'],
  completion: [],
  help: [],
  version: [],
} as const satisfies { readonly [command: string]: readonly OptionName[] };

export type CommandName = keyof typeof TAKES;
/** The commands for a running balancer. */
export type RemoteName = Exclude<
  CommandName,
  'run' | 'init' | 'check' | 'explain' | 'certs' | 'healthcheck' | 'completion' | 'help' | 'version'
>;

/** The names that a person types. */
export const COMMANDS = (Object.keys(TAKES) as CommandName[]).filter((name) => name !== 'run');

export const ACCESS_LOG_FORMATS = [
  'dev',
  'combined',
  'json',
  'off',
] as const satisfies readonly AccessLogFormat[];

/** The algorithms that need no further settings; `hash` needs a key, and so a settings file. */
export const ALGORITHMS = [
  'round_robin',
  'least_connections',
  'random',
  'power_of_two',
  'least_response_time',
  'ip_hash',
  'first',
] as const satisfies readonly AlgorithmName[];

/** Whether a word is the name of a command. */
export function isCommand(word: string | undefined): word is Exclude<CommandName, 'run'> {
  return word !== undefined && (COMMANDS as readonly string[]).includes(word);
}

/** How the command is called. */
export function spoken(command: CommandName): string {
  return command === 'run' ? 'lb' : `lb ${command}`;
}

/** Whether the command takes the option. */
export function takes(command: CommandName, option: OptionName): boolean {
  const own: readonly OptionName[] = TAKES[command];
  return COMMON.includes(option) || own.includes(option);
}

/** A command line that makes no sense. The message is one sentence for stderr. */
export class UsageError extends Error {
  /** What was probably meant: the words after the program's name, as typed in a shell. Empty when nobody can tell. */
  readonly meant: string;

  constructor(message: string, meant = '') {
    super(message);
    this.meant = meant;
  }
}
