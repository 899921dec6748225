import type { Paint } from './paint.js';

/** An entry and its explanation; lines after the first have an empty left side. */
export type Row = readonly [left: string, right: string];

export interface HelpSection {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Example {
  readonly what: string;
  /** What follows the program's name, for each command. */
  readonly commands: readonly string[];
}

const LEFT_WIDTH = 25;

const ARGUMENTS: readonly Row[] = [
  ['port', 'the port to listen on (default 8080)'],
  ['server...', 'host:port, as many as you like; with none, and no'],
  ['', 'configuration file, three demo servers are started'],
];

const BALANCING: readonly Row[] = [
  ['-c, --config FILE', 'settings in YAML; without it ./loadbalancer.yaml is'],
  ['', 'read, if it exists and no server is given'],
  ['    --tls', 'HTTPS with a certificate of a local authority, which'],
  ['', 'is made for development and kept (default port 8443)'],
  ['    --workers N', 'threads that serve clients, or auto: one for each'],
  ['', 'processor, at most 8 (default 1)'],
  ['    --docker', 'routes come from labels of containers: lb.host,'],
  ['', 'lb.path, lb.port and others; no file is needed'],
  ['    --watch', 'reload that file when it, or one it names, changes'],
  ['-a, --algorithm NAME', 'round_robin (default), least_connections, random,'],
  ['', 'power_of_two, least_response_time, ip_hash or first;'],
  ['', 'hash, and more about each, in a file'],
  ['    --health-path PATH', 'path of the health checks; 200-399 is healthy'],
  ['', '(default /)'],
  ['    --health-interval T', 'time between two checks: 500ms, 5s, 1m (default 5s)'],
];

const OUTPUT: readonly Row[] = [
  ['    --access-log FORMAT', 'a line per request: dev, combined, json or off'],
  ['', '(default dev on a terminal, json otherwise)'],
  ['    --access-log-file F', 'append these lines to F instead of standard output'],
  ['-q, --quiet', 'problems only'],
  ['-v, --verbose', 'also every health check, and the heads of requests'],
  ['', 'and responses as they crossed the wire'],
  ['    --no-color', 'plain text; NO_COLOR in the environment does the same'],
  ['-h, --help', 'this page'],
  ['-V, --version', 'the version'],
];

const WATCHING: readonly Row[] = [
  ['    --admin ADDR', 'status page, API and metrics on a port of their own:'],
  ['', '9090 is 127.0.0.1:9090; off by default, but on in'],
  ['', 'the demo: `off` turns it off'],
];

const FIRST_STEPS: readonly Row[] = [
  ['init [server...]', 'writes a settings file with comments, from arguments'],
  ['', 'or questions; -c FILE names the file. Also takes'],
  ['', '--health-path, --admin and --algorithm'],
  ['    --listen ADDR', 'the port to listen on (default 8080)'],
  ['    --host NAME', 'serve this name only; as often as you like'],
  ['    --force', 'replace an existing file'],
];

const COMMANDS: readonly Row[] = [
  ['check [FILE]', 'checks the configuration file and runs its tests;'],
  ['', 'starts nothing'],
  ['explain METHOD URL', 'shows which firewalls, route, rules and servers a'],
  ['', 'request would meet, and why; sends nothing'],
  ["    -H 'Name: value'", 'a header of that request, as often as you like'],
  ['    --ip A', 'the client address (default 127.0.0.1)'],
  ['-v, --verbose', 'the request as the client sends it, too'],
  ['    --json', 'the result of either as JSON'],
  ['certs [FILE]', 'certificates of the file, when they expire and what'],
  ['', 'is wrong with them; --admin ADDR: of a running one.'],
  ['', '--host HOST and --within 30d choose some of them'],
  ['help COMMAND', 'explains a command, as lb drain --help does;'],
  ['', 'help KEY a key of the settings, as timeouts.connect'],
  ['version', 'the version'],
];

const REMOTE: readonly Row[] = [
  ['status, servers', 'its state; --watch shows it repeatedly'],
  ['top', 'the same live, with rates; keys sort, arrows scroll,'],
  ['', 'q leaves'],
  ['tail', 'requests as they end; --host, --path, --status 5xx,'],
  ['', '--server, --client CIDR, --min-duration 200ms choose'],
  ['drain NAME', 'no new requests for a server; --wait waits until'],
  ['', 'its requests are done'],
  ['ready NAME', 'new requests again'],
  ['maintenance NAME', 'no requests at all, not even of clients bound to it'],
  ['    --host HOST', 'a host: its requests get 503; --for 30m ends it by'],
  ['', 'itself, --off at once; clients of --allow CIDR,… are'],
  ['', "served; '*' is every host"],
  ['weight NAME N', 'its share of the requests, 0 to 256'],
  ['add HOST:PORT', 'adds a server, with --route, --weight, --name and'],
  ['', '--backup as in the settings file'],
  ['remove NAME', 'removes a server; its requests finish'],
  ['bans', 'clients that a firewall has banned, and for how long;'],
  ['', '--client CIDR and --rule TEXT choose some of them'],
  ['unban ADDR', 'lifts a ban'],
  ['reload', 'reloads the settings file, as SIGHUP does'],
  ['upgrade', 'has the program that is on the disk now take over,'],
  ['', 'without a refused connection; if it is not ready'],
  ['', 'within --timeout (30s), the old one goes on'],
  ['    --admin ADDR', 'its address; by default that of the settings file,'],
  ['', 'or 127.0.0.1:9090. LB_ADMIN_TOKEN is the token'],
  ['    --json', 'the result of any of these as JSON'],
  ['healthcheck [port]', 'for health checks of containers: exits with 0 when it'],
  ['', 'is alive, with --ready when it takes requests'],
  ['completion bash|zsh', 'Tab completion: source <(lb completion bash)'],
];

const SIGNALS: readonly Row[] = [
  ['SIGTERM, Ctrl-C', 'finish what is in flight, then stop; again: at once'],
  ['SIGHUP', 'reload the settings; a bad file changes nothing.'],
  ['', 'Without a settings file (a terminal closes): stop'],
  ['SIGUSR2', 'reopen the access log file after it was moved away'],
];

const EXIT_CODES: readonly Row[] = [
  ['0', 'stopped after all requests finished; check passed;'],
  ['', 'explained'],
  ['1', 'a bad configuration, a failed test, a port that'],
  ['', 'cannot be bound, or requests that were cut'],
  ['2', 'a command line that makes no sense'],
];

/** The usage, without the program's name. */
export const USAGE: readonly string[] = [
  '[port] [server...] [options]',
  'init [-c FILE] [--listen ADDR] [server...]',
  'check [FILE]',
  "explain [-c FILE] METHOD URL\n      [-H 'Name: value']... [--ip A]",
];

export const SUMMARY = 'balances HTTP requests over several servers';

/** In the order of printing; examples come before the signals. */
export const SECTIONS = {
  arguments: { title: 'Arguments', rows: ARGUMENTS },
  balancing: { title: 'Balancing', rows: BALANCING },
  watching: { title: 'Watching', rows: WATCHING },
  firstSteps: { title: 'A settings file', rows: FIRST_STEPS },
  commands: { title: 'Commands', rows: COMMANDS },
  remote: { title: 'A running balancer', rows: REMOTE },
  output: { title: 'Output', rows: OUTPUT },
  signals: { title: 'Signals', rows: SIGNALS },
  exitCodes: { title: 'Exit codes', rows: EXIT_CODES },
} as const satisfies { readonly [name: string]: HelpSection };

export const EXAMPLES: readonly Example[] = [
  { what: 'try it: three demo servers are started', commands: ['8080'] },
  { what: 'balance over servers of your own', commands: ['8080 localhost:5001 localhost:5002'] },
  {
    what: 'check the health of servers at /healthz',
    commands: ['8080 app1:80 app2:80 --health-path /healthz'],
  },
  { what: 'the same with HTTPS, for development', commands: ['8443 localhost:5001 localhost:5002 --tls'] },
  { what: 'serve containers that have a label such as lb.host', commands: ['80 --docker'] },
  { what: 'write a settings file with comments', commands: ['init localhost:5001 localhost:5002'] },
  {
    what: 'check the file, and explain a request',
    commands: ['check', 'explain GET http://www.mango.com/v1?x=1'],
  },
  { what: 'drain a server, and wait until it is done', commands: ['drain localhost:5001 --wait'] },
  { what: 'settings from a file, requests as JSON', commands: ['-c lb.yaml --access-log json | jq .'] },
];

/** The page of `--help`, at most 80 columns wide. `program` is the command that started it. */
export function helpText(program: string, paint: Paint): string {
  const title = (text: string): string => paint.bold(text);
  const section = ({ title: name, rows }: HelpSection): string => `${title(name)}\n${table(rows, paint)}`;
  const usage = USAGE.map((words) => `  ${program} ${words}\n`).join('');
  const example = ({ what, commands }: Example): string =>
    `  ${paint.dim(`# ${what}`)}\n${commands.map((words) => `  ${program} ${words}\n`).join('')}`;
  const { arguments: operands, signals, exitCodes, ...middle } = SECTIONS;
  return [
    `${title('lb')} ${SUMMARY}.\n`,
    `${title('Usage')}\n${usage}\n${table(operands.rows, paint)}`,
    ...Object.values(middle).map(section),
    `${title('Examples')}\n${EXAMPLES.map(example).join('')}`,
    section(signals),
    section(exitCodes),
  ].join('\n');
}

function table(rows: readonly Row[], paint: Paint): string {
  return rows.map(([left, right]) => `  ${paint.cyan(left.padEnd(LEFT_WIDTH))}${right}\n`).join('');
}
