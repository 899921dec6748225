import t from 'tap';
import { inSlices } from '../../lib/base/slices.js';
import type { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';
import { deadAddress } from '../support/origin.js';
import { events, sharedOf, startNodes, until, untilShared } from './nodes.js';
import { RedisServer, SlowLink, skipWithoutRedis } from './redis-server.js';

const skip = skipWithoutRedis;
const settings = { respond: { status: 200, body: 'served' } };

t.setTimeout(120_000);

/** A look at everything. */
const VIEW = {
  ...{ search: '', onlyWrong: false, offset: 0, route: null, server: null },
  ...{
    unfolded: new Set<string>(),
    folded: new Set<string>(),
    open: new Set<never>(),
    closed: new Set<never>(),
  },
};

/** Requests that follow each other on one connection. */
class SteadyLoad {
  readonly statuses: number[] = [];
  /** ms from sending to the answer. */
  readonly waits: number[] = [];
  readonly #done: Promise<void>;
  #isOver = false;

  constructor(client: RawClient) {
    this.#done = this.#run(client);
  }

  get count(): number {
    return this.waits.length;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(client: RawClient): Promise<void> {
    while (!this.#isOver) {
      const sent = performance.now();
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      this.statuses.push((await client.response()).status);
      this.waits.push(performance.now() - sent);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    client.destroy();
  }
}

await t.test('nodes know each other, and which of them has left', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const nodes = await startNodes(t, 3, redis.url, settings);
  await untilShared(nodes);
  const [first, second, third] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];
  const { nodes: known, node, prefix } = sharedOf(second.balancer);
  t.same(
    known.map(({ name, isSelf }) => [name, isSelf]),
    [
      ['node-1', false],
      ['node-2', true],
      ['node-3', false],
    ],
  );
  t.equal(node, 'node-2');
  t.equal(prefix, 'lb');
  const load = new SteadyLoad(await second.connect());
  await until('all have heard of its load', () => {
    const [one, two] = sharedOf(first.balancer).nodes;
    return (two?.rate ?? 0) > 5 && one?.rate === 0;
  });
  await load.stop();
  const { facts, tables } = await inSlices(first.balancer.views.open().readSteps(VIEW));
  t.strictSame(facts.shared, { state: 'shared', error: '' });
  t.match(tables.nodes, {
    total: 3,
    rows: [
      { id: 'node-1', isSelf: true, share: 0 },
      { id: 'node-2', isSelf: false, share: 1 },
      { id: 'node-3', isSelf: false, share: 0 },
    ],
  });
  const lost = events(first.balancer, 'shared_lost').length;
  third.balancer.stop();
  await until('the third has left', () => sharedOf(first.balancer).nodes.length === 2);
  t.equal(events(first.balancer, 'shared_lost').length, lost);
});

await t.test('another prefix is another fleet', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const [one] = await startNodes(t, 1, redis.url, settings, { prefix: 'one' });
  const [two] = await startNodes(t, 1, redis.url, settings, { prefix: 'two' });
  for (const node of [one, two]) if (node !== undefined) await untilShared([node]);
  t.match(redis.command('KEYS', '*').split('\n').sort(), ['one:members', 'two:members']);
});

