import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { upgradeObstacle } from '../../lib/cli/upgrade/upgrade.js';
import { canSharePorts } from '../../lib/threads/worker-choice.js';
import { Program } from '../cli/support.js';
import { holdSocket } from '../support/held-sockets.js';
import { FIXTURE_SERVER } from '../support/processes.js';
import { ended, ReplacedProgram } from '../support/replaced-program.js';
import { Load } from './load.js';
import { NewConnections } from './new-connections.js';

/**
 * By hand for longer: `node dist/test/resilience/upgrade.test.js --upgrades 20 --rate 500 --restart-rate 500`.
 * New connections for each second: as many as a machine takes that runs other tests meanwhile.
 */
const { values } = parseArgs({
  options: {
    upgrades: { type: 'string', default: '2' },
    rate: { type: 'string', default: '100' },
    'restart-rate': { type: 'string', default: '100' },
  },
  strict: false,
});
const UPGRADES = Number(values.upgrades);
const RATE = Number(values.rate);
/** What waits while a program restarts has to fit into the queue of 4096: at 500 a second it may take 8 s. */
const RESTART_RATE = Number(values['restart-rate']);
// Programs are started, which takes long while much else runs.
t.setTimeout(0);

/** A server in a process of its own, so that it is not held up by the clients of this one. */
async function serverFor(t: Test): Promise<string> {
  const server = new Program(['--name', 'a'], {}, FIXTURE_SERVER);
  t.teardown(() => server.kill());
  return server.onStderr(/listens on (\S+)/);
}

/** The port of the first listener. */
async function portOf(running: ReplacedProgram): Promise<number> {
  return Number(await running.program.onStderr(/curl http:\/\/\S+?:(\d+)/));
}

/** The inodes of the sockets of a process that listen on a port of 127.0.0.1, in order. */
function socketsListeningOn(port: number, pid: number): readonly string[] {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const table = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address === local && state === '0A')
    .map(([, , , , , , , , , inode = '']) => `socket:[${inode}]`);
  const own = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return table.filter((socket) => own.includes(socket)).sort();
}

t.test(
  `${UPGRADES} upgrades under ${RATE} new connections a second: none is refused, none fails`,
  { timeout: 0 },
  async (t) => {
    const server = await serverFor(t);
    const running = await ReplacedProgram.start(t, {
      listen: '127.0.0.1:0',
      health_check: false,
      servers: [server],
      // The first program has its WebSocket for as long as all the upgrades take.
      timeouts: { drain: '30m' },
    });
    const port = await portOf(running);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const first = running.pid;
    const coming = new NewConnections(port, RATE);
    t.teardown(() => coming.stop());
    const kept = new Load(port, { clients: 4, rest: 20 });
    const took: number[] = [];
    let before = first;
    for (let count = 0; count < UPGRADES; count++) {
      await coming.more(100);
      const since = performance.now();
      const { status, pid, error } = await running.upgrade();
      took.push(Math.round(performance.now() - since));
      t.same({ status, error }, { status: 200, error: undefined });
      t.not(pid, before);
      if (before !== first) await ended(before);
      before = pid ?? 0;
    }
    await coming.more(100);
    await Promise.all([coming.stop(), kept.stop()]);
    t.same(coming.failures.slice(0, 10), []);
    t.equal(kept.refused, 0);
    // A request that crosses with the end of its idle connection was never taken: RFC 9112, 9.5 has clients repeat it.
    t.same(
      kept.bad.filter(({ status }) => status !== 0),
      [],
      'kept connections are closed politely',
    );
    socket.send('still here');
    const answer = new Promise((resolve) => socket.once('message', resolve).once('close', resolve));
    t.equal(String(await answer), 'still here');
    t.equal(running.program.child.exitCode, null, 'the first process lives as long as its WebSocket');
    socket.close();
    t.equal(await running.firstCode(), 0);
    t.comment(
      `${coming.answered} answered at ${Math.round(coming.rate)}/s, ${kept.answered} on kept connections, ` +
        `${kept.bad.length} crossed; ms for each upgrade: ${took.join(' ')}`,
    );
    await running.stop();
  },
);

