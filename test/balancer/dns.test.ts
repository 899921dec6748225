import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { answering, type RawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { startDeafServer } from '../support/deaf-server.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';

type Test = Parameters<typeof origin>[0];

/** The wheel fires up to two ticks late. */
const LATE = 100;

async function dnsServer(t: Test): Promise<DnsServer> {
  const server = await DnsServer.start();
  t.teardown(() => server.close().catch(() => {}));
  return server;
}

/** Servers on one port of several addresses of the loopback network, each of which answers with its address. */
async function origins(t: Test, hosts: readonly string[], port = 0): Promise<RawServer[]> {
  const servers: RawServer[] = [];
  for (const host of hosts) {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`;
    servers.push(await origin(t, answering(answer), host, servers[0]?.port ?? port));
  }
  return servers;
}

interface NamedSettings {
  readonly port: number;
  readonly dns: DnsServer;
  readonly pool?: object;
  readonly host?: string;
  /** The path of a list that has the name: it is one server there, whatever addresses it has. */
  readonly file?: string;
}

function startNamed(t: Test, { port, dns, pool = {}, host = 'app.test', file }: NamedSettings) {
  if (file !== undefined) writeFileSync(file, JSON.stringify([{ targets: [`${host}:${port}`] }]));
  const settings = {
    servers: file === undefined ? [`${host}:${port}`] : [{ file }],
    dns: { servers: [dns.address] },
    pool: { idle_timeout: '10m', ...pool },
    retry: false,
  };
  return startBalancer(t, settings, { manual: true });
}

t.test('a changed answer is followed as soon as its TTL is over, and idle connections with it', async (t) => {
  const dns = await dnsServer(t);
  const [one, two] = (await origins(t, ['127.0.0.1', '127.0.0.2'])) as [RawServer, RawServer];
  dns.set('app.test', 5, '127.0.0.1');
  const { connect, clock, seen } = await startNamed(t, { port: one.port, dns });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, '127.0.0.1');
  dns.set('app.test', 5, '127.0.0.2');
  const asked = dns.questions.length;
  clock.advance(4800);
  await turns();
  client.send(GET);
  t.equal((await client.response()).body, '127.0.0.1');
  t.equal(dns.questions.length, asked, 'nobody asks before');
  clock.advance(200 + LATE);
  await seen.when(() => seen.names.length === 2);
  await until(() => one.connections === 0);
  client.send(GET);
  t.equal((await client.response()).body, '127.0.0.2');
  t.equal(two.accepted, 1);
  t.same(seen.names, ['app.test 127.0.0.1', 'app.test 127.0.0.2']);
});

t.test('a connection in use to an address that is gone ends with its request', async (t) => {
  const dns = await dnsServer(t);
  let answer = (): void => {};
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await connection.hang();
    connection.end();
  });
  dns.set('app.test', 1, '127.0.0.1');
  const { connect, clock, seen } = await startNamed(t, { port: server.port, dns });
  const client = await connect();
  client.send(GET);
  await until(() => server.connections === 1);
  dns.set('app.test', 1, '127.0.0.2');
  clock.advance(1000 + LATE);
  await seen.when(() => seen.names.length === 2);
  await turns();
  t.equal(server.connections, 1);
  answer();
  t.equal((await client.response()).body, 'ok');
  await until(() => server.connections === 0);
});

t.test('a name server that fails, or is gone, changes nothing', async (t) => {
  const dns = await dnsServer(t);
  const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
  dns.set('app.test', 1, '127.0.0.1');
  const { connect, clock, seen } = await startNamed(t, { port: server.port, dns });
  const client = await connect();
  client.send(GET);
  await client.response();
  dns.mood = 'failing';
  clock.advance(1000 + LATE);
  await seen.when(() => seen.names.length === 2);
  dns.records.clear();
  dns.mood = 'answering';
  clock.advance(5000 + LATE);
  await seen.when(() => seen.names.length === 3);
  await dns.close();
  clock.advance(5000 + LATE);
  await seen.when(() => seen.names.length === 4);
  client.send(GET.replace('Host: a\r\n', 'Host: a\r\nConnection: close\r\n'));
  t.equal((await client.response()).body, '127.0.0.1');
  const next = await connect();
  next.send(GET);
  t.equal((await next.response()).status, 200);
  t.same(seen.names, [
    'app.test 127.0.0.1',
    'app.test failed ESERVFAIL',
    'app.test failed ENOTFOUND',
    'app.test failed ECONNREFUSED',
  ]);
  t.ok(
    server.connections <= SWITCHED_WORKERS,
    'the connection is kept as well, by each thread that had a request',
  );
});

t.test(
  'the first addresses of a name are no event, others are, and those of a name that had none',
  async (t) => {
    const dns = await dnsServer(t);
    const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
    dns.set('app.test', 1, '127.0.0.1');
    const known = await startNamed(t, { port: server.port, dns });
    (await known.connect()).send(GET);
    await known.seen.when(() => known.seen.names.length === 1);
    const eventsOf = ({ balancer }: typeof known): string[] =>
      balancer
        .events()
        .flatMap(({ what, reason }) => (what.startsWith('resolve') ? [`${what} ${reason}`] : []));
    t.same(eventsOf(known), []);
    dns.set('app.test', 1, '127.0.0.2');
    known.clock.advance(1000 + LATE);
    await known.seen.when(() => known.seen.names.length === 2);
    t.same(eventsOf(known), ['resolved app.test to 127.0.0.2']);

    const late = await startNamed(t, { port: server.port, dns, host: 'late.test' });
    (await late.connect()).send(GET);
    await late.seen.when(() => late.seen.names.length === 1);
    dns.set('late.test', 1, '127.0.0.1');
    late.clock.advance(5000 + LATE);
    await late.seen.when(() => late.seen.names.length === 2);
    // Where the system has no name server at all, its code is EAI_AGAIN.
    const [failed = '', ...rest] = eventsOf(late);
    t.match(failed, /^resolve_failed late\.test: (?:ENOTFOUND|EAI_AGAIN)$/);
    t.same(rest, ['resolved late.test to 127.0.0.1']);
  },
);

t.test('new connections use the last good addresses while resolution fails or returns none', async (t) => {
  const dns = await dnsServer(t);
  const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
  dns.set('app.test', 1, '127.0.0.1');
  const { connect, clock, seen } = await startNamed(t, { port: server.port, dns, pool: { max_idle: 0 } });
  const client = await connect();
  const ask = async (): Promise<number> => {
    client.send(GET);
    return (await client.response()).status;
  };
  t.equal(await ask(), 200);
  dns.mood = 'failing';
  clock.advance(1000 + LATE);
  await seen.when(() => seen.names.length === 2);
  t.equal(await ask(), 200);
  dns.mood = 'answering';
  dns.set('app.test', 1);
  clock.advance(5000 + LATE);
  await seen.when(() => seen.names.length === 3);
  t.equal(await ask(), 200);
  t.equal(server.accepted, 3);
});

t.test('a failed look-up is reported once and tried again after five seconds', async (t) => {
  const dns = await dnsServer(t);
  const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
  dns.set('app.test', 1, '127.0.0.1');
  const { connect, clock, seen } = await startNamed(t, { port: server.port, dns });
  const client = await connect();
  client.send(GET);
  await client.response();
  dns.mood = 'failing';
  clock.advance(1000 + LATE);
  await seen.when(() => seen.names.length === 2);
  let asked = dns.questions.length;
  clock.advance(4800);
  await turns();
  t.equal(dns.questions.length, asked);
  clock.advance(200 + LATE);
  await until(() => dns.questions.length >= asked + 2);
  await turns();
  dns.mood = 'answering';
  asked = dns.questions.length;
  clock.advance(5000 + LATE);
  await until(() => dns.questions.length >= asked + 2);
  await turns();
  t.equal(seen.names.length, 2);
});

t.test('TTLs are kept within dns.min_ttl and dns.max_ttl', async (t) => {
  const dns = await dnsServer(t);
  const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
  const both = async (name: string, ttl: number, ms: number): Promise<void> => {
    dns.set(name, ttl, '127.0.0.1');
    const { connect, clock } = await startNamed(t, { port: server.port, dns, host: name });
    const client = await connect();
    client.send(GET);
    await client.response();
    await turns();
    const asked = dns.questions.length;
    clock.advance(ms - LATE);
    await turns();
    t.equal(dns.questions.length, asked, `${name} is not asked for before ${ms} ms`);
    clock.advance(2 * LATE);
    await until(() => dns.questions.length > asked);
  };
  await both('short.test', 0, 1000);
  await both('long.test', 86_400, 300_000);
});

t.test('all addresses of a name that is one server are used in turn', async (t) => {
  const dns = await dnsServer(t);
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const servers = await origins(t, hosts);
  dns.set('app.test', 60, ...hosts);
  const file = join(t.testdir(), 'list.json');
  const port = servers[0]?.port ?? 0;
  const { connect } = await startNamed(t, { port, dns, pool: { max_idle: 0 }, file });
  const client = await connect();
  for (let i = 0; i < 9; i++) {
    client.send(GET);
    await client.response();
  }
  t.same(
    servers.map(({ accepted }) => accepted),
    [3, 3, 3],
  );
});

t.test('an address that refuses is passed over at once, and comes last for a while', async (t) => {
  const dns = await dnsServer(t);
  const [server] = (await origins(t, ['127.0.0.2'])) as [RawServer];
  dns.set('app.test', 60, '127.0.0.1', '127.0.0.2');
  const file = join(t.testdir(), 'list.json');
  const { connect, seen } = await startNamed(t, { port: server.port, dns, pool: { max_idle: 0 }, file });
  const client = await connect();
  for (let i = 0; i < 4; i++) {
    client.send(GET);
    t.equal((await client.response()).body, '127.0.0.2');
  }
  t.ok(seen.requests.every(({ attempts, reason }) => attempts === 1 && reason === ''));
});

t.test('an address that says nothing is raced by the next after 250 ms', async (t) => {
  const dns = await dnsServer(t);
  const deaf = Number((await startDeafServer(t)).split(':')[1]);
  await origins(t, ['127.0.0.2'], deaf);
  dns.set('app.test', 60, '127.0.0.1', '127.0.0.2');
  const file = join(t.testdir(), 'list.json');
  const { connect, clock, seen } = await startNamed(t, { port: deaf, dns, file });
  const client = await connect();
  client.send(GET);
  await seen.when(() => seen.names.length === 1);
  await turns();
  clock.advance(200);
  await turns();
  t.equal(client.received, '');
  clock.advance(50 + LATE);
  t.equal((await client.response()).body, '127.0.0.2');
  t.equal((await seen.request()).attempts, 1);
});

t.test('timeouts.connect covers the question for the address', async (t) => {
  const dns = await dnsServer(t);
  dns.mood = 'silent';
  const { balancer, connect, clock, seen } = await startNamed(t, { port: 1, dns });
  const client = await connect();
  client.send(GET);
  await until(() => dns.questions.length >= 2 && balancer.serverStatus('app.test:1')?.active === 1);
  clock.advance(3000 + LATE);
  t.equal((await client.response()).status, 504);
  t.equal((await seen.request()).reason, 'connect_timeout');
});

t.test('an unknown host name of a server is 502', async (t) => {
  const dns = await dnsServer(t);
  const { connect, seen } = await startNamed(t, { port: 1, dns, host: 'nobody.invalid' });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 502);
  t.match(await seen.request(), { reason: 'connect_failed', detail: /^(ENOTFOUND|EAI_AGAIN)$/ });
  t.match(seen.names, [/^nobody\.invalid failed /]);
});

t.test('localhost needs no name server', async (t) => {
  const dns = await dnsServer(t);
  dns.mood = 'silent';
  const [server] = (await origins(t, ['127.0.0.1'])) as [RawServer];
  const { connect } = await startNamed(t, { port: server.port, dns, host: 'localhost' });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).body, '127.0.0.1');
  t.same(dns.questions, []);
});

t.test('IPv6 goes first, and families take turns', async (t) => {
  const dns = await dnsServer(t);
  const probe = createServer();
  const has6 = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(0, '::1', () => resolve(true));
  });
  probe.close();
  dns.set('app.test', 60, '127.0.0.1', '127.0.0.2', '::1');
  const hosts = has6 ? ['::1', '127.0.0.1', '127.0.0.2'] : ['127.0.0.1', '127.0.0.2'];
  const servers = await origins(t, hosts);
  const { connect, seen } = await startNamed(t, { port: servers[0]?.port ?? 0, dns, pool: { max_idle: 0 } });
  const client = await connect();
  client.send(GET);
  await client.response();
  await seen.when(() => seen.names.length === 1);
  t.same(seen.names, ['app.test ::1 127.0.0.1 127.0.0.2']);
  const bodies = new Set<string>();
  for (let i = 0; i < 6; i++) {
    client.send(GET);
    bodies.add((await client.response()).body);
  }
  t.same([...bodies].sort(), [...hosts].sort());
});

nothingIsLeft(t);
