import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { until } from '../support/loop-ticks.js';
import { seeded } from '../support/random.js';
import { figuresOf, measureLine } from './line-delay.js';
import type { PoolOrder } from './pool-thread.js';
import { CountingServer, type EngineThread, startThreads } from './pool-threads.js';

// Worker threads of a busy machine take their time.
t.setTimeout(120_000);

const NEVER = (): number => Number.POSITIVE_INFINITY;
/** Requests that wait for a connection, in a test of their order. */
const IN_LINE = 24;

const endedOf = (threads: readonly EngineThread[]): number =>
  threads.reduce((sum, { ended }) => sum + ended.length, 0);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;

t.test('max_connections holds for all threads together, at every moment', async (t) => {
  const server = await CountingServer.start(t);
  const random = seeded(3);
  server.delay = () => 1 + Math.floor(random() * 4);
  const { threads, row } = await startThreads(t, 4, [server], { limits: { maxConnections: 8 } });
  // Threads take turns in having much to do.
  for (let round = 0; round < 10; round++) {
    for (const thread of threads) thread.tell({ what: 'keep', count: Math.floor(random() * 16) });
    await pause(100);
  }
  for (const thread of threads) thread.tell({ what: 'keep', count: 0 });
  await until(() => row.active === 0);
  t.equal(server.mostOpen, 8);
  t.equal(row.inLine, 0);
  t.equal(row.closing, 0);
  t.same(
    threads.flatMap(({ ended }) => ended.filter(({ failure }) => failure !== '')),
    [],
  );
  t.ok(endedOf(threads) > 50, `${endedOf(threads)} requests`);
});

t.test('unused connections of another thread give way to requests in line', async (t) => {
  const server = await CountingServer.start(t);
  const { threads, row } = await startThreads(t, 2, [server], { limits: { maxConnections: 4 } });
  const [one, other] = threads as [EngineThread, EngineThread];
  server.delay = NEVER;
  one.tell({ what: 'ask', count: 4, path: '/one' });
  await until(() => server.held === 4);
  while (server.held > 0) server.answer();
  await until(() => one.ended.length === 4);
  t.equal(row.idle, 4);
  other.tell({ what: 'ask', count: 3, path: '/other' });
  await until(() => server.held === 3);
  t.equal(server.mostOpen, 4);
  t.equal(row.idle, 1, 'no more than are needed');
});

t.test('the line moves within 10 ms of a release, in whatever thread its first request is', async (t) => {
  const server = await CountingServer.start(t);
  server.delay = NEVER;
  const { threads, row } = await startThreads(t, 4, [server], { limits: { maxConnections: 1 } });
  for (const [index, thread] of threads.entries()) {
    thread.tell({ what: 'ask', count: 3, path: `/${index}-` });
    await until(() => row.inLine === 3 * index + 2);
    // More than the tolerance, so that there is one right order.
    await pause(10);
  }
  const delays: number[] = [];
  const hops: number[] = [];
  for (let left = 12; left > 0; left--) {
    await until(() => server.held === 1);
    const before = performance.now();
    server.answer();
    await until(() => endedOf(threads) === 13 - left);
    hops.push(performance.now() - before);
    if (left > 1) await until(() => server.held === 1);
    delays.push(performance.now() - before);
  }
  const right = threads.flatMap((_, index) => [0, 1, 2].map((i) => `/${index}-${i}`));
  t.same(server.paths, right, 'in the order in which they came');
  t.equal(server.mostOpen, 1);
  // The message that a request has ended goes from one thread to another too: on a busy machine that takes long.
  const [delay, hop] = [median(delays), median(hops)];
  t.ok(delay < 10 + 4 * hop, `median ${delay} ms, and ${hop} ms for a message`);
});

t.test(
  '8 connections of 4 threads: at each release the line moves in order, and waits for no timer',
  async (t) => {
    const server = await CountingServer.start(t);
    server.delay = NEVER;
    // A clock that the test alone moves: what waited for a timer would wait for ever.
    const time = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
    time[0] = 1000;
    const { threads, row } = await startThreads(t, 4, [server], { limits: { maxConnections: 8 }, time });
    const random = seeded(5);
    const one = (): EngineThread => threads[Math.floor(random() * 4)] as EngineThread;
    for (let asked = 0; asked < 8; asked++) {
      one().tell({ what: 'ask', count: 1, path: `/first-${asked}-` });
      await until(() => server.held === asked + 1);
    }
    const line: string[] = [];
    for (let place = 0; place < IN_LINE; place++) {
      one().tell({ what: 'ask', count: 1, path: `/${place}-` });
      line.push(`/${place}-0`);
      await until(() => row.inLine === line.length);
      // Each has waited half as long again as the next one, at the least 10 ms more: beyond what is taken for the same time.
      time[0] += 10 * 1.5 ** (IN_LINE - place);
    }
    for (let served = 1; served <= IN_LINE; served++) {
      // The oldest request on one of 8 connections, of whatever thread.
      server.answer();
      await until(() => server.paths.length === 8 + served);
      t.equal(server.paths.at(-1), line[served - 1]);
    }
    t.equal(server.mostOpen, 8);
    t.equal(row.inLine, 0);
  },
);

