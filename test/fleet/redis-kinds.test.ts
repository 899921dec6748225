import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { Started } from '../support/balancer.js';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { nothingIsLeft } from '../support/leaks.js';
import { namedOrigins } from '../support/named-origins.js';
import { events, sharedOf, startNodes, until, untilShared } from './nodes.js';
import { startCluster, startSentinelGroup } from './redis-groups.js';
import { type RedisCertificate, RedisServer, skipWithoutRedis } from './redis-server.js';

const skip = skipWithoutRedis;
const settings = { respond: { status: 200, body: 'served' } };
/** What docs/fleet.md says a user needs. */
const RIGHTS = '+@read +@write +@scripting +@connection +time';
t.setTimeout(240_000);

async function certificate(t: Test, ...names: string[]): Promise<RedisCertificate> {
  const folder = mkdtempSync(join(tmpdir(), 'lb-redis-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const authority = await TestAuthority.create();
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, authority.cert);
  return { ...writeCertificate(folder, 'redis', await authority.issue({ names })), ca };
}

/** Limits, bans and sticky values of two nodes are one. */
async function sharesAll(t: Test, redis: string | readonly string[], shared: object): Promise<Started[]> {
  const origins = await namedOrigins(t, 'apple', 'mango', 'plum');
  const nodes = (await startNodes(
    t,
    2,
    redis as string,
    {
      servers: origins.map(({ name, address }) => ({ name, address })),
      sticky: { header: 'X-User', expire: '1h' },
      firewall_rules: {
        rate_limit: { requests: 10, per: '1s', burst: 100 },
        ban: { status: [429], count: 1, within: '10s', for: '10m' },
      },
    },
    shared,
  )) as Started[];
  await untilShared(nodes);
  const [first, second] = nodes as [Started, Started];
  const ask = async ({ connect }: Started, user: string): Promise<string> => {
    const client = await connect();
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\n\r\n`);
    const { body, status } = await client.response();
    client.destroy();
    return status === 200 ? body : `${status}`;
  };
  // In a cluster each has a slot of its own.
  const users = Array.from({ length: 12 }, (_, index) => `user ${index}`);
  first.balancer.setAvailability('apple', 'maintenance');
  for (const user of users) await ask(first, user);
  for (const user of users)
    await until(`both send ${user} to the same server`, async () => {
      // Fewer requests a second than the limit lets through, however often it takes.
      await new Promise((resolve) => setTimeout(resolve, 300));
      return (await ask(second, user)) === (await ask(first, user));
    });
  const client = await first.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(200));
  await until('both lease', () => nodes.every(({ balancer }) => sharedOf(balancer).keys === 1));
  await until('the ban is known', () => second.balancer.bans().total === 1);
  client.destroy();
  for (const { balancer } of nodes) t.strictSame(events(balancer, 'shared_lost'), []);
  return nodes;
}

await t.test('all is shared through one server', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  await sharesAll(t, redis.url, {});
});

await t.test('all is shared through a server with TLS, a user and a password', { skip }, async (t) => {
  const files = await certificate(t, '127.0.0.1');
  const acl = join(dirname(files.ca), 'users.acl');
  writeFileSync(acl, `user lb on >s3cr3t ~shop:* ${RIGHTS}\nuser default off\n`);
  const redis = await RedisServer.startTls(t, files, '--aclfile', acl);
  await sharesAll(t, redis.url, { user: 'lb', password: 's3cr3t', ca: files.ca, prefix: 'shop' });
});

await t.test('a certificate has to be of the name that is connected to', { skip }, async (t) => {
  const files = await certificate(t, 'localhost');
  const redis = await RedisServer.startTls(t, files);
  const other = redis.url;
  const named = other.replace('127.0.0.1', 'localhost');
  const [refused] = (await startNodes(t, 1, other, settings, { ca: files.ca })) as [Started];
  const [unknown] = (await startNodes(t, 1, named, settings)) as [Started];
  const [right] = (await startNodes(t, 1, named, settings, { ca: files.ca })) as [Started];
  await untilShared([right]);
  for (const [node, says] of [
    [refused, /127\.0\.0\.1 is not in the cert's list/],
    [unknown, /unable to verify|self.signed/],
  ] as const)
    await until(`it says ${says}`, () => says.test(sharedOf(node.balancer).error));
  t.pass();
});

await t.test('all is shared through a cluster', { skip }, async (t) => {
  const servers = await startCluster(t);
  const rights = [...RIGHTS.split(' '), '+cluster|slots', '+cluster|info'];
  for (const server of servers)
    t.equal(server.command('ACL', 'SETUSER', 'lb', 'on', '>s3cr3t', '~shop:*', ...rights), 'OK');
  await sharesAll(
    t,
    servers.map(({ url }) => url),
    { cluster: true, user: 'lb', password: 's3cr3t', prefix: 'shop' },
  );
  const counts = servers.map((server) => Number(server.command('DBSIZE')));
  t.ok(
    counts.every((count) => count > 0),
    `keys of the servers: ${counts}`,
  );
});

await t.test(
  'a cluster with TLS: its servers tell addresses, their certificates have the name of the settings',
  { skip },
  async (t) => {
    const files = await certificate(t, 'localhost');
    const [first] = (await startCluster(t, files)) as [RedisServer];
    await sharesAll(t, [first.url.replace('127.0.0.1', 'localhost')], { cluster: true, ca: files.ca });
    const [refused] = (await startNodes(t, 1, first.url, settings, { cluster: true, ca: files.ca })) as [
      Started,
    ];
    await until('it has tried', () => {
      return /cert's list/.test(sharedOf(refused.balancer).error);
    });
    t.not(sharedOf(refused.balancer).state, 'shared');
  },
);

/** Sentinels make another server the primary: nodes lose the one, and share through the other. */
async function sharesOn(primary: RedisServer, nodes: readonly Started[]): Promise<void> {
  await primary.kill();
  await until('it is lost', () => nodes.every(({ balancer }) => sharedOf(balancer).state === 'lost'));
  await untilShared(nodes);
  for (const { balancer } of nodes) t.equal(events(balancer, 'shared_recovered').length, 1);
}

await t.test('all is shared through sentinels, and goes on with the next primary', { skip }, async (t) => {
  const { primary, port } = await startSentinelGroup(t, 's3cr3t', 's3ntin3l');
  const nodes = await sharesAll(t, [`redis://:s3ntin3l@127.0.0.1:${port}`], {
    sentinel: 'main',
    password: 's3cr3t',
  });
  await sharesOn(primary, nodes);
});

await t.test('sentinels with TLS: they and their servers have the same authority', { skip }, async (t) => {
  const files = await certificate(t, '127.0.0.1');
  const { primary, port } = await startSentinelGroup(t, 's3cr3t', 's3ntin3l', files);
  const terms = { sentinel: 'main', password: 's3cr3t', ca: files.ca };
  const url = `rediss://:s3ntin3l@127.0.0.1:${port}`;
  const nodes = (await startNodes(t, 2, url, settings, terms)) as Started[];
  await untilShared(nodes);
  const [refused] = (await startNodes(t, 1, url, settings, { ...terms, ca: undefined })) as [Started];
  await sharesOn(primary, nodes);
  await until('it says why', () => /certificate of the sentinel/.test(sharedOf(refused.balancer).error));
  t.not(sharedOf(refused.balancer).state, 'shared');
});

nothingIsLeft(t);
