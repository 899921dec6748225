import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { RawClient } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { origin } from '../support/origin.js';
import { JumpClock, Told } from '../tls/acme-rig.js';
import { Pebble, type PebbleOptions, scratch, skipWithoutPebble } from '../tls/pebble.js';

// Each test starts an authority, and a thread that takes a second on a busy machine.
t.setTimeout(120_000);

const DAY = 24 * 60 * 60 * 1000;
const needsPebble = { skip: skipWithoutPebble };

type Settings = Parameters<typeof createConfig>[0];

interface Edge {
  readonly balancer: Balancer;
  readonly told: Told;
  readonly clock: JumpClock;
  readonly plain: number;
  readonly encrypted: number;
  readonly pebble: Pebble;
  /** The settings, with other `acme` or anything else. */
  settings(acme?: object, more?: object): Settings;
}

/** A balancer with a plain listener that redirects and one with TLS, and an authority that asks them. */
async function startEdge(
  t: Test,
  acme: object = {},
  more: object = {},
  options: Omit<PebbleOptions, 'httpPort' | 'tlsPort'> = {},
): Promise<Edge> {
  const [plain, encrypted] = [await freePort(), await freePort()];
  const pebble = await Pebble.start(t, { httpPort: plain, tlsPort: encrypted, ...options });
  const store = join(scratch(t), 'store');
  const settings = (other: object = {}, others: object = {}): Settings => ({
    listen: [
      { address: `127.0.0.1:${plain}`, redirect: 'https' },
      { address: `127.0.0.1:${encrypted}`, tls: true },
    ],
    tls: {
      acme: {
        hosts: ['www.example.com'],
        store,
        directory: pebble.directory,
        ca: pebble.ca,
        ...acme,
        ...other,
      },
    },
    respond: { status: 200, body: 'hello' },
    ...more,
    ...others,
  });
  const told = new Told();
  const clock = new JumpClock();
  const balancer = createBalancer(createConfig(settings()), told, { clock });
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, told, clock, plain, encrypted, pebble, settings };
}

/** The certificate that is shown for a name. */
async function shown(port: number, servername: string, protocols: string[] = []): Promise<PeerCertificate> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    servername,
    rejectUnauthorized: false,
    ...(protocols.length === 0 ? {} : { ALPNProtocols: protocols }),
  });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

async function ask(port: number, target: string, host = 'www.example.com'): Promise<string> {
  const client = await RawClient.connect(port);
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const { head } = await client.response();
  client.destroy();
  return head.split('\r\n')[0] ?? '';
}

t.test(
  'http-01 is answered by a listener that redirects, and the new certificate is shown',
  needsPebble,
  async (t) => {
    const { balancer, told, plain, encrypted } = await startEdge(t);
    t.equal((await shown(encrypted, 'www.example.com')).issuer.CN, 'www.example.com', 'self-signed at first');
    await told.next('certificate_ordered');
    t.match((await shown(encrypted, 'www.example.com')).issuer.CN, /Pebble/);
    t.equal(await ask(plain, '/'), 'HTTP/1.1 301 Moved Permanently');
    t.match(balancer.status().acme, [
      { hosts: ['www.example.com'], state: 'valid', failures: 0, error: null },
    ]);
    t.match(balancer.certificates(), [{ name: 'www.example.com', source: 'acme', state: 'valid' }]);
    t.same(balancer.metrics.orders, { ok: 1, failed: 0 });
    t.match(
      balancer.events().map(({ what, reason }) => `${what} ${reason}`),
      /certificate_ordered www\.example\.com, until 20/,
    );
  },
);

t.test(
  'tls-alpn-01 is answered by the listener with TLS, while the challenge is open',
  needsPebble,
  async (t) => {
    const { told, encrypted } = await startEdge(t, { challenge: 'tls-alpn-01' });
    await told.next('certificate_ordered');
    t.match((await shown(encrypted, 'www.example.com', ['http/1.1'])).issuer.CN, /Pebble/);
    await t.rejects(shown(encrypted, 'www.example.com', ['acme-tls/1']), /no application protocol/);
  },
);

