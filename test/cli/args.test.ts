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
    'check -a random': /^lb check takes no --algorithm, lb does\./,
    '--healthpath /': /^unknown option --healthpath\. Did you mean --health-path\?$/,
    '--zzz': /^unknown option --zzz\.$/,
    '-x': /^unknown option -x\.$/,
    '65536': /^65536 is not a port: ports go from 1 to 65535/,
    '-1': /^unknown option -1\.$/,
    '80a': /^"80a" is not a port\.$/,
    chekc: /^"chekc" is not a port\. Did you mean lb check\?$/,
    'check x.yaml': /^lb check takes no "x\.yaml": name the file with -c\.$/,
    'check --ip 192.0.2.1': /^lb check takes no --ip, lb explain does\.$/,
    '8080 --json': /^lb takes no --json, lb check does\.$/,
    '8080 --ip 192.0.2.1': /^lb takes no --ip, lb explain does\.$/,
    'explain GET / x': /^lb explain takes one method and one URL, not "x" too\.$/,
    'localhost:5001':
      /^"localhost:5001" is not a port\. The port to listen on comes first: 8080 localhost:5001\.$/,
    '8080 localhost': /^server "localhost": .*localhost:8080/,
    '8080 http://a:1/x': /^server "http:\/\/a:1\/x": .*Write http:\/\/a:1, without a path/,
    '8080 a:0': /^server "a:0": .*a port of its own/,
    '8080 a:70000': /^server "a:70000": /,
    '--health-path health': /^--health-path "health": a path starts with \//,
    '--health-interval fast': /^--health-interval: .*"fast"/,
    '--health-interval 5': /^--health-interval: .*"5"\. Write 5s or 5ms\./,
    '--health-interval 0s': /^--health-interval: /,
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
  }
});
