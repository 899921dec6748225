import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { Test } from 'tap';
import t from 'tap';
import { describe } from '../../lib/tls/acme-certificate.js';
import { AcmeFolder } from '../../lib/tls/acme-folder.js';
import type { ChallengeOffer } from '../../lib/tls/acme-protocol.js';
import type { AcmeCertificate } from '../../lib/tls/acme-source.js';
import type { AcmeStore } from '../../lib/tls/acme-store.js';
import { TestAuthority } from '../support/certificates.js';
import { JumpClock } from '../tls/acme-rig.js';
import { scratch } from '../tls/pebble.js';
import { AcmeNode, StoreUser } from './acme-nodes.js';
import { until } from './nodes.js';
import { type SentinelGroup, startCluster, startSentinelGroup } from './redis-groups.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

t.setTimeout(180_000);

const DAY = 24 * 60 * 60 * 1000;
const DIRECTORY = 'https://ca.example/dir';
const PLACE = 'lb:{acme}:ca.example%2Fdir';
const needsRedis = { skip: skipWithoutRedis };

const authority = await TestAuthority.create();

/** `age`: days since it was issued. */
async function certificateFor(names: readonly string[], days: number, age = 0): Promise<AcmeCertificate> {
  const dates = { notBefore: Date.now() - age * DAY, notAfter: Date.now() + days * DAY };
  return describe(await authority.issue({ names, ...dates }), false);
}

const accountKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

/** Two who share what is stored, and a way to have the first one end without a word. */
interface Pair {
  readonly one: AcmeStore;
  readonly other: AcmeStore;
  /** Ends the first one; what it held can be taken soon. */
  readonly abandon: () => void;
}

const KINDS: Record<string, (t: Test) => Promise<Pair>> = {
  'a folder': async (t) => {
    const root = scratch(t);
    const clock = new JumpClock();
    const open = (): AcmeStore => new AcmeFolder(root, DIRECTORY, { clock, warn: (text) => t.fail(text) });
    // A holder that is silent for two minutes counts as gone.
    return { one: open(), other: open(), abandon: () => clock.jump(121_000) };
  },
  Redis: async (t) => {
    const redis = await RedisServer.start(t);
    return nodesOf(t, redis, redis.url, {});
  },
  // With a user that may do what docs/fleet.md says.
  'a cluster of Redis': async (t) => {
    const servers = await startCluster(t);
    const rights = ['~lb:*', '+@read', '+@write', '+@scripting', '+@connection', '+time'];
    for (const server of servers)
      server.command('ACL', 'SETUSER', 'lb', 'on', '>s3cr3t', ...rights, '+cluster|slots', '+cluster|info');
    const urls = servers.map(({ url }) => url);
    return nodesOf(t, servers[0] as RedisServer, urls, { cluster: true, user: 'lb', password: 's3cr3t' });
  },
  'a Redis that sentinels tell of': async (t) => {
    const { primary, url, terms } = await sentinels(t);
    return nodesOf(t, primary, url, terms, '-a', terms.password);
  },
};

/** A group of sentinels, and what settings say of it. */
async function sentinels(
  t: Test,
): Promise<SentinelGroup & { url: string; terms: { sentinel: string; password: string } }> {
  const group = await startSentinelGroup(t, 's3cr3t', 's3ntin3l');
  const url = `redis://:s3ntin3l@127.0.0.1:${group.port}`;
  return { ...group, url, terms: { sentinel: 'main', password: 's3cr3t' } };
}

async function nodesOf(
  t: Test,
  redis: RedisServer,
  url: string | readonly string[],
  terms: object,
  ...access: string[]
): Promise<Pair> {
  const first = await AcmeNode.start(t, url, { terms });
  const second = await AcmeNode.start(t, url, { terms });
  const abandon = (): void => {
    first.stop();
    redis.command(...access, '-c', 'PEXPIRE', `${PLACE}:lock`, '1');
  };
  const user = new StoreUser();
  return { one: first.open(scratch(t), user), other: second.open(scratch(t), user), abandon };
}

