import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { AdminDeps } from '../../../lib/admin/admin-target.js';
import { parseArguments } from '../../../lib/cli/args.js';
import { createPaint } from '../../../lib/cli/paint.js';
import { eventText } from '../../../lib/cli/remote/event-text.js';
import { remote } from '../../../lib/cli/remote/remote.js';
import { Terminal } from '../../../lib/cli/terminal.js';
import type { AdminSettings } from '../../../lib/config/settings.js';
import { FakeSubject } from '../../admin/fake-subject.js';
import { openAdmin } from '../../admin/support.js';
import { recordOf } from '../../observe/record.js';
import { until } from '../../support/loop-ticks.js';
import { MemoryStream } from '../support.js';

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Stage {
  readonly subject: FakeSubject;
  readonly port: number;
  /** Runs a command line against it. `onPause` is called in place of waiting. */
  lb(
    words: string,
    options?: {
      env?: NodeJS.ProcessEnv;
      onPause?: () => void;
      tty?: boolean;
      signals?: EventEmitter;
      output?: MemoryStream;
    },
  ): Promise<Said>;
}

async function stage(
  t: Test,
  options: { settings?: AdminSettings; services?: Partial<AdminDeps> } = {},
): Promise<Stage> {
  const subject = new FakeSubject();
  const { port } = await openAdmin(t, subject, options);
  return { subject, port, lb: (words, how) => run(`${words} --admin 127.0.0.1:${port}`, how) };
}

