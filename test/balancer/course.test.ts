import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type RawServer, startRawServer } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import { loadConfig } from '../../lib/config/config.js';
import { Seen } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { SWITCHED } from '../support/thread-switch.js';

/** The file of the course, over servers that stand where it expects them to, on ports that are free. */
const COURSE = readFileSync(new URL('../../../fixtures/config/good/course.yaml', import.meta.url), 'utf8');

interface Course {
  /** Sends one request and gives the answer. */
  ask(head: string): Promise<{ status: number; head: string; body: string }>;
  /** The last head that any mango or apple server got. */
  lastHead(): string;
  /** Addresses of the servers, as the file has them to as they are. */
  readonly ports: ReadonlyMap<string, string>;
  readonly seen: Seen;
}

async function startCourse(t: Test): Promise<Course> {
  let last = '';
  const ports = new Map<string, string>();
  const servers: RawServer[] = [];
  for (const port of ['8081', '8082', '9081', '9082', '8888']) {
    const server = await startRawServer(async (connection) => {
      for (;;) {
        const head = await connection.readHead();
        if (!head.includes('\r\nUser-Agent: lb-health\r\n')) last = head;
        await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${port}`);
      }
    });
    servers.push(server);
    ports.set(`localhost:${port}`, `127.0.0.1:${server.port}`);
  }
  t.teardown(async () => {
    for (const server of servers) await server.close();
  });
  // The orange servers do not run; on these ports nobody ever listens.
  ports.set('localhost:1111', '127.0.0.1:2').set('localhost:1212', '127.0.0.1:3');
  const text = COURSE.replace(/localhost:\d+/g, (address) => ports.get(address) ?? address);
  const overrides = { listen: '127.0.0.1:0', health_check: { interval: '50ms' } };
  const result = loadConfig(text, { overrides });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const seen = new Seen();
  const balancer = createBalancer(result.config, seen, SWITCHED);
  await balancer.start();
  t.teardown(() => balancer.stop());
  const [address] = balancer.addresses;
  const port = address?.kind === 'tcp' ? address.port : 0;
  const ask = async (head: string) => {
    const client = await RawClient.connect(port);
    t.teardown(() => client.destroy());
    client.send(`${head.replace(/\n/g, '\r\n')}\r\n\r\n`);
    return client.response();
  };
  return { ask, lastHead: () => last, ports, seen };
}

t.test('hosts lead to their own servers, each in turn', async (t) => {
  const { ask } = await startCourse(t);
  const bodies = new Set<string>();
  for (let i = 0; i < 4; i++) bodies.add((await ask('GET / HTTP/1.1\nHost: www.mango.com')).body);
  t.strictSame([...bodies].sort(), ['8081', '8082']);
  t.match((await ask('GET / HTTP/1.1\nHost: WWW.APPLE.COM:80')).body, /^(9081|9082|8888)$/);
});

t.test('paths lead to the same servers, which get the path after the prefix', async (t) => {
  const { ask, lastHead, ports } = await startCourse(t);
  t.match((await ask('GET /mango HTTP/1.1\nHost: elsewhere.test')).body, /^808[12]$/);
  t.match(lastHead(), /^GET \/ HTTP\/1\.1\r\n/);
  t.match((await ask('GET /apple/pie?x=1 HTTP/1.1\nHost: elsewhere.test')).body, /^(9081|9082|8888)$/);
  t.match(lastHead(), /^GET \/pie\?x=1 HTTP\/1\.1\r\n/);
  const host = /\r\nHost: ([^\r]+)\r\n/.exec(lastHead())?.[1] ?? '';
  t.ok([...ports.values()].includes(host), 'and its own address as Host');
});

t.test('headers, parameters and paths are changed as the file says', async (t) => {
  const { ask, lastHead, ports } = await startCourse(t);
  await ask('GET /v1/a?RemoveMe=1&keep=%2F HTTP/1.1\nHost: www.mango.com\nX-Other: stays');
  const [line = '', ...fields] = lastHead().split('\r\n');
  t.equal(line, 'GET /v2/a?keep=%2F&MyCustomParam=Test HTTP/1.1');
  t.ok(fields.includes('MyCustomHeader: Test'));
  t.ok(fields.includes('X-Other: stays'));
  const host = fields.find((field) => field.startsWith('Host: '))?.slice(6) ?? '';
  t.ok([...ports.values()].includes(host), 'without its Host the server gets its own');
});

t.test('rejected requests, unknown hosts and routes without a server get local replies', async (t) => {
  const { ask } = await startCourse(t);
  for (const path of ['/messages', '/apps/1', '/%6dessages', '//messages']) {
    const { status, body } = await ask(`GET ${path} HTTP/1.1\nHost: www.apple.com`);
    t.strictSame([status, body], [403, 'Forbidden'], path);
  }
  const unknown = await ask('GET / HTTP/1.1\nHost: www.banana.com');
  t.strictSame([unknown.status, unknown.body], [404, 'Not Found']);
});

t.test('a host whose servers are all down answers 503', async (t) => {
  const { ask, seen } = await startCourse(t);
  await seen.when(
    ({ stateChanges }) => stateChanges.filter((change) => change.startsWith('down ')).length === 2,
  );
  const { status, body, head } = await ask('GET / HTTP/1.1\nHost: www.orange.com');
  t.strictSame([status, body], [503, 'No backend servers available.']);
  t.match(head, /\r\nRetry-After: \d+\r\n/);
  t.equal((await ask('GET / HTTP/1.1\nHost: www.mango.com')).status, 200, 'the others are not concerned');
});
