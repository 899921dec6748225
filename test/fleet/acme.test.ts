import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import { AcmeChallenges } from '../../lib/tls/acme-challenges.js';
import { AcmeManager } from '../../lib/tls/acme-manager.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { JumpClock, settled, Told, want } from '../tls/acme-rig.js';
import { FakeDirectory } from '../tls/fake-directory.js';
import { freePort, Pebble, scratch, skipWithoutPebble } from '../tls/pebble.js';
import { AcmeNode } from './acme-nodes.js';
import { events, until } from './nodes.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

// Each test starts Redis, an authority, and threads that take a second on a busy machine.
t.setTimeout(300_000);

const skip = skipWithoutRedis || skipWithoutPebble;
const HOSTS = ['www.example.com', 'example.com'];
const MINUTE = 60_000;

/** What an authority meets behind the address of all nodes: each connection goes to the next node. */
class Spreader {
  readonly port: number;
  /** How many connections each node got. */
  readonly connections: number[];

  private constructor(port: number, nodes: number) {
    this.port = port;
    this.connections = new Array<number>(nodes).fill(0);
  }

  static async open(t: Test, ports: readonly number[]): Promise<Spreader> {
    const sockets = new Set<Socket>();
    let next = 0;
    const server = createServer((near) => {
      const node = next++ % ports.length;
      spreader.connections[node] = (spreader.connections[node] ?? 0) + 1;
      const far = connect(ports[node] as number, '127.0.0.1');
      for (const [socket, peer] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {}).on('close', () => peer.destroy());
        socket.pipe(peer);
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const spreader = new Spreader((server.address() as { port: number }).port, ports.length);
    t.teardown(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return spreader;
  }
}

interface Place {
  readonly plain: number;
  readonly encrypted: number;
  readonly store: string;
}

async function placeFor(t: Test): Promise<Place> {
  return { plain: await freePort(), encrypted: await freePort(), store: join(scratch(t), 'store') };
}

function startNode(
  t: Test,
  { plain, encrypted, store }: Place,
  node: string,
  redis: string,
  { directory, ca }: Pebble,
  acme: object = {},
): Promise<Started> {
  return startBalancer(t, {
    listen: [
      { address: `127.0.0.1:${plain}`, redirect: 'https' },
      { address: `127.0.0.1:${encrypted}`, tls: true },
    ],
    tls: { acme: { hosts: [HOSTS], store, directory, ca, ...acme } },
    respond: { status: 204 },
    shared: { redis, node, timeout: '10s' },
  });
}

/** Serial and issuer of what a node shows for a name. */
async function shownBy({ encrypted }: Place, servername = HOSTS[0]): Promise<string> {
  const socket = tls.connect({
    port: encrypted,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...(servername !== undefined && { servername }),
  });
  await once(socket, 'secureConnect');
  const { serialNumber, issuer } = socket.getPeerX509Certificate() ?? { serialNumber: '', issuer: '' };
  socket.destroy();
  return `${serialNumber} ${issuer}`;
}

function isValid({ balancer }: Started): boolean {
  return balancer.status().acme.every(({ state }) => state === 'valid');
}

for (const challenge of ['http-01', 'tls-alpn-01'] as const)
  t.test(
    `three nodes order once by ${challenge}, and each of them answers the authority`,
    { skip },
    async (t) => {
      const redis = await RedisServer.start(t);
      const places = [await placeFor(t), await placeFor(t), await placeFor(t)];
      const ports = places.map(({ plain, encrypted }) => (challenge === 'http-01' ? plain : encrypted));
      const spreader = await Spreader.open(t, ports);
      const pebble = await Pebble.start(t, { httpPort: spreader.port, tlsPort: spreader.port });
      const nodes = await Promise.all(
        places.map((place, index) =>
          startNode(t, place, `node-${index + 1}`, redis.url, pebble, { challenge }),
        ),
      );
      await until('all nodes have a certificate', () => nodes.every(isValid));
      t.equal(pebble.count('order-plz'), 1, 'one order');
      t.equal(pebble.count('sign-me-up'), 1, 'one account');
      const ordered = nodes.map(({ balancer }) => events(balancer, 'certificate_ordered').length);
      t.same([...ordered].sort(), [0, 0, 1], 'by one of the nodes');
      for (const { balancer } of nodes) t.same(events(balancer, 'certificate_failed'), []);
      for (const [index, count] of spreader.connections.entries())
        t.ok(count > 0, `the authority has asked node ${index + 1} ${count} times`);
      for (const name of HOSTS) {
        const shown = new Set(await Promise.all(places.map((place) => shownBy(place, name))));
        t.equal(shown.size, 1, `all show the same certificate for ${name}`);
        t.match([...shown][0], /Pebble/);
      }

      const place = await placeFor(t);
      const later = await startNode(t, place, 'later', redis.url, pebble, { challenge });
      t.same(later.seen.warnings, [], 'a later node has the certificate before its first handshake');
      t.equal(await shownBy(place), await shownBy(places[0] as Place));
      t.equal(pebble.count('order-plz'), 1);

      later.balancer.stop();
      await redis.kill();
      await startNode(t, place, 'later', redis.url, pebble, { challenge });
      t.equal(await shownBy(place), await shownBy(places[0] as Place), 'without Redis it has its copy');
    },
  );

t.test('a node that starts without Redis orders nothing, and heals', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  await redis.kill();
  const place = await placeFor(t);
  const pebble = await Pebble.start(t, { httpPort: place.plain });
  const node = await startNode(t, place, 'node', redis.url, pebble);
  t.match(await shownBy(place), /CN=www\.example\.com$/, 'self-signed');
  await until('it says why', () => node.balancer.status().acme.some(({ error }) => error !== null));
  t.match(node.balancer.status().acme, [
    { state: 'self_signed', error: 'nothing is ordered until the store that nodes share is back' },
  ]);
  t.equal(events(node.balancer, 'shared_lost').length, 1);
  t.equal(pebble.count('order-plz'), 0);
  await redis.restart();
  await until('it has ordered', () => isValid(node));
  t.match(await shownBy(place), /Pebble/);
  t.match(node.balancer.status().acme, [{ error: null }]);
});

/** A manager of a node, at an authority that asks for no proofs. */
function managerOf(
  t: Test,
  node: AcmeNode,
  { directory }: FakeDirectory,
): { manager: AcmeManager; told: Told } {
  const told = new Told();
  const manager = new AcmeManager(
    {
      email: null,
      challenge: 'http-01',
      externalAccount: null,
      ca: null,
      directory,
      store: join(scratch(t), 'store'),
    },
    {
      clock: node.clock,
      observer: told,
      challenges: new AcmeChallenges(),
      onChange: () => {},
      openStore: node.openStore,
    },
  );
  t.teardown(() => manager.stop());
  return { manager, told };
}

t.test('a node that ends while it orders is followed by another', { skip: skipWithoutRedis }, async (t) => {
  const redis = await RedisServer.start(t);
  const fake = await FakeDirectory.start(t);
  let release = (): void => {};
  fake.hold = new Promise((resolve) => {
    release = resolve;
  });
  const clock = new JumpClock();
  const nodes = [
    await AcmeNode.start(t, redis.url, { clock }),
    await AcmeNode.start(t, redis.url, { clock }),
  ] as const;
  const first = managerOf(t, nodes[0], fake);
  const second = managerOf(t, nodes[1], fake);
  await want(first.manager, [['www.example.com']]);
  await until('the first one orders', () => fake.count('/finalize/0') === 1);
  await want(second.manager, [['www.example.com']]);
  clock.jump(4000);
  await until(
    'the second one has seen that it is taken',
    () => second.manager.statuses[0]?.state !== 'ordering',
  );
  t.equal(fake.count('/order'), 1);
  nodes[0].stop();
  first.manager.stop();
  redis.command('PEXPIRE', redis.command('KEYS', '*:lock'), '1');
  release();
  await until('the second one orders', () => {
    clock.jump(4000);
    return second.told.count('certificate_ordered') === 1;
  });
  t.equal(fake.count('/order'), 2);
  t.equal(fake.count('/account'), 1, 'with the same account');
});

t.test(
  'what one node was refused is not asked for by another, until the time has come',
  { skip: skipWithoutRedis },
  async (t) => {
    const redis = await RedisServer.start(t);
    const fake = await FakeDirectory.start(t);
    fake.refusals.set('/order', { status: 403, type: 'rejectedIdentifier', detail: 'not this name' });
    const clock = new JumpClock();
    const first = managerOf(t, await AcmeNode.start(t, redis.url, { clock }), fake);
    const second = managerOf(t, await AcmeNode.start(t, redis.url, { clock }), fake);
    await want(first.manager, [['www.example.com']]);
    await first.told.next('certificate_failed');
    await settled(first.manager);
    await want(second.manager, [['www.example.com']]);
    await until('the second one waits as long', () => second.manager.statuses[0]?.failures === 1);
    t.equal(second.manager.statuses[0]?.error, 'not this name');
    t.equal(fake.count('/order'), 1);
    fake.refusals.clear();
    clock.jump(2 * MINUTE);
    await until('both have a certificate', () => {
      clock.jump(4000);
      return [first, second].every(({ manager }) => manager.statuses[0]?.state === 'valid');
    });
    t.equal(fake.count('/order'), 2, 'one of them has tried again');
    t.equal(
      first.manager.certificateFor('www.example.com')?.cert,
      second.manager.certificateFor('www.example.com')?.cert,
    );
  },
);

t.test(
  'a renewed certificate is taken over by the nodes that did not order it',
  { skip: skipWithoutRedis },
  async (t) => {
    const redis = await RedisServer.start(t);
    const fake = await FakeDirectory.start(t);
    const [near, far] = [new JumpClock(), new JumpClock()];
    const first = managerOf(t, await AcmeNode.start(t, redis.url, { clock: near }), fake);
    const second = managerOf(t, await AcmeNode.start(t, redis.url, { clock: far }), fake);
    await want(first.manager, [['www.example.com']]);
    await first.told.next('certificate_ordered');
    await want(second.manager, [['www.example.com']]);
    const certificate = (manager: AcmeManager): string =>
      manager.certificateFor('www.example.com')?.cert ?? '';
    const before = certificate(first.manager);
    t.equal(certificate(second.manager), before);
    fake.notAfter += 90 * 24 * 60 * MINUTE;
    near.jump(61 * 24 * 60 * MINUTE);
    await first.told.next('certificate_ordered', 2);
    await until('the second one shows it too', () => certificate(second.manager) !== before);
    t.equal(certificate(second.manager), certificate(first.manager));
    t.equal(second.told.count('certificate_ordered'), 0);
    t.match(second.told.events, [
      { what: 'certificates_reloaded', detail: 'www.example.com (ordered elsewhere)' },
    ]);
  },
);