for (const [kind, start] of Object.entries(KINDS)) {
  t.test(
    `${kind} keeps what one has written for the other`,
    kind === 'a folder' ? {} : needsRedis,
    async (t) => {
      const { one, other } = await start(t);
      await one.open();
      await other.open();
      t.equal(await other.readAccount(), null);
      const account = { key: accountKey, url: 'https://ca.example/account/1', email: 'ops@example.com' };
      await one.writeAccount(account);
      t.same(await other.readAccount(), account);
      t.ok(createPrivateKey((await other.readAccount())?.key ?? ''));

      const hosts = ['www.example.com', 'example.com'];
      t.equal(await other.readCertificate(hosts), null);
      const first = await certificateFor(hosts, 30);
      await one.writeCertificate(hosts, first);
      t.same((await other.readCertificate(hosts))?.cert, first.cert);
      t.same((await other.readCertificate(hosts))?.key.trim(), first.key.trim());
      t.equal(await other.readCertificate(['api.example.com']), null);
      const renewed = await certificateFor(hosts, 60);
      await other.writeCertificate(hosts, renewed);
      t.equal((await one.readCertificate(hosts))?.cert, renewed.cert);

      t.same([...(await one.readFailures())], []);
      const failure = { failures: 2, at: 1000, retryAt: 5000, error: 'refused', isRateLimit: true };
      await one.writeFailures(new Map([['www.example.com', failure]]));
      t.same([...(await other.readFailures())], [['www.example.com', failure]]);
      await other.writeFailures(new Map());
      t.same([...(await one.readFailures())], []);
      one.close();
      other.close();
    },
  );

  t.test(
    `with ${kind} one at a time orders, and another when it ends`,
    kind === 'a folder' ? {} : needsRedis,
    async (t) => {
      const { one, other, abandon } = await start(t);
      await one.open();
      await other.open();
      t.equal(await one.acquire(), 'held');
      t.equal(await one.acquire(), 'held', 'the holder may ask again');
      t.equal(await other.acquire(), 'taken');
      await other.release();
      t.equal(await other.acquire(), 'taken', 'nobody gives back what another one holds');
      await one.release();
      t.equal(await other.acquire(), 'held');
      await other.release();
      t.equal(await one.acquire(), 'held');
      abandon();
      await until('the lock of one that has ended is taken over', async () => {
        return (await other.acquire()) === 'held';
      });
      other.close();
    },
  );
}

const OFFER: ChallengeOffer = {
  host: 'www.example.com',
  token: 'token-1',
  keyAuthorization: 'token-1.key',
  pair: null,
};

t.test('a challenge is published when every other node answers it', needsRedis, async (t) => {
  const redis = await RedisServer.start(t);
  const nodes = [await AcmeNode.start(t, redis.url), await AcmeNode.start(t, redis.url)] as const;
  const users = [new StoreUser(), new StoreUser()] as const;
  const [one, other] = [nodes[0].open(scratch(t), users[0]), nodes[1].open(scratch(t), users[1])];
  await one.open();
  await other.open();
  await until('both look', () => redis.command('HLEN', `${PLACE}:nodes`) === '2');
  await t.rejects(one.publish([OFFER]), /lease to order has ended/, 'only who holds the lock orders');
  t.equal(await one.acquire(), 'held');
  let answer = (): void => {};
  users[1].hold = new Promise((resolve) => {
    answer = resolve;
  });
  const pair = await certificateFor(['b.example.com'], 1);
  const second = {
    ...OFFER,
    host: 'b.example.com',
    token: 'token-2',
    pair: { cert: pair.cert, key: pair.key },
  };
  let isPublished = false;
  const published = one.publish([OFFER, second]).then(() => {
    isPublished = true;
  });
  await until('it is in Redis', () => redis.command('HLEN', `${PLACE}:challenges`) === '2');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(isPublished, false, 'the other node does not answer yet');
  answer();
  await published;
  t.same(
    [...users[1].offers].sort((a, b) => (a.token < b.token ? -1 : 1)),
    [OFFER, second],
  );
  t.same(users[0].offers, [], 'its own are not told to itself');

  const later = new StoreUser();
  const third = await AcmeNode.start(t, redis.url);
  third.open(scratch(t), later);
  await until('one that starts later answers too', () => later.offers.length === 2);

  await one.withdraw([OFFER, second]);
  await until('none is answered any more', () => users[1].offers.length === 0 && later.offers.length === 0);
});

t.test('a challenge that nobody withdraws is forgotten after ten minutes', needsRedis, async (t) => {
  const redis = await RedisServer.start(t);
  const node = await AcmeNode.start(t, redis.url);
  const user = new StoreUser();
  node.open(scratch(t), user);
  const place = `${PLACE}:challenges`;
  const text = JSON.stringify(OFFER);
  redis.command('HSET', place, 'a token', `${Date.now() - 540_000} gone ${text}`);
  redis.command('HSET', place, 'a damaged one', `${Date.now()} gone {}`);
  redis.command('SET', `${PLACE}:version`, `${Date.now()}`);
  await until('it is answered', () => user.offers.length === 1);
  t.match(user.warnings, [/a challenge in Redis cannot be understood: it has no host/]);
  redis.command('HSET', place, 'a token', `${Date.now() - 601_000} gone ${text}`);
  redis.command('HDEL', place, 'a damaged one');
  await until('it is forgotten', () => user.offers.length === 0);
  t.equal(redis.command('HLEN', place), '0');
});

