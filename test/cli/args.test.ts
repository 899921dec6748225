import t from 'tap';
import { parseArguments, type RunOptions } from '../../lib/cli/args.js';
import { NO_OPTIONS } from './no-options.js';

function options(words: string): RunOptions {
  const { command } = parseArguments(words === '' ? [] : words.split(' '));
  if (command.name !== 'run') throw new Error(`this is ${command.name}`);
  return command.options;
}

t.test('options that are not given are null', async (t) => {
  t.same(options(''), NO_OPTIONS);
});

t.test('a port and servers', async (t) => {
  t.same(options('8080 localhost:5001 [::1]:5002 unix:/run/app.sock'), {
    ...NO_OPTIONS,
    port: 8080,
    servers: ['localhost:5001', '[::1]:5002', 'unix:/run/app.sock'],
  });
  t.equal(options('0').port, 0, 'any free port');
});

t.test('options stand anywhere, short and long, with a space or an equals sign', async (t) => {
  const all = {
    ...NO_OPTIONS,
    port: 8080,
    servers: ['a:1'],
    configFile: 'x.yaml',
    algorithm: 'power_of_two',
    healthPath: '/up?deep=1',
    healthInterval: '500ms',
    accessLog: 'combined',
    accessLogFile: 'access.log',
    admin: '[::1]:9090',
    volume: 'verbose',
  };
  const health = '--health-path=/up?deep=1 --health-interval 500ms';
  const log = '--access-log combined --access-log-file access.log --admin [::1]:9090';
  t.same(options(`-c x.yaml 8080 ${health} a:1 ${log} -v -a power_of_two`), all);
  t.same(options(`--verbose --config=x.yaml ${log} 8080 a:1 ${health} --algorithm=power_of_two`), all);
});

t.test('help and version win over everything but nonsense', async (t) => {
  t.equal(parseArguments(['8080', '-h']).command.name, 'help');
  t.equal(parseArguments(['nonsense', '--help']).command.name, 'help');
  t.equal(parseArguments(['-V']).command.name, 'version');
  t.throws(() => parseArguments(['--help', '--nonsense']));
});

t.test('check and explain', async (t) => {
  const check = { configFile: null, json: false };
  t.same(parseArguments(['check']).command, { name: 'check', options: check });
  t.same(parseArguments(['--json', 'check', '-c', 'x.yaml']).command, {
    name: 'check',
    options: { configFile: 'x.yaml', json: true },
  });
  const asked = ['explain', 'GET', '/a', '-H', 'A: 1', '--ip', '::1', '-H', 'Host: b', '-H', 'C: 2'];
  t.same(parseArguments(asked).command, {
    name: 'explain',
    options: {
      ...check,
      ip: '::1',
      isVerbose: false,
      request: {
        scheme: null,
        method: 'GET',
        target: '/a',
        host: 'b',
        headers: [
          { name: 'A', value: '1' },
          { name: 'C', value: '2' },
        ],
      },
    },
  });
});

t.test('colour can be refused', async (t) => {
  t.equal(parseArguments([]).colour, true);
  t.equal(parseArguments(['--no-color']).colour, false);
});

