import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { unlessThreads } from '../support/thread-switch.js';

/** Everything that the balancer answers without asking a server. */
const OWN_ANSWERS: { [what: string]: { target: string; host: string; status: number } } = {
  'a host that nobody serves': { target: '/', host: 'nobody.test', status: 404 },
  'what the firewall forbids': { target: '/', host: 'forbidden.test', status: 403 },
  'more than is allowed': { target: '/', host: 'limited.test', status: 429 },
  'a redirect': { target: '/', host: 'moved.test', status: 302 },
  'a fixed answer': { target: '/', host: 'fixed.test', status: 200 },
  readiness: { target: '/ready', host: 'any.test', status: 200 },
};
const GREEDY = 16;
const EACH = 100;

function ownAnswers(server: string): Parameters<typeof startBalancer>[1] {
  return {
    readiness_path: '/ready',
    hosts: [
      { host: 'served.test', servers: [server] },
      { host: 'forbidden.test', servers: [server], firewall_rules: { path_reject: ['/'] } },
      {
        host: 'limited.test',
        servers: [server],
        firewall_rules: { rate_limit: { requests: 1, per: '1h', burst: 1 } },
      },
      { host: 'moved.test', redirect: { to: 'https://moved.test/' } },
      { host: 'fixed.test', respond: { status: 200, body: 'ok' } },
    ],
  };
}

for (const [what, { target, host, status }] of Object.entries(OWN_ANSWERS)) {
  t.test(`16 clients that ask for ${what} without a pause do not starve others`, async (t) => {
    const server = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    const started = await startBalancer(t, ownAnswers(server.address));
    const greedy = await Promise.all(Array.from({ length: GREEDY }, started.connect));
    const other = await started.connect();
    await until(() => started.balancer.clientCount === GREEDY + 1);
    const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    for (const client of greedy) client.send(request.repeat(EACH));
    const bytes = (): number => greedy.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
    other.send('GET / HTTP/1.1\r\nHost: served.test\r\n\r\n');
    t.equal((await other.response()).status, 200);
    const meanwhile = bytes();
    // The first request to the limited host is accepted.
    const own = status === 429 ? 1 : 0;
    for (const client of greedy) {
      let right = 0;
      for (let count = 0; count < EACH; count++) if ((await client.response()).status === status) right++;
      if (right < EACH - own) t.fail(`${right} answers of ${EACH}`);
    }
    const share = meanwhile / bytes();
    t.ok(
      share < 0.3,
      `${Math.round(share * GREEDY * EACH)} of ${GREEDY * EACH} were answered before the other client`,
      unlessThreads('the system decides which thread goes on'),
    );
    if (what === 'readiness') return;
    await started.seen.request(GREEDY * EACH + 1);
    await turns();
    t.equal(started.seen.requests.length, GREEDY * EACH + 1, 'each is reported to observers once');
  });
}

t.test(
  'pipelined local replies and server answers come in order, wherever the requests are cut',
  async (t) => {
    const server = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserver'));
    const started = await startBalancer(t, ownAnswers(server.address));
    const hosts = ['fixed.test', 'served.test', 'nobody.test', 'fixed.test', 'moved.test'];
    const statuses = [200, 200, 404, 200, 302];
    const request = hosts
      .map((host) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\n\r\nGET /`)
      .join('');
    const text = request.repeat(20);
    const clients = await Promise.all(Array.from({ length: 8 }, started.connect));
    for (const [index, client] of clients.entries()) {
      const size = 30 + index * 497;
      void client.sendPieces(text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []);
    }
    for (const client of clients) {
      const got: number[] = [];
      for (let count = 0; count < 100; count++) got.push((await client.response()).status);
      t.strictSame(got, Array.from({ length: 20 }, () => statuses).flat());
    }
  },
);

t.test('pipelined bytes are not read while the client waits: memory stays bounded', async (t) => {
  const silent = await origin(t, async (connection) => {
    await connection.readHead();
    // Nothing more before the first answer.
    await connection.readHead();
  });
  const started = await startBalancer(t, { servers: [silent.address] });
  const clients = await Promise.all(Array.from({ length: 20 }, started.connect));
  const before = process.memoryUsage().arrayBuffers;
  const requests = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100_000));
  for (const client of clients) client.send(requests);
  await until(() => started.balancer.clientCount === 20);
  await turns(200);
  const grown = (process.memoryUsage().arrayBuffers - before - requests.length) / 2 ** 20;
  t.ok(grown < 20 * 0.6, `${grown.toFixed(1)} MiB for 20 clients that sent 2.7 MiB each`);
});

nothingIsLeft(t);
