import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import { AcmeChallenges } from '../../lib/tls/acme-challenges.js';
import { authorityName } from '../../lib/tls/acme-folder.js';
import { AcmeManager } from '../../lib/tls/acme-manager.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { freePort } from '../support/free-port.js';
import { JumpClock, settled, Told, want } from '../tls/acme-rig.js';
import { FakeDirectory } from '../tls/fake-directory.js';
import { Pebble, scratch, skipWithoutPebble } from '../tls/pebble.js';
import { AcmeNode } from './acme-nodes.js';
import { events, until } from './nodes.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

// Each test starts Redis, an authority, and threads that take a second on a busy machine.
t.setTimeout(300_000);

const skip = skipWithoutRedis || skipWithoutPebble;
const HOSTS = ['www.example.com', 'example.com'];
const MINUTE = 60_000;

/** Where the authority asks, in front of all nodes: each connection goes to the next one. */
class Spreader {
  readonly port: number;
  /** The ports of the nodes. */
  nodes: readonly number[] = [];
  /** How many connections each of them got. */
  readonly counts = new Map<number, number>();

  private constructor(port: number) {
    this.port = port;
  }

  static async open(t: Test): Promise<Spreader> {
    const sockets = new Set<Socket>();
    let next = 0;
    const server = createServer((near) => {
      const port = spreader.nodes[next++ % spreader.nodes.length] as number;
      spreader.counts.set(port, (spreader.counts.get(port) ?? 0) + 1);
      const far = connect(port, '127.0.0.1');
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
    const spreader = new Spreader((server.address() as { port: number }).port);
    t.teardown(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return spreader;
  }
}

interface Node extends Started {
  readonly plain: number;
  readonly encrypted: number;
  readonly store: string;
}

interface Common {
  readonly redis: RedisServer;
  readonly pebble: Pebble;
  readonly challenge?: 'http-01' | 'tls-alpn-01';
}

async function startNode(
  t: Test,
  { redis, pebble, challenge = 'http-01' }: Common,
  node: string,
  more: { readonly store?: string; readonly plain?: number } = {},
): Promise<Node> {
  const { store = join(scratch(t), 'store'), plain = 0 } = more;
  const { directory, ca } = pebble;
  const started = await startBalancer(t, {
    listen: [
      { address: `127.0.0.1:${plain}`, redirect: 'https' },
      { address: '127.0.0.1:0', tls: true },
    ],
    tls: { acme: { hosts: [HOSTS], store, directory, ca, challenge } },
    respond: { status: 204 },
    shared: { redis: redis.url, node, timeout: '10s' },
  });
  const [first, second] = started.balancer.addresses.map((address) =>
    address.kind === 'tcp' ? address.port : 0,
  );
  return { ...started, plain: first as number, encrypted: second as number, store };
}

/** Serial and issuer of what a node shows for a name. */
async function shownBy({ encrypted }: Node, servername = HOSTS[0]): Promise<string> {
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

/** Waits until these nodes have a certificate of the authority, and show it. */
async function untilShown(nodes: readonly Node[]): Promise<void> {
  await until('they have a certificate', () =>
    nodes.every(({ balancer }) => balancer.status().acme.every(({ state }) => state === 'valid')),
  );
  for (const node of nodes) await until('it is shown', async () => /Pebble/.test(await shownBy(node)));
}

for (const challenge of ['http-01', 'tls-alpn-01'] as const)
  t.test(
    `three nodes order once by ${challenge}, and each of them answers the authority`,
    { skip },
    async (t) => {
      const redis = await RedisServer.start(t);
      const spreader = await Spreader.open(t);
      const pebble = await Pebble.start(t, { httpPort: spreader.port, tlsPort: spreader.port });
      const common = { redis, pebble, challenge };
      const place = `lb:{acme}:${authorityName(pebble.directory)}`;
      // Nobody can order before all are there, so that all want to at the same time.
      redis.command('SET', `${place}:lock`, 'test');
      const nodes = await Promise.all(['one', 'two', 'three'].map((name) => startNode(t, common, name)));
      spreader.nodes = nodes.map(({ plain, encrypted }) => (challenge === 'http-01' ? plain : encrypted));
      await until('all look', () => redis.command('HLEN', `${place}:nodes`) === '3');
      t.equal(pebble.count('order-plz'), 0);
      redis.command('DEL', `${place}:lock`);
      await untilShown(nodes);
      t.equal(pebble.count('order-plz'), 1, 'one order');
      t.equal(pebble.count('sign-me-up'), 1, 'one account');
      const ordered = nodes.map(({ balancer }) => events(balancer, 'certificate_ordered').length);
      t.same([...ordered].sort(), [0, 0, 1], 'by one of the nodes');
      for (const { balancer } of nodes) t.same(events(balancer, 'certificate_failed'), []);
      t.equal(spreader.counts.size, 3, 'the authority has asked each node');
      for (const name of HOSTS) {
        const shown = new Set(await Promise.all(nodes.map((node) => shownBy(node, name))));
        t.equal(shown.size, 1, `all show the same certificate for ${name}`);
      }

      const [first] = nodes as [Node, ...Node[]];
      const later = await startNode(t, common, 'later');
      // On a busy machine Redis may have counted as lost at first, and the certificate comes a moment later.
      if (events(later.balancer, 'shared_lost').length > 0)
        await until('it shows the same', async () => (await shownBy(later)) === (await shownBy(first)));
      else t.same(later.seen.warnings, [], 'a later node has the certificate before its first handshake');
      t.equal(await shownBy(later), await shownBy(first));
      t.equal(pebble.count('order-plz'), 1);

      later.balancer.stop();
      redis.freeze();
      const restarted = await startNode(t, common, 'later', { store: later.store });
      t.equal(await shownBy(restarted), await shownBy(first), 'without Redis it has its copy');
    },
  );

t.test('a node that starts without Redis orders nothing, and heals', { skip }, async (t) => {
  const redis = await RedisServer.start(t);
  redis.freeze();
  const plain = await freePort();
  const pebble = await Pebble.start(t, { httpPort: plain });
  const node = await startNode(t, { redis, pebble }, 'node', { plain });
  t.match(await shownBy(node), /CN=www\.example\.com$/, 'self-signed');
  await until('it says why', () => node.balancer.status().acme.some(({ error }) => error !== null));
  t.match(node.balancer.status().acme, [
    { state: 'self_signed', error: 'nothing is ordered until the store that nodes share is back' },
  ]);
  t.equal(events(node.balancer, 'shared_lost').length, 1);
  t.equal(pebble.count('order-plz'), 0);
  redis.thaw();
  await untilShown([node]);
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
    await second.told.next('certificates_reloaded');
    t.not(certificate(second.manager), before);
    t.equal(certificate(second.manager), certificate(first.manager));
    t.equal(second.told.count('certificate_ordered'), 0);
    t.match(second.told.events, [
      { what: 'certificates_reloaded', detail: 'www.example.com (ordered elsewhere)' },
    ]);
  },
);