t.test('arguments that make no sense are refused in one sentence', async (t) => {
  const cases: Record<string, RegExp> = {
    '--acess-log dev': /^unknown option --acess-log\. Did you mean --access-log\?$/,
    '-a least_conections': /^--algorithm "least_conections" is unknown\. Did you mean least_connections\?$/,
    '-a zzzz': /is unknown\. It is one of round_robin, least_connections, /,
    '-a hash': /^--algorithm hash needs a key: /,
    'check -a random': /^--algorithm is an option of lb, not of lb check\.$/,
    '--healthpath /': /^unknown option --healthpath\. Did you mean --health-path\?$/,
    '--zzz': /^unknown option --zzz\.$/,
    '-x': /^unknown option -x\.$/,
    '65536': /^65536 is not a port: ports go from 1 to 65535/,
    '-1': /^unknown option -1\.$/,
    '80a': /^"80a" is not a port\.$/,
    'maintenance --host a --host b': /^--host is given twice: lb maintenance takes one\.$/,
    frob: /^there is no command "frob"\.$/,
    stop: /^there is no command "stop"\. Ctrl-C or SIGTERM ends lb; lb drain NAME is for a server\.$/,
    restart: /^there is no command "restart"\. lb upgrade restarts it/,
    stats: /^there is no command "stats"\. lb status has the figures/,
    constructor: /^there is no command "constructor"\.$/,
    chekc: /^there is no command "chekc"\. Did you mean lb check\?$/,
    'drian mango-1': /^there is no command "drian"\. Did you mean lb drain\?$/,
    'wieght mango-1 3': /^there is no command "wieght"\. Did you mean lb weight\?$/,
    'check x.yaml y.yaml': /^"y\.yaml" is one too many: lb check takes one file\.$/,
    'certs -c x.yaml y.yaml': /^"y\.yaml" is one too many: lb certs takes one file\.$/,
    'check --ip 192.0.2.1': /^--ip is an option of lb explain, not of lb check\.$/,
    '8080 --json': /^--json is an option of lb check, not of lb\.$/,
    '8080 --ip 192.0.2.1': /^--ip is an option of lb explain, not of lb\.$/,
    explain: /^a method and a URL are needed: lb explain \[-c FILE\] GET http:\/\/www\.mango\.com\/v1\.$/,
    'explain GET / x': /^"x" is one too many: lb explain takes a method and a URL\.$/,
    'explain G?T /': /^expected a method such as GET, got "G\?T"\.$/,
    'healthcheck 80 81': /^"81" is one too many: lb healthcheck takes one port\.$/,
    drain: /^an argument is missing: lb drain NAME\.$/,
    'localhost:5001':
      /^"localhost:5001" is not a port\. The port to listen on comes first: 8080 localhost:5001\.$/,
    '8080 localhost': /^server "localhost": .*localhost:8080/,
    '8080 http://a:1/x': /^server "http:\/\/a:1\/x": .*Write http:\/\/a:1, without a path/,
    '8080 a:0': /^server "a:0": .*a port of its own/,
    '8080 a:70000': /^server "a:70000": /,
    '--health-path health': /^--health-path "health": a path starts with \//,
    '--health-interval fast': /^--health-interval: .*"fast"/,
    '--health-interval 5': /^--health-interval: .*"5"\. Write 5s or 5ms\./,
    '--health-interval 0s': /^--health-interval must be more than 0/,
    '--admin 127.0.0.1:http': /^--admin: .*"127\.0\.0\.1:http"/,
    '--access-log jsno': /^--access-log "jsno" is unknown\. Did you mean json\?$/,
    '--access-log xml': /^--access-log "xml" is unknown\. It is one of dev, combined, json, off\.$/,
    '-c': /^-c needs a value\.$/,
    '--config -q': /^--config needs a value\.$/,
    '--quiet=yes': /^--quiet takes no value\.$/,
    '-qv': /^-q and -v contradict each other\.$/,
  };
  for (const [words, message] of Object.entries(cases)) {
    t.throws(() => options(words), { message }, words);
    // The program puts its own name before each.
    t.notMatch(message.source, /^\^lb /, words);
  }
});

t.test('a command whose only argument is a file takes it without -c', async (t) => {
  for (const words of [
    'check x.yaml',
    'check -c x.yaml',
    'check etc/lb --json',
    'certs x.yaml',
    'certs -c x.yaml',
  ])
    t.match(
      parseArguments(words.split(' ')).command,
      { options: { configFile: words.includes('x.yaml') ? 'x.yaml' : 'etc/lb' } },
      words,
    );
});

t.test('a file where another command expects something else: what was meant is said', async (t) => {
  const cases: Record<string, readonly [message: RegExp, meant: string]> = {
    'lb.yaml': [/^"lb\.yaml" is not a port\.$/, '-c lb.yaml'],
    '8080 etc/lb.yml -v': [/^"etc\/lb\.yml" is not a server such as /, '8080 -c etc/lb.yml -v'],
    'run lb.yaml': [/^run is no command: lb starts without one\.$/, '-c lb.yaml'],
    'start -c lb.yaml': [/^start is no command/, '-c lb.yaml'],
    'init lb.yaml': [/^"lb\.yaml" is not a server/, 'init -c lb.yaml'],
    'healthcheck lb.yaml': [/^"lb\.yaml" is not a port\.$/, 'healthcheck -c lb.yaml'],
    'status lb.yaml --json': [/^"lb\.yaml" is one too many: lb status\.$/, 'status -c lb.yaml --json'],
    'drain a lb.yaml': [/^"lb\.yaml" is one too many: lb drain NAME\.$/, 'drain a -c lb.yaml'],
    'explain lb.yaml http://a/': [/^"lb\.yaml" is not a method\.$/, 'explain -c lb.yaml GET http://a/'],
    'explain lb.yaml POST http://a/x.json': [/^"lb\.yaml" is not/, 'explain -c lb.yaml POST http://a/x.json'],
    'explain http://a/': [/^a method and a URL are needed: /, 'explain GET http://a/'],
    // Nobody can tell which of the two.
    'status a.yaml b.yaml': [/^"a\.yaml" is one too many/, ''],
    'status -c a.yaml b.yaml': [/^"b\.yaml" is one too many/, ''],
    'explain lb.yaml': [/^a method and a URL are needed: lb explain \[-c FILE\]/, ''],
  };
  for (const [words, [message, meant]] of Object.entries(cases))
    t.throws(() => options(words), { message, meant }, words);
  t.throws(
    () => options('-- lb.yaml'),
    { message: /is not a port/, meant: '' },
    'after -- there are no options',
  );
  t.throws(() => parseArguments(['my lb.yaml']), { message: /is not a port/, meant: "-c 'my lb.yaml'" });
});
