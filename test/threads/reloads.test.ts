import { type AddressInfo, createConnection, createServer } from 'node:net';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { hangAll, makeThrow, runningWorkers, startHangable, startSlowly } from '../support/worker-threads.js';
import { threadsEnded } from './load.js';

t.setTimeout(120_000);

const SETTINGS = { health_check: false, passive_health: false } as const;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}

async function untilListening(port: number): Promise<void> {
  let is = false;
  await until(() => {
    void isListening(port).then((now) => {
      is ||= now;
    });
    return is;
  });
}

t.test('a thread leaves no listener open for a configuration that was given up', THREADS, async (t) => {
  startSlowly(true);
  t.teardown(() => startSlowly(false));
  const [a] = await namedOrigins(t, 'a');
  const { balancer, seen } = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  const port = await freePort();
  const reload = balancer.reload(
    createConfig({ ...SETTINGS, servers: [a!.address], listen: ['127.0.0.1:0', `127.0.0.1:${port}`] }),
  );
  const refused = t.rejects(reload, /thread 1 has ended/);
  await untilListening(port);
  makeThrow(runningWorkers()[0]!);
  await refused;
  await until(() => threadsEnded(seen).length === 1);
  // What is left of the half second in the other thread.
  await new Promise((resolve) => setTimeout(resolve, 700));
  t.notOk(await isListening(port));
});

t.test('a reload while all threads are replaced is followed by all', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const { balancer, seen } = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  const port = await freePort();
  for (const worker of runningWorkers()) makeThrow(worker);
  await until(() => threadsEnded(seen).length === 2);
  await balancer.reload(createConfig({ ...SETTINGS, servers: [a!.address], listen: `127.0.0.1:${port}` }));
  t.same(
    balancer.addresses.map(({ text }) => text),
    [`127.0.0.1:${port}`],
  );
  await untilListening(port);
  // Those that begin now have the configuration from their start.
  for (const worker of runningWorkers()) makeThrow(worker);
  await until(() => threadsEnded(seen).length === 4);
  await untilListening(port);
});

t.test('a port that the system chooses while no thread is open is one for all', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const { balancer, seen } = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  for (const worker of runningWorkers()) makeThrow(worker);
  await until(() => threadsEnded(seen).length === 2);
  await balancer.reload(createConfig({ ...SETTINGS, servers: [a!.address], listen: 'localhost:0' }));
  const [address] = balancer.addresses;
  const port = address?.kind === 'tcp' ? address.port : 0;
  t.ok(port > 0);
  t.equal(address?.text, `localhost:${port}`);
  await untilListening(port);
  await until(() => runningWorkers().length === 2);
  // With either thread alone it is the same port.
  const before = runningWorkers();
  makeThrow(before[0]!);
  await until(() => threadsEnded(seen).length === 3);
  await untilListening(port);
  await until(() => runningWorkers().length === 2);
  makeThrow(before[1]!);
  await until(() => threadsEnded(seen).length === 4);
  await untilListening(port);
  t.same(
    seen.warnings.filter((line) => line.includes('cannot listen')),
    [],
  );
});

t.test('a thread that hangs is ended by a reload, which is refused', THREADS, async (t) => {
  startHangable(true);
  t.teardown(() => startHangable(false));
  const [a] = await namedOrigins(t, 'a');
  const { balancer, seen, port } = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  const next = createConfig({ ...SETTINGS, servers: [a!.address], listen: '127.0.0.1:0', via: true });
  await hangAll();
  await t.rejects(balancer.reload(next), /thread \d has ended/);
  await until(() => threadsEnded(seen).length === 2);
  await balancer.reload(next);
  await untilListening(port);
});