t.test(
  'a name that is added by a reload is ordered, after its listeners are open',
  needsPebble,
  async (t) => {
    const { balancer, told, encrypted, settings } = await startEdge(t);
    await told.next('certificate_ordered');
    await balancer.reload(createConfig(settings({ hosts: ['www.example.com', 'api.example.com'] })));
    t.equal((await shown(encrypted, 'api.example.com')).issuer.CN, 'api.example.com', 'self-signed at first');
    const { host } = await told.next('certificate_ordered', 2);
    t.equal(host, 'api.example.com');
    t.match((await shown(encrypted, 'api.example.com')).issuer.CN, /Pebble/);
    await balancer.reload(createConfig(settings({ hosts: ['api.example.com'] })));
    t.match(balancer.status().acme, [{ hosts: ['api.example.com'] }]);
    t.match((await shown(encrypted, 'www.example.com')).subject.CN ?? '', /^(api\.example\.com)?$/);
  },
);

t.test('a renewed certificate is shown at once', needsPebble, async (t) => {
  const { told, clock, encrypted } = await startEdge(t, {}, {}, { lifetime: 90 * 86_400 });
  await told.next('certificate_ordered');
  const { serialNumber } = await shown(encrypted, 'www.example.com');
  clock.jump(61 * DAY);
  await told.next('certificate_ordered', 2);
  t.not((await shown(encrypted, 'www.example.com')).serialNumber, serialNumber);
});

t.test(
  'challenges come before firewall and routes, and are not counted as requests',
  needsPebble,
  async (t) => {
    const server = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    const more = {
      redirect: undefined,
      respond: undefined,
      firewall_rules: { path_reject: ['/.well-known'] },
      servers: [`127.0.0.1:${server.port}`],
      health_check: false,
      via: true,
    };
    const [plain, encrypted] = [await freePort(), await freePort()];
    const listen = [`127.0.0.1:${plain}`, { address: `127.0.0.1:${encrypted}`, tls: true }];
    const pebble = await Pebble.start(t, { httpPort: plain });
    const acme = { hosts: ['a.example.com'], store: scratch(t), directory: pebble.directory, ca: pebble.ca };
    const told = new Told();
    const config = createConfig({ ...more, listen, tls: { acme } } as unknown as Settings);
    const balancer = createBalancer(config, told, { clock: new JumpClock() });
    t.teardown(() => balancer.stop());
    await balancer.start();
    await told.next('certificate_ordered');
    t.equal(balancer.status().requests.total, 0);
    t.equal(
      await ask(plain, '/.well-known/acme-challenge/unknown'),
      'HTTP/1.1 403 Forbidden',
      'unknown ones are requests',
    );
  },
);

t.test('a token that nobody here has ordered for is left to the servers', async (t) => {
  const server = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntheirs'));
  const settings = {
    listen: '127.0.0.1:0',
    servers: [`127.0.0.1:${server.port}`],
    health_check: false,
  } as const;
  const balancer = createBalancer(createConfig(settings), new Told(), {});
  t.teardown(() => balancer.stop());
  await balancer.start();
  const address = balancer.addresses[0];
  const port = address?.kind === 'tcp' ? address.port : 0;
  t.equal(await ask(port, '/.well-known/acme-challenge/theirs'), 'HTTP/1.1 200 OK');
});

t.test('a reload that is refused leaves what is ordered as it was', needsPebble, async (t) => {
  const { balancer, told, settings, encrypted } = await startEdge(t);
  await told.next('certificate_ordered');
  const taken = await freePort();
  const other = await RawClient.connect(encrypted);
  t.teardown(() => other.destroy());
  const bad = settings({ hosts: ['www.example.com', 'api.example.com'] }, { listen: [`192.0.2.1:${taken}`] });
  await t.rejects(balancer.reload(createConfig(bad)), { code: 'EADDRNOTAVAIL' });
  t.match(balancer.status().acme, [{ hosts: ['www.example.com'], state: 'valid' }]);
  t.equal(balancer.status().acme.length, 1);
  t.equal(told.count('certificate_ordered'), 1);
});

t.test(
  'another authority, account or store is ordered from, and the old one is left',
  needsPebble,
  async (t) => {
    const { balancer, told, pebble, settings } = await startEdge(t);
    await told.next('certificate_ordered');
    const store = scratch(t);
    await balancer.reload(createConfig(settings({ store })));
    await told.next('certificate_ordered', 2);
    t.equal(pebble.count('sign-me-up'), 2, 'another store has another account');
    await balancer.reload(createConfig(settings({ store, email: 'ops@example.com' })));
    t.match(balancer.status().acme, [{ state: 'valid' }], 'the certificate is that of the store');
    const ca = join(store, 'copy.pem');
    writeFileSync(ca, readFileSync(pebble.ca));
    await balancer.reload(createConfig(settings({ store, ca, hosts: ['b.example.com'] })));
    await told.next('certificate_ordered', 3);
  },
);