t.test(
  `${UPGRADES} restarts under ${RESTART_RATE} new connections a second of a program whose socket is held: none is refused, none fails`,
  { timeout: 0 },
  async (t) => {
    const [server, { descriptor, port }] = [await serverFor(t), await holdSocket(t, '127.0.0.1')];
    const launch = async (): Promise<Program> => {
      const program = new Program([String(port), server, '--access-log', 'off', '-c', file], {
        descriptors: [descriptor],
      });
      t.teardown(() => program.kill());
      await program.onStderr(/stop +Ctrl-C/);
      return program;
    };
    const file = join(t.testdir(), 'lb.yaml');
    writeFileSync(file, JSON.stringify({ listen: '127.0.0.1:1', health_check: false }));
    let program = await launch();
    const coming = new NewConnections(port, RESTART_RATE);
    t.teardown(() => coming.stop());
    const kept = new Load(port, { clients: 4, rest: 20 });
    for (let count = 0; count < UPGRADES; count++) {
      await coming.more(100);
      program.child.kill('SIGTERM');
      t.equal(await program.end(), 0);
      program = await launch();
    }
    await coming.more(100);
    await Promise.all([coming.stop(), kept.stop()]);
    t.same(coming.failures.slice(0, 10), []);
    t.equal(kept.refused, 0);
    t.same(
      kept.bad.filter(({ status }) => status !== 0),
      [],
    );
    t.comment(`${coming.answered} answered at ${Math.round(coming.rate)}/s, ${kept.bad.length} crossed`);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);

t.test(
  'with several threads each one hands its sockets to one of the new program',
  { skip: canSharePorts() ? false : 'this Node cannot share a port', timeout: 0 },
  async (t) => {
    const running = await ReplacedProgram.start(t, {
      listen: '127.0.0.1:0',
      workers: 3,
      health_check: false,
      servers: [await serverFor(t)],
    });
    const port = await portOf(running);
    const listening = (pid: number): readonly string[] => socketsListeningOn(port, pid);
    const before = listening(running.pid);
    t.equal(before.length, 3);
    const coming = new NewConnections(port, RATE);
    t.teardown(() => coming.stop());
    for (let count = 0; count < 2; count++) {
      await coming.more(100);
      const { pid: old } = running;
      t.match(await running.upgrade(), { status: 200 });
      t.same(listening(running.pid), before, 'the same sockets');
      await ended(old);
    }
    await coming.more(100);
    await coming.stop();
    t.same(coming.failures.slice(0, 10), []);
    t.notMatch(running.program.stderr, /one thread|belongs to no listener/);
    await running.stop();
  },
);

t.test('a Unix socket stays where it is, and the last program removes it', async (t) => {
  const running = await ReplacedProgram.start(t, { listen: ['127.0.0.1:0'], servers: [await serverFor(t)] });
  const path = join(running.directory, 's');
  const settings = { admin: '127.0.0.1:0', listen: [`unix:${path}`], servers: [await serverFor(t)] };
  writeFileSync(running.settings, JSON.stringify(settings));
  t.match(await running.ask('api/reload', 'POST'), { ok: true });
  const file = statSync(path);
  const coming = new NewConnections(path, 100);
  await coming.more(10);
  t.match(await running.upgrade(), { status: 200 });
  t.equal(await running.firstCode(), 0);
  await coming.more(10);
  await coming.stop();
  t.same(coming.failures.slice(0, 10), []);
  t.equal(statSync(path).ino, file.ino);
  await running.stop();
  t.notOk(existsSync(path));
});

t.test('what operators have changed goes over without a state file', async (t) => {
  const servers = [await serverFor(t), await serverFor(t)];
  const running = await ReplacedProgram.start(t, { listen: '127.0.0.1:0', servers });
  await running.ask(`api/servers/${servers[0]}`, 'PATCH', { weight: 7 });
  await running.ask(`api/servers/${servers[1]}`, 'PATCH', { state: 'drain' });
  t.match(await running.upgrade(), { status: 200 });
  t.match(await running.ask(`api/servers/${servers[0]}`), { weight: 7 });
  t.match(await running.ask(`api/servers/${servers[1]}`), { state: 'draining' });
  await running.stop();
});

t.test(
  'a new program that does not become ready leaves the old one at work, with the reason',
  { timeout: 0 },
  async (t) => {
    const server = await serverFor(t);
    const running = await ReplacedProgram.start(t, {
      listen: '127.0.0.1:0',
      health_check: false,
      servers: [server],
    });
    const port = await portOf(running);
    const coming = new NewConnections(port, 50);
    const { pid } = running;
    const refused = async (body?: object) => {
      await coming.more(20);
      const answer = await running.upgrade(body);
      return { ...answer, event: await running.lastEvent('upgrade_failed') };
    };

    running.replace('throw new Error("half written");\n');
    t.match(await refused(), {
      status: 422,
      error: { code: 'upgrade_failed', message: /cannot be loaded: .*exit code 1/, details: /half written/ },
      event: /half written/,
    });
    running.replace();

    const good = { admin: '127.0.0.1:0', listen: '127.0.0.1:0', health_check: false, servers: [server] };
    writeFileSync(running.settings, JSON.stringify({ ...good, timouts: {} }));
    t.match(await refused(), {
      status: 422,
      error: { message: /exit code 1/, details: /timouts: unknown key/ },
      event: /timouts/,
    });

    // It listens on all that it has got, and then fails at the last listener.
    writeFileSync(running.settings, JSON.stringify({ ...good, listen: ['127.0.0.1:0', '192.0.2.1:1'] }));
    t.match(await refused(), { status: 422, error: { details: /192\.0\.2\.1/ } });
    writeFileSync(running.settings, JSON.stringify(good));

    running.replace(
      'console.log("lb 9.9.9");\nif (!process.argv.includes("--version")) setInterval(() => {}, 1000);\n',
    );
    t.match(await refused({ timeout_ms: 300 }), {
      status: 422,
      error: { message: /not ready within 0\.3 s/ },
    });
    running.replace('console.log("lb 9.9.9");\nif (!process.argv.includes("--version")) process.abort();\n');
    t.match(await refused(), { status: 422, error: { message: /ended by SIGABRT/ } });
    t.match(await running.upgrade({ timeout: 1 }), { status: 400, error: { code: 'bad_value' } });

    t.equal(running.pid, pid);
    running.replace();
    const [one, other] = await Promise.all([running.upgrade(), running.upgrade()]);
    t.same([one.status, other.status].sort(), [200, 409], 'one at a time');
    t.equal(await running.firstCode(), 0);
    await coming.stop();
    t.same(coming.failures.slice(0, 10), []);
    t.ok(coming.answered > 100);
    await running.stop();
  },
);

t.test('no change is lost: reloads and operations wait until the new program serves', async (t) => {
  const server = await serverFor(t);
  const running = await ReplacedProgram.start(t, { listen: '127.0.0.1:0', servers: [server] });
  running.replace(
    'console.log("lb 9.9.9");\nif (!process.argv.includes("--version")) setInterval(() => {}, 1000);\n',
  );
  const upgrade = running.upgrade({ timeout_ms: 1000 });
  await running.program.onStderr(/upgrade: process \d+ is starting/);
  t.match(await running.ask(`api/servers/${server}`, 'PATCH', { weight: 3 }), {
    error: { code: 'upgrading' },
  });
  t.match(await running.ask('api/reload', 'POST'), { error: { details: /a new program is taking over/ } });
  t.match(await upgrade, { status: 422 });
  t.match(await running.ask(`api/servers/${server}`, 'PATCH', { weight: 3 }), { weight: 3 });
  await running.stop();
});

t.test('a program that is told to stop during an upgrade takes the new one with it', async (t) => {
  const running = await ReplacedProgram.start(t, { listen: '127.0.0.1:0', servers: [await serverFor(t)] });
  running.replace(
    'console.log("lb 9.9.9");\nif (!process.argv.includes("--version")) setInterval(() => {}, 1000);\n',
  );
  const upgrade = running.upgrade().catch(() => null);
  const pid = Number(await running.program.onStderr(/upgrade: process (\d+) is starting/));
  running.program.child.kill('SIGTERM');
  await running.firstCode();
  await ended(pid);
  await upgrade;
});

t.test('where the new program would end with the old one, none is started', async (t) => {
  t.match(upgradeObstacle({}, 1, 0), /process 1.*container/);
  t.match(upgradeObstacle({ SYSTEMD_EXEC_PID: '42' }, 42, 1), /Type=notify/);
  t.equal(upgradeObstacle({ SYSTEMD_EXEC_PID: '42', NOTIFY_SOCKET: '/run/n' }, 42, 7), null);
  t.equal(upgradeObstacle({ SYSTEMD_EXEC_PID: '41' }, 42, 7), null, 'a program that the service started');
});