t.test(
  '8 connections of 4 threads: the next request begins within 10 ms of a release, in any thread',
  async (t) => {
    const delays = await measureLine(t, 4);
    t.equal(delays.length, 96);
    for (const hasCrossed of [false, true]) {
      const some = delays.filter((delay) => delay.hasCrossed === hasCrossed);
      const { count, median, p99, most } = figuresOf(some);
      const of = hasCrossed ? 'after one of another thread' : 'after one of the same thread';
      t.comment(`${of}: ${count}, median ${median} ms, p99 ${p99}, most ${most}`);
      t.ok(count > 10);
      // A busy machine may have any single one wait.
      t.ok(median < 10, `${of}: ${median} ms`);
    }
  },
);

t.test('a request in line is served in turn while another thread never runs out of requests', async (t) => {
  const server = await CountingServer.start(t);
  server.delay = () => 2;
  for (const pipelining of [1, 4]) {
    const limits = { maxConnections: 2, pipelining };
    const { threads, row } = await startThreads(t, 2, [server], { limits });
    const [busy, other] = threads as [EngineThread, EngineThread];
    busy.tell({ what: 'keep', count: 20 });
    await until(() => row.open === 2 && busy.ended.length > 50);
    other.tell({ what: 'ask', count: 5, path: '/other' });
    await until(() => other.ended.length === 5);
    // 20 requests of 2 ms on 2 connections are a line of 20 ms.
    for (const { failure, waited } of other.ended) {
      t.equal(failure, '');
      t.ok(waited < 1000, `waited ${waited} ms with pipelining: ${pipelining}`);
    }
    busy.tell({ what: 'keep', count: 0 });
    await until(() => row.active === 0);
  }
});

t.test('max_waiting holds for all threads together', async (t) => {
  const server = await CountingServer.start(t);
  server.delay = NEVER;
  const limits = { maxConnections: 1, maxWaiting: 5 };
  const { threads, row } = await startThreads(t, 3, [server], { limits });
  for (const thread of threads) thread.tell({ what: 'ask', count: 4, path: '/' });
  await until(() => endedOf(threads) === 6);
  t.ok(threads.every(({ ended }) => ended.every(({ failure }) => failure === 'queue_full')));
  t.equal(row.inLine, 5);
});

t.test(
  'a thread that is terminated gives its connections and its places in line to the others',
  async (t) => {
    const server = await CountingServer.start(t);
    const random = seeded(11);
    server.delay = () => 1 + Math.floor(random() * 20);
    const limits = { maxConnections: 6 };
    const { threads, row, shared, start } = await startThreads(t, 3, [server], { limits });
    for (const thread of threads) thread.tell({ what: 'keep', count: 6 });
    for (let round = 0; round < 4; round++) {
      const victim = threads[round % 3] as EngineThread;
      await pause(20 + random() * 50);
      await victim.terminate();
      shared.reclaim(victim.number);
      const others = threads.filter((thread) => thread !== victim);
      const before = endedOf(others);
      await until(() => endedOf(others) > before + 10);
      const next = await start(victim.number);
      threads[round % 3] = next;
      next.tell({ what: 'keep', count: 6 });
      await until(() => next.ended.length > 10);
    }
    for (const thread of threads) thread.tell({ what: 'keep', count: 0 });
    await until(() => row.active === 0);
    t.ok(server.mostOpen <= 6, `${server.mostOpen} at most`);
    for (const thread of threads) {
      await thread.terminate();
      shared.reclaim(thread.number);
    }
    await until(() => server.open === 0);
    const { active, open, inLine, closing, idle } = row;
    t.same({ active, open, inLine, closing, idle }, { active: 0, open: 0, inLine: 0, closing: 0, idle: 0 });
  },
);

t.test('a half-open server gets one request at a time from all threads together', async (t) => {
  const [trial, other] = [await CountingServer.start(t), await CountingServer.start(t)];
  for (const server of [trial, other]) server.delay = () => 2;
  const { threads, rows } = await startThreads(t, 4, [trial, other], {});
  const tell = (order: PoolOrder): void => {
    for (const thread of threads) thread.tell(order);
  };
  tell({ what: 'half-open', server: 0, on: true });
  tell({ what: 'keep', count: 8 });
  await until(() => trial.paths.length > 50);
  t.equal(trial.mostActive, 1);
  t.ok(other.mostActive > 1);
  tell({ what: 'half-open', server: 0, on: false });
  await until(() => trial.mostActive > 1);
  tell({ what: 'keep', count: 0 });
  await until(() => rows.every(({ active }) => active === 0));
});

t.test('least connections spreads the requests of 4 threads as evenly as those of one', async (t) => {
  const unevenness = async (count: number): Promise<number> => {
    const servers = await Promise.all(Array.from({ length: 4 }, () => CountingServer.start(t)));
    const random = seeded(2);
    for (const server of servers) server.delay = () => 1 + Math.floor(random() * 30);
    const { threads, rows } = await startThreads(t, count, servers, { algorithm: 'least_connections' });
    for (const thread of threads) thread.tell({ what: 'keep', count: 32 / count });
    const loads = (): number[] => rows.map(({ active }) => active);
    await until(() => loads().reduce((sum, load) => sum + load) === 32);
    const differences: number[] = [];
    while (differences.length < 200) {
      const before = endedOf(threads);
      await until(() => endedOf(threads) > before);
      differences.push(Math.max(...loads()) - Math.min(...loads()));
    }
    for (const thread of threads) await thread.terminate();
    return differences.reduce((sum, difference) => sum + difference) / differences.length;
  };
  const [alone, together] = [await unevenness(1), await unevenness(4)];
  t.ok(together < alone + 1.5, `${together} between servers, and ${alone} with one thread`);
});
