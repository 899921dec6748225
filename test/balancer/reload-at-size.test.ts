import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { processorTime } from '../../lib/base/processor-time.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';
import { threadTime } from '../support/thread-time.js';

t.setTimeout(240_000);

const THOUSANDS = 10_000;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Of processor time between two ticks of the event loop, collection of garbage included; at once it took 600 to 1,200. */
const TICK_MS = 120;

/** So many hosts beside a server for all others. */
function hostsBeside(address: string, count: number, shift = 0) {
  return createConfig({
    listen: '127.0.0.1:0',
    health_check: false,
    servers: [{ address, name: 'rest' }],
    hosts: Array.from({ length: count }, (_, index) => ({
      host: `h${index}.example`,
      servers: [`127.0.0.1:${10_000 + index}`, `127.0.0.2:${10_000 + index + shift}`],
    })),
  });
}

t.test('a reload of ten thousand hosts goes on beside the requests, none of which fails', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { balancer, connect } = await startBalancer(t, {
    servers: [{ address: server.address, name: 'rest' }],
    health_check: false,
  });
  const client = await connect();
  const ask = async (): Promise<number> => {
    client.send(GET);
    return (await client.response()).status;
  };
  for (const shift of [0, 1]) {
    const config = hostsBeside(server.address, THOUSANDS, shift);
    t.equal(await ask(), 200);
    let isOver = false;
    let longest = 0;
    let last = threadTime();
    const tick = (): void => {
      const now = threadTime();
      longest = Math.max(longest, now - last);
      last = now;
      if (!isOver) setImmediate(tick);
    };
    setImmediate(tick);
    const reload = balancer.reload(config).then(() => {
      isOver = true;
    });
    const statuses: number[] = [];
    while (!isOver) statuses.push(await ask());
    await reload;
    t.ok(statuses.length > 20, `${statuses.length} requests were answered meanwhile`);
    t.ok(statuses.every((status) => status === 200));
    t.ok(longest < TICK_MS, `the longest tick: ${longest.toFixed(1)} ms`);
    t.equal(balancer.serverNames.length, 1 + 2 * THOUSANDS);
  }
  t.equal(server.accepted, 1, 'over one connection, which each reload left alone');
});

t.test('what is changed while a reload is prepared holds after it', async (t) => {
  const { balancer } = await startBalancer(t, { servers: ['127.0.0.1:1'], health_check: false });
  await balancer.reload(hostsBeside('127.0.0.1:1', 2000));
  const reload = balancer.reload(hostsBeside('127.0.0.1:1', 2000, 1));
  const second = balancer.reload(hostsBeside('127.0.0.1:1', 2000, 2));
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  balancer.setWeight('127.0.0.1:10005', 7);
  balancer.setAvailability('127.0.0.1:10006', 'draining');
  balancer.addServer('h3.example', { address: '127.0.0.9:1', name: 'nine' });
  balancer.removeServer('127.0.0.1:10004');
  balancer.removeServer('127.0.0.2:10008');
  const holds = (): void => {
    t.match(balancer.serverStatus('127.0.0.1:10005'), { weight: 7 });
    t.match(balancer.serverStatus('127.0.0.1:10006'), { state: 'draining' });
    t.match(balancer.serverStatus('nine'), { routes: ['h3.example'], fromFile: false });
    t.equal(balancer.serverStatus('127.0.0.1:10004'), undefined);
  };
  holds();
  await reload;
  holds();
  t.match(balancer.serverStatus('127.0.0.2:10008'), { routes: ['h7.example'] }, 'it is in another route now');
  await second;
  holds();
  t.equal(balancer.status().servers.length, 1 + 2 * 2000 - 1 + 1, 'reloads follow one another');
});

t.test('a balancer that is stopped while a reload is prepared takes nothing over', async (t) => {
  const { balancer } = await startBalancer(t, { servers: ['127.0.0.1:1'], health_check: false });
  const reload = balancer.reload(hostsBeside('127.0.0.1:1', 3000));
  await new Promise((resolve) => setImmediate(resolve));
  balancer.stop();
  await t.rejects(reload, { code: 'ending' });
  t.equal(balancer.status().servers.length, 1);
});

// After the tests that measure ticks, in which the garbage of this one would be collected.

/** As many hosts, with the servers that `serversOf` gives each. */
function manyHosts(serversOf: (index: number) => string[], slowStart = '1s') {
  return createConfig({
    listen: '127.0.0.1:0',
    health_check: false,
    slow_start: slowStart,
    hosts: Array.from({ length: THOUSANDS }, (_, index) => ({
      host: `h${index}.example`,
      servers: serversOf(index),
    })),
  });
}

const shared = () => ['127.0.0.1:1', '127.0.0.1:2'];
const own = (index: number) => [`127.0.0.1:${10_000 + index}`, `127.0.0.2:${10_000 + index}`];

/**
 * Processor time, ms: far more than it takes, far less than it took while each of them went through all others: 15 s and more.
 * Each thread does what the main thread does.
 */
const MOMENT_MS = 6000 * (SWITCHED_WORKERS > 1 ? SWITCHED_WORKERS + 1 : 1);

t.test('ten thousand hosts are reloaded in a moment, whatever changes about their servers', async (t) => {
  const { balancer } = await startBalancer(t, { servers: ['127.0.0.1:1'], health_check: false });
  const steps = [
    { what: 'servers that all of them share', config: manyHosts(shared) },
    { what: 'two for each', config: manyHosts(own) },
    { what: 'other terms for each', config: manyHosts(own, '2s') },
  ];
  for (const { what, config } of steps) {
    const started = processorTime();
    await balancer.reload(config);
    const took = processorTime() - started;
    t.ok(took < MOMENT_MS, `${what}: ${Math.round(took)} ms`);
  }
});