async function run(
  words: string,
  {
    env = {},
    onPause = () => {},
    tty = false,
    signals = new EventEmitter(),
    output = new MemoryStream(tty),
  } = {},
): Promise<Said> {
  const { command } = parseArguments(words.split(' '));
  if (command.name !== 'remote') throw new Error(`this is ${command.name}`);
  const [stdout, stderr] = [output, new MemoryStream(tty)];
  const keyboard = Object.assign(new EventEmitter(), { resume: () => {}, pause: () => {} });
  const appearance = { colour: false, env: {} };
  const code = await remote(command.options, {
    stdout: new Terminal(stdout, appearance),
    stderr: new Terminal(stderr, appearance),
    keyboard,
    signals,
    env,
    exists: () => false,
    pause: async () => onPause(),
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

t.test('lb bans shows the time left of each ban, and lb unban lifts one', async (t) => {
  const { lb, subject } = await stage(t);
  t.same(await lb('bans'), { code: 0, stdout: 'No client is banned.\n', stderr: '' });
  subject.banned = ['192.0.2.7', '2001:db8::/64'];
  const { stdout } = await lb('bans');
  t.match(stdout, /^CLIENT +LEFT +UNTIL +BY\n192\.0\.2\.7 +1 min +\S+ +firewall_rules\n2001:db8::\/64 /);
  t.match(JSON.parse((await lb('bans --json')).stdout), { total: 2, bans: [{ client: '192.0.2.7' }, {}] });
  t.same(await lb('unban 2001:db8::/64'), {
    code: 0,
    stdout: '2001:db8::/64 is let in again; it was banned by firewall_rules.\n',
    stderr: '',
  });
  t.same(subject.banned, ['192.0.2.7']);
  t.match((await lb('bans --client 192.0.2.0/24 --rule firewall')).stdout, '192.0.2.7');
  t.equal((await lb('bans --client 10.0.0.0/8')).stdout, 'No client is banned.\n');
  t.equal((await lb('bans --rule shop')).stdout, 'No client is banned.\n');
  t.match(await lb('unban 192.0.2.99'), { code: 1, stderr: 'lb: 192.0.2.99 is not banned.\n' });
  t.match(JSON.parse((await lb('unban 192.0.2.7 --json')).stdout), { rules: ['firewall_rules'] });
});

t.test('status says what it is doing, within 80 columns', async (t) => {
  const { lb, subject } = await stage(t);
  const { code, stdout } = await lb('status', { tty: true });
  t.equal(code, 0);
  t.match(stdout, /^lb 1\.2\.3 is running as edge-1, up 5 s, pid 42\n/);
  t.match(stdout, /12 requests {2}2xx 92 % {2}5xx 8 % {2}1 in flight, 3 clients\n/);
  t.match(stdout, /\ndefault +2 of 2 +.*12 .*round_robin/);
  t.match(stdout, /\n {2}apple +up +5 s +1 +1 /);
  t.match(stdout, 'failed: connect_refused 1\n');
  t.match(stdout, 'refused by firewall_rules: ip_reject 2\n');
  t.match(stdout, 'not in the file: weight of big: 5 (file: 3)\n');
  for (const line of stdout.split('\n')) t.ok(line.length <= 80, line);
  subject.readyReasons = ['default has no usable server'];
  t.match(
    (await lb('status')).stdout,
    /is running as edge-1, not ready,[\s\S]*\nnot ready: default has no usable server\n/,
  );
});

t.test('status says why a server is out, and until when', async (t) => {
  const { lb, subject } = await stage(t);
  const [apple, banana] = subject.servers;
  apple!.state = 'down';
  apple!.why = 'refused';
  banana!.state = 'ejected';
  banana!.why = '3 failures in a row';
  banana!.until = 1_700_000_035_000;
  for (const command of ['status', 'servers']) {
    const { stdout } = await lb(command);
    t.match(stdout, /apple .*down .* refused\n/, command);
    t.match(stdout, /banana .*ejected .* 3 failures in a row, until \d\d:\d\d:55\n/, command);
  }
});

t.test('status and top show the threads of a balancer with several', async (t) => {
  const { lb, subject } = await stage(t);
  for (const command of ['status', 'top']) t.notMatch((await lb(command)).stdout, /thread/i, command);
  const thread = { requests: 1234, connections: 5, loopDelayMs: 1.5, since: 1_700_000_000_000, restarts: 0 };
  subject.threads = [
    { ...thread, number: 1, busy: 0.25 },
    { ...thread, number: 2, busy: 0.96, restarts: 2 },
  ];
  const { stdout } = await lb('status', { tty: true });
  t.match(stdout, /\nTHREAD +REQUESTS +CLIENTS +BUSY +LATE BY +UP +RESTARTS\n/);
  t.match(stdout, /\n +1 +1,234 +5 +25 % +1\.5 ms +5 s\n +2 +1,234 +5 +96 % +1\.5 ms +5 s +2\n/);
  for (const line of stdout.split('\n')) t.ok(line.length <= 80, line);
  t.match((await lb('top')).stdout, '2 threads  busy 25 % 96 %  late by 1.5 ms  2 restarts\n');
  subject.threads = Array.from({ length: 9 }, (_, index) => ({
    ...thread,
    number: index + 1,
    busy: index / 10,
  }));
  t.match((await lb('top')).stdout, '9 threads  busy 0 % to 80 %  late by 1.5 ms\n');
  t.match(JSON.parse((await lb('status --json')).stdout).threads[3], { number: 4, loop_delay_ms: 1.5 });
});

t.test('a route without a server and the errors of servers stand out in the status', async (t) => {
  const { lb, subject } = await stage(t);
  t.notMatch((await lb('status')).stdout, 'ERRORS');
  subject.downSince = 1_700_000_000_000;
  subject.errors = 1234;
  const { stdout } = await lb('status');
  t.match(stdout, /no server takes requests for default for 5 s \(apple up, banana up\)\n/);
  for (const command of ['status', 'servers', 'top'])
    t.match((await lb(command)).stdout, /ERRORS\/MIN[\s\S]*apple .* 1,234\b/, command);
  subject.servers.splice(0);
  t.match(
    (await lb('status')).stdout,
    /no server takes requests for default for 5 s \(no source has reported a server\)\n/,
  );
});

t.test('removing the last server of a route prints a warning', async (t) => {
  const { lb, subject } = await stage(t);
  subject.downSince = 1_700_000_000_000;
  const stderr =
    'warning: no server takes new requests for default now: they get 503, or wait if the route has hold.\n';
  subject.active = 0;
  for (const words of [
    'drain apple',
    'drain apple --wait',
    'maintenance apple',
    'weight apple 0',
    'remove apple',
  ])
    t.match(await lb(words), { code: 0, stderr }, words);
});

t.test('servers, as a table and for programs', async (t) => {
  const { lb } = await stage(t);
  t.match((await lb('servers')).stdout, /^SERVER +ADDRESS +STATE .*\napple .*\nbanana .*\n$/);
  const list = JSON.parse((await lb('servers --json')).stdout) as { name: string; last_check: object }[];
  t.same(
    list.map(({ name }) => name),
    ['apple', 'banana'],
  );
  t.equal((JSON.parse((await lb('status --json')).stdout) as { pid: number }).pid, 42);
});

t.test('a server is drained, taken back, put into maintenance', async (t) => {
  const { lb, subject } = await stage(t);
  t.same(await lb('drain apple'), {
    code: 0,
    stdout: 'apple drains: 1 request on it finishes. lb ready apple takes it back.\n',
    stderr: '',
  });
  t.equal(subject.servers[0]?.state, 'draining');
  subject.active = 0;
  subject.bound = 2;
  const told = 'nothing is left on it; 2 clients of the last 10 minutes are bound to it';
  t.match((await lb('drain apple')).stdout, `apple drains: ${told}. `);
  t.equal((await lb('ready apple')).stdout, 'apple is ready: up.\n');
  t.equal(subject.servers[0]?.state, 'up');
  t.match((await lb('maintenance localhost:5001')).stdout, /^apple is in maintenance: /);
  t.match(JSON.parse((await lb('ready apple --json')).stdout), { name: 'apple', state: 'up' });
});

t.test('a host is put into maintenance for a time, and opened again', async (t) => {
  const { lb, subject } = await stage(t);
  t.match(await lb('maintenance --host www.a.test --for 30m --allow 10.0.0.0/8 --allow ::1'), {
    code: 0,
    stdout:
      /^www\.a\.test is in maintenance for 30 min, until \S+: all but 10\.0\.0\.0\/8, ::1 get 503\.\nlb maintenance --host www\.a\.test --off ends it\.\n$/,
    stderr: '',
  });
  t.match(subject.maintained, [{ name: 'www.a.test', allow: ['10.0.0.0/8', '::1'] }]);
  const onScreen = await lb('maintenance --host a-host-with-a-long-name.test --for 30m', { tty: true });
  t.match(onScreen.stdout, /every\sclient gets 503\.\nlb maintenance /);
  for (const line of onScreen.stdout.split('\n')) t.ok(line.length <= 80, line);
  await lb('maintenance --host a-host-with-a-long-name.test --off');
  t.match(
    unwrapped((await lb('status', { tty: true })).stdout),
    /\nin maintenance: www\.a\.test until \S+, 30 min more, except for 10\.0\.0\.0\/8, ::1\n/,
  );
  t.match((await lb('maintenance --host *')).stdout, 'every host is in maintenance: every client gets 503.');
  t.same(await lb('maintenance --host * --off'), {
    code: 0,
    stdout: 'every host is served again.\n',
    stderr: '',
  });
  t.match(JSON.parse((await lb('maintenance --host www.a.test --off --json')).stdout), []);
  t.match(await lb('maintenance --host www.a.test --off'), {
    code: 1,
    stderr: 'lb: www.a.test is not in maintenance by an operator.\n',
  });
});

t.test('tail shows requests as they end, until a signal comes', async (t) => {
  const { lb, subject } = await stage(t);
  const watch = async (words: string, last: string) => {
    const [signals, output] = [new EventEmitter(), new MemoryStream(false)];
    await until(() => subject.readerCount === 0);
    const said = lb(words, { signals, output });
    await until(() => subject.readerCount > 0);
    subject.settle(recordOf({ host: 'a.test', target: '/one', status: 200, server: 'apple' }));
    subject.settle(recordOf({ host: 'b.test', target: '/two', status: 502, reason: 'connect_refused' }));
    await until(() => output.text.includes(last));
    signals.emit('SIGINT');
    return said;
  };
  const { code, stdout } = await watch('tail', '/two');
  t.equal(code, 0);
  t.match(stdout, /^\S+ {2}GET {5}a\.test\/one +200 {2}apple +[\d.]+ ms\n\S+ {2}GET {5}b\.test\/two +502 /);
  t.match(stdout, 'connect_refused: nothing listens at the address of the server');
  const lines = (await watch('tail --status 5xx --host b.test --json', '}')).stdout;
  t.match(JSON.parse(lines), { host: 'b.test', status: 502, reason: 'connect_refused' });
});

t.test('draining waits until nothing is left, and shows what is', async (t) => {
  const { lb, subject } = await stage(t);
  let looks = 0;
  const onPause = (): void => {
    looks++;
    if (looks === 2) subject.active = 0;
  };
  const { code, stdout, stderr } = await lb('drain apple --wait', { onPause });
  t.equal(code, 0);
  t.equal(stderr, 'apple drains: 1 request left\n', 'once for each number');
  t.match(stdout, /^apple is empty after [1-9]\d* m?s\.\n$/);
  t.equal(looks, 2);
});

t.test('draining ends when somebody else takes the server back, or away', async (t) => {
  const { lb, subject } = await stage(t);
  const back = await lb('drain apple --wait', { onPause: () => subject.setAvailability('apple', 'ready') });
  t.equal(back.code, 1);
  t.match(back.stderr, /lb: apple is up again: draining was cancelled\.\n$/);
  const gone = await lb('drain apple --wait', { onPause: () => subject.removeServer('apple') });
  t.equal(gone.code, 0);
});

t.test('weights, new servers and their end', async (t) => {
  const { lb, subject } = await stage(t);
  t.equal((await lb('weight banana 5')).stdout, 'banana has weight 5 now, 1 before.\n');
  t.match((await lb('weight banana 0')).stdout, /0 now, 5 before: it gets no new requests\.\n/);
  const added = await lb('add localhost:5003 --name cherry --weight 2 --route default');
  t.equal(added.stdout, 'cherry was added at localhost:5003 to default: unchecked.\n');
  t.match(subject.servers[2], { name: 'cherry', weight: 2 });
  t.equal((await lb('remove cherry')).stdout, 'cherry was removed: 1 request on it finishes.\n');
  t.equal(subject.servers.length, 2);
});

t.test('of a new server it is said what its first check found, or that it is not over', async (t) => {
  const { lb, subject } = await stage(t);
  const add = async (port: number) => (await lb(`add localhost:${port}`)).stdout;
  subject.newcomer = { state: 'up' };
  t.equal(await add(6001), 'localhost:6001 was added to default: up.\n');
  subject.newcomer = { state: 'down', why: 'refused' };
  t.equal(await add(6002), 'localhost:6002 was added to default: down (refused).\n');
  subject.newcomer = { state: 'up', isChecked: false };
  t.equal(
    await add(6003),
    'localhost:6003 was added to default: it gets requests, its first check is not over.\n',
  );
  for (const words of ['servers', 'status'])
    t.match((await lb(words)).stdout, /localhost:6003 .*checking/, words);
});

t.test('a time in an event is that of the clock', async (t) => {
  const reason = 'www.a.test until 2026-12-01T13:51:39.399Z';
  const text = eventText({ id: 1, at: 0, what: 'host_maintenance', server: '', reason }, createPaint(false));
  t.match(text, / maintenance: www\.a\.test until \d\d:\d\d:39$/);
});

t.test('a refusal of the balancer is printed in one line with a remedy', async (t) => {
  const { lb } = await stage(t);
  t.same(await lb('drain aple'), {
    code: 1,
    stdout: '',
    stderr: 'lb: there is no server called "aple". Did you mean apple?\n',
  });
  t.match((await lb('add localhost:1 --route nowhere')).stderr, 'there is no route nowhere');
  const { code, stdout } = await lb('drain aple --json');
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { error: { code: 'unknown_server' } });
});

t.test('reload says what came of it, with every problem of the file', async (t) => {
  const good = await stage(t);
  t.same(await good.lb('reload'), { code: 0, stdout: 'reloaded lb.yaml\n', stderr: '' });
  const report = 'lb.yaml:2:1  severs: unknown key\n     2 | severs:\n';
  const reload = async () => ({ ok: false, message: 'lb.yaml has 1 problem', report });
  const bad = await stage(t, { services: { reload } });
  const { code, stderr } = await bad.lb('reload');
  t.equal(code, 1);
  t.ok(stderr.startsWith(report));
  t.match(stderr, /\nlb: lb\.yaml has 1 problem\. The previous settings stay in force\.\n$/);
});

t.test('a token is sent to a listener that requires one', async (t) => {
  const token = 'a-token-that-is-long-enough';
  const { lb } = await stage(t, { settings: { token } });
  const without = await lb('status');
  t.equal(without.code, 1);
  t.match(unwrapped(without.stderr), /requires its token\. Put it into LB_ADMIN_TOKEN, or .* -c\.\n$/);
  t.equal((await lb('status', { env: { LB_ADMIN_TOKEN: token } })).code, 0);
});

t.test('address and token are those of the settings file', async (t) => {
  const token = 'a-token-that-is-long-enough';
  const { port } = await stage(t, { settings: { token } });
  const folder = t.testdir({
    'lb.yaml': `servers: [localhost:1]\nadmin: { listen: 127.0.0.1:${port}, token: "\${TOKEN}" }\n`,
  });
  t.equal((await run(`status -c ${folder}/lb.yaml`, { env: { TOKEN: token } })).code, 0);
  const missing = await run(`status -c ${folder}/lb.yaml`);
  t.equal(missing.code, 1);
  t.match(
    unwrapped(missing.stderr),
    /lb\.yaml:2: the environment variable TOKEN is not set\. .* --admin HOST:PORT\.\n$/,
  );
  t.match((await run(`status -c ${folder}/none.yaml`)).stderr, /cannot read .*none\.yaml/);
});

t.test('an address without an answer, or with another program', async (t) => {
  const nobody = await run('status --admin 127.0.0.1:1');
  t.equal(nobody.code, 1);
  t.equal(
    unwrapped(nobody.stderr),
    'lb: no answer at 127.0.0.1:1. Is lb running, with --admin or admin: in its file?\n',
  );
  const folder = t.testdir({ 'lb.yaml': 'admin: 127.0.0.1:1\nservers: [127.0.0.1:2]\n' });
  t.match(
    unwrapped((await run(`status -c ${folder}/lb.yaml`)).stderr),
    /^lb: no answer at 127\.0\.0\.1:1\. .* Another address is set with --admin\.\n$/,
    'where the command line does not name it',
  );
  const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  t.match((await run(`status --admin ${port}`)).stderr, /what answers at 127\.0\.0\.1:\d+ is not lb\./);
});

t.test('top prints once where there is no screen', async (t) => {
  const { lb, subject } = await stage(t);
  const { code, stdout } = await lb('top');
  t.equal(code, 0);
  t.match(
    stdout,
    /^lb 1\.2\.3 edge-1 running for 5 s {2}127\.0\.0\.1:8080 \(https, PROXY protocol\)\n0 requests\/s .*\n1 in flight/,
  );
  t.match(stdout, /\nSERVER +ROUTE +STATE +REQ\/S.*\napple +default +up +0 +1 /);
  t.match(JSON.parse((await lb('top --json')).stdout), {
    requests_per_second: 0,
    servers: [{ name: 'apple' }, {}],
  });
  subject.readyReasons = ['default has no usable server'];
  t.match((await lb('top')).stdout, /^lb 1\.2\.3 edge-1 running for 5 s, not ready {2}/);
});

t.test('a server with nothing on it is drained at once', async (t) => {
  const { lb, subject } = await stage(t);
  subject.active = 0;
  t.equal((await lb('drain apple --wait')).stdout, 'apple is empty: nothing was on it.\n');
});

/** The text without the line breaks of a window of 80 columns. */
function unwrapped(text: string): string {
  return text.replace(/\n +/g, ' ');
}