/** What may happen to Redis, and how it ends. */
const TROUBLES: readonly {
  readonly name: string;
  readonly begin: (redis: RedisServer, link: SlowLink) => Promise<void> | void;
  readonly end: (redis: RedisServer, link: SlowLink) => Promise<void> | void;
  readonly says: RegExp;
}[] = [
  { name: 'killed', begin: (redis) => redis.kill(), end: (redis) => redis.restart(), says: /./ },
  { name: 'stopped', begin: (redis) => redis.freeze(), end: (redis) => redis.thaw(), says: /timed out/ },
  {
    name: 'slow by two seconds',
    begin: (_, link) => {
      link.delay = 2000;
    },
    end: (_, link) => link.hurry(),
    says: /timed out/,
  },
  {
    name: 'out of memory',
    begin: (redis) => void redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    end: (redis) => void redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    says: /OOM/,
  },
  {
    name: 'a replica that takes no writes',
    begin: (redis) => void redis.command('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => void redis.command('REPLICAOF', 'NO', 'ONE'),
    says: /READONLY|MASTERDOWN/,
  },
];

for (const { name, begin, end, says } of TROUBLES) {
  await t.test(`Redis is ${name}: requests go on, events say so, and it comes back`, { skip }, async (t) => {
    const redis = await RedisServer.start(t);
    const link = await SlowLink.open(t, redis.port);
    const firewall_rules = { rate_limit: { requests: 100_000, per: '1s' } };
    const [node] = await startNodes(t, 1, link.url, { ...settings, firewall_rules }, { timeout: '1s' });
    if (node === undefined) throw new Error('no node');
    await untilShared([node]);
    const load = new SteadyLoad(await node.connect());
    await begin(redis, link);
    await until('it is lost', () => sharedOf(node.balancer).state === 'lost');
    t.match(events(node.balancer, 'shared_lost'), [says]);
    t.match(sharedOf(node.balancer).error, /./);
    // One that waited for Redis would take a second and more.
    const before = load.count;
    await until('requests are answered meanwhile', () => load.count >= before + 50);
    await end(redis, link);
    const from = performance.now();
    await until('it is back', () => sharedOf(node.balancer).state === 'shared');
    const back = performance.now() - from;
    await load.stop();
    t.comment(`shared again after ${back.toFixed()} ms`);
    // Two, on a machine that has time; the rest is for one that has not.
    t.ok(back < 10_000, `shared again after ${back.toFixed()} ms`);
    t.equal(events(node.balancer, 'shared_recovered').length, 1);
    t.equal(sharedOf(node.balancer).error, '');
    t.strictSame([...new Set(load.statuses)], [200], 'no request fails');
    const waits = load.waits.slice(before).sort((one, other) => one - other);
    const median = waits[waits.length >> 1] as number;
    t.ok(median < 500, `no request waits: half of them take less than ${median.toFixed(1)} ms`);
  });
}

await t.test('a thread that was busy for longer than the timeout has not lost Redis', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  const link = await SlowLink.open(t, redis.port);
  // Mostly a question is under way.
  link.delay = 150;
  const [node] = await startNodes(t, 1, link.url, settings, { timeout: '3s' });
  if (node === undefined) throw new Error('no node');
  await untilShared([node]);
  // The link runs in this thread: while the thread is busy it would not even pass on a question.
  await until('one question is under way, and its answer is in the link', () => {
    const { commands, answers, errors } = sharedOf(node.balancer);
    return commands === answers + errors + 1 && link.waiting === 1;
  });
  const end = performance.now() + 3500;
  while (performance.now() < end);
  const before = sharedOf(node.balancer).answers;
  await until('Redis goes on answering', () => sharedOf(node.balancer).answers >= before + 5);
  t.strictSame(events(node.balancer, 'shared_lost'), []);
});

await t.test('a password that Redis refuses is reported, and requests go on', { skip }, async (t) => {
  const redis = await RedisServer.start(t, '--requirepass', 'right');
  const [node] = await startNodes(t, 1, redis.url, settings, { password: 'wrong' });
  if (node === undefined) throw new Error('no node');
  await until('it is lost', () => sharedOf(node.balancer).state === 'lost');
  t.match(events(node.balancer, 'shared_lost'), [
    /refuses the user or the password: correct shared\.user and shared\.password/,
  ]);
  const [other] = await startNodes(t, 1, redis.url, settings, { password: 'right' });
  if (other !== undefined) await untilShared([other]);
});

await t.test('a balancer starts while nobody listens where Redis should be', { skip }, async (t) => {
  const [node] = await startNodes(t, 1, `redis://${await deadAddress()}`, settings);
  if (node === undefined) throw new Error('no node');
  await until('it is lost', () => sharedOf(node.balancer).state === 'lost');
  t.match(events(node.balancer, 'shared_lost'), [/ECONNREFUSED/]);
});

nothingIsLeft(t);
