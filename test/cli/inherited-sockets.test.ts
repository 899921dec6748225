import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { parseAddress } from '../../lib/base/address.js';
import { InheritedSockets, socketsOfServiceManager } from '../../lib/net/inherited-sockets.js';
import { holdSocket } from '../support/held-sockets.js';
import { until } from '../support/loop-ticks.js';
import { get, start } from './program.js';

const address = (text: string) => parseAddress(text, { defaultHost: '' });

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function overUnix(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.on('error', reject).on('close', () => resolve(text));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  });
}

/** The sockets that a process has open, as `socket:[NUMBER]`. */
function socketsOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

t.test(
  'the variables of the protocol are for the process that LISTEN_PID names, and are removed',
  async (t) => {
    const { descriptor } = await holdSocket(t, '127.0.0.1');
    const env = { LISTEN_PID: '42', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', PATH: '/bin' };
    t.same(socketsOfServiceManager(env, 43), []);
    t.same(env, { PATH: '/bin' });
    for (const count of ['', '-1', 'x', '1e3'])
      t.same(socketsOfServiceManager({ LISTEN_PID: '42', LISTEN_FDS: count }, 42), [], count);
    t.ok(descriptor > 2);
  },
);

t.test('each of several sockets with one address is given to one listener', async (t) => {
  const socket = { name: '', wanted: null, ownsFile: false, isHeld: true };
  const boundTo = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const;
  const sockets = new InheritedSockets([
    { ...socket, descriptor: 1003, boundTo },
    { ...socket, descriptor: 1004, boundTo: { ...boundTo, host: '::1' } },
    { ...socket, descriptor: 1005, boundTo },
    { ...socket, descriptor: 1006, boundTo: { ...boundTo, host: '::' } },
    { ...socket, descriptor: 1007, boundTo: null, wanted: '127.0.0.1:0' },
  ]);
  const taken = async (text: string) => (await sockets.take(address(text)))?.descriptor;
  t.equal(await taken('127.0.0.1:80'), 1003);
  t.equal(await taken('127.0.0.1:80'), 1005);
  t.equal(await taken('127.0.0.1:80'), undefined);
  t.equal(await taken('0.0.0.0:80'), undefined, 'another socket than that of both families');
  t.equal(await taken('80'), 1006);
  t.equal(await taken('[0:0:0:0:0:0:0:1]:80'), 1004);
  t.equal(await taken('127.0.0.1:0'), 1007, 'as configured');
});

t.test('a listener whose port an inherited socket has on another interface says so', async (t) => {
  const { descriptor, port } = await holdSocket(t, '127.0.0.1');
  const program = start(t, [String(port), '127.0.0.1:9', '--no-color'], { descriptors: [descriptor] });
  t.equal(await program.end(), 1);
  t.equal(
    program.stderr,
    `lb: port ${port} belongs to the inherited socket 127.0.0.1:${port}, and the listener wants ${port}: give both the same address.\n`,
  );
});

for (const sockets of ['fast', 'documented'])
  t.test(`listeners take the sockets of a service manager, with ${sockets} sockets`, async (t) => {
    const server = await startFixtureServer({ name: 'a' });
    t.teardown(() => server.close());
    const directory = folder(t);
    const path = join(directory, 's');
    const [admin, four, six, unix, other] = await Promise.all(
      ['127.0.0.1', '127.0.0.1', '::1', path, '127.0.0.1'].map((host) => holdSocket(t, host)),
    );
    const file = join(directory, 'lb.yaml');
    const settings = (listen: unknown) =>
      writeFileSync(
        file,
        JSON.stringify({
          listen,
          admin: `127.0.0.1:${admin!.port}`,
          health_check: false,
          servers: [server.address],
        }),
      );
    const six1 = `[::1]:${six!.port}`;
    settings([`localhost:${four!.port}`, six1, `unix:${path}`, '127.0.0.1:0']);
    const program = start(t, ['-c', file], {
      env: { LB_SOCKETS: sockets },
      descriptors: [unix, other, six, admin, four].map((socket) => socket!.descriptor),
      descriptorNames: ['unix', 'other', 'six', 'admin', 'four'],
    });
    await program.onStderr(/stop +Ctrl-C/);
    t.match(
      program.stderr,
      new RegExp(
        `inherited socket 127.0.0.1:${other!.port} \\(other\\) belongs to no listener and is closed`,
      ),
    );
    t.equal((await get(`http://127.0.0.1:${four!.port}/`)).status, 200);
    t.equal((await get(`http://${six1}/`)).status, 200);
    t.match(await overUnix(path), /^HTTP\/1.1 200 /);
    t.equal((await get(`http://127.0.0.1:${admin!.port}/livez`)).status, 200);

    const queues = execFileSync('ss', ['-ltnH', `sport = :${four!.port}`], { encoding: 'utf8' });
    t.match(queues, /^LISTEN +0 +4096 /, 'as many connections may wait as on a socket of its own');

    const own = (socket: typeof six) => readlinkSync(`/proc/self/fd/${socket!.descriptor}`);
    const pid = program.child.pid ?? 0;
    t.ok(socketsOf(pid).includes(own(six)));
    t.notOk(socketsOf(pid).includes(own(other)), 'closed');
    settings([`localhost:${four!.port}`]);
    program.child.kill('SIGHUP');
    await program.onStderr(/reloaded/);
    await until(() => !socketsOf(pid).includes(own(six)) && !socketsOf(pid).includes(own(unix)));
    t.equal((await get(`http://127.0.0.1:${four!.port}/`)).status, 200);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
    t.ok(readdirSync(directory).includes('s'), 'the file of the socket belongs to the service manager');
  });