t.test(
  'the lease is extended while a node orders, and nobody takes what it has lost',
  needsRedis,
  async (t) => {
    const redis = await RedisServer.start(t);
    const clock = new JumpClock();
    const node = await AcmeNode.start(t, redis.url, { clock, node: 'apple' });
    const store = node.open(scratch(t), new StoreUser());
    await store.open();
    const lock = `${PLACE}:lock`;
    t.equal(await store.acquire(), 'held');
    t.match(redis.command('GET', lock), /^[0-9a-f]{24} apple$/);
    redis.command('PEXPIRE', lock, '9000');
    store.refresh();
    await store.readFailures();
    t.ok(Number(redis.command('PTTL', lock)) <= 9000, 'not before a third of its time');
    clock.jump(10_001);
    store.refresh();
    await until('it is extended', () => Number(redis.command('PTTL', lock)) > 20_000);

    redis.command('SET', lock, 'another one');
    clock.jump(10_001);
    store.refresh();
    await until('the loss is noticed', async () =>
      store.publish([]).then(
        () => false,
        () => true,
      ),
    );
    await store.release();
    t.equal(redis.command('GET', lock), 'another one', 'what another one holds is not given back');
    t.equal(await store.acquire(), 'taken');
  },
);

t.test(
  'a certificate that was issued later stays, and all nodes hear of a new one',
  needsRedis,
  async (t) => {
    const redis = await RedisServer.start(t);
    const [one, other] = [await AcmeNode.start(t, redis.url), await AcmeNode.start(t, redis.url)];
    const hosts = ['www.example.com', 'example.com'];
    const user = new StoreUser(['example.com', 'www.example.com'], ['api.example.com']);
    const folders = [scratch(t), scratch(t)] as const;
    const writer = one.open(folders[0], new StoreUser());
    const reader = other.open(folders[1], user);
    await writer.open();
    await reader.open();
    await until('it has looked', () => user.news.length === 2);
    const late = await certificateFor(hosts, 30, 5);
    await writer.writeCertificate(hosts, late);
    await until('it hears of it, in whatever order the names are', () => user.news.length === 3);
    t.equal(user.news[2], 'example.com www.example.com');
    await writer.writeCertificate(hosts, await certificateFor(hosts, 60, 6));
    const sorted = ['example.com', 'www.example.com'];
    t.equal((await reader.readCertificate(sorted))?.cert, late.cert, 'though the other one expires later');
    t.equal((await writer.readCertificate(hosts))?.cert, late.cert);
    const shorter = await certificateFor(hosts, 7);
    await writer.writeCertificate(hosts, shorter);
    t.equal((await reader.readCertificate(sorted))?.cert, shorter.cert, 'lives may become shorter');
    // A copy that was issued later than what is in Redis.
    const key = redis.command('KEYS', '*:certificate:*');
    redis.command('SET', key, `${late.notAfter} ${late.cert}${late.key}`, 'PX', '60000');
    t.equal((await writer.readCertificate(hosts))?.cert, shorter.cert);
    t.match(redis.command('GET', key), new RegExp(`^${shorter.notBefore} ${shorter.notAfter} `));
    const keys = redis.command('KEYS', '*').split('\n');
    t.ok(keys.length >= 4);
    for (const key of keys) t.ok(Number(redis.command('PTTL', key)) > 0, `${key} expires`);
  },
);

t.test('copies serve while Redis is away, and fill one that has lost everything', needsRedis, async (t) => {
  const redis = await RedisServer.start(t);
  const node = await AcmeNode.start(t, redis.url);
  const folder = scratch(t);
  const user = new StoreUser(['www.example.com']);
  const store = node.open(folder, user);
  await store.open();
  const account = { key: accountKey, url: 'https://ca.example/account/1', email: null };
  const certificate = await certificateFor(['www.example.com'], 30);
  t.equal(await store.acquire(), 'held');
  await store.writeAccount(account);
  await store.writeCertificate(['www.example.com'], certificate);
  await store.release();

  redis.command('CONFIG', 'SET', 'maxmemory', '1');
  const newer = await certificateFor(['www.example.com'], 40);
  await t.rejects(store.writeCertificate(['www.example.com'], newer), /OOM/);
  t.equal(node.link.state, 'lost');
  t.equal(await store.acquire(), 'away');
  t.equal((await store.readCertificate(['www.example.com']))?.cert, newer.cert, 'there is a copy of it');

  redis.command('FLUSHALL');
  redis.command('CONFIG', 'SET', 'maxmemory', '0');
  await node.answered();
  t.equal(await store.acquire(), 'taken', 'who was ordering may take its lease anew first');
  await until('it is told that everything may be news', () => user.news.length === 2);
  node.clock.jump(5001);
  t.equal(await store.acquire(), 'held');
  t.equal((await store.readCertificate(['www.example.com']))?.cert, newer.cert);
  t.same(await store.readAccount(), account);
  const other = (await AcmeNode.start(t, redis.url)).open(scratch(t), new StoreUser());
  await other.open();
  t.equal((await other.readCertificate(['www.example.com']))?.cert, newer.cert);
  t.same(await other.readAccount(), account);
});
