import t from 'tap';
import { ConsoleLog } from '../../lib/cli/console-log.js';
import { LogRateLimit } from '../../lib/cli/log-rate-limit.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import { MemoryStream } from './support.js';

function consoleLog(
  volume: 'normal' | 'quiet' = 'normal',
  servers = 3,
): { told: ConsoleLog; stream: MemoryStream } {
  const stream = new MemoryStream(true);
  const terminal = new Terminal(stream, { colour: false, env: {} });
  return { told: new ConsoleLog({ terminal, servers, volume }), stream };
}

const linesOf = (stream: MemoryStream): string[] => stream.text.split('\n').filter((line) => line !== '');

t.test('each event is one line of at most 80 columns', async (t) => {
  const { told, stream } = consoleLog();
  told.event({ what: 'down', server: 'mango-1', reason: 'status 500' });
  told.event({ what: 'ejected', server: 'mango-2', reason: '5 failures in a row', forMs: 30_000 });
  told.event({ what: 'returned', server: 'mango-2' });
  told.event({ what: 'up', server: 'mango-1', downMs: 65_000 });
  told.event({ what: 'route_down', route: 'www.mango.com/img', detail: 'mango-3 is down' });
  told.event({ what: 'route_up', route: 'www.mango.com/img', downMs: 65_000 });
  told.event({ what: 'availability', server: 'mango-1', to: 'draining', from: 'ready' });
  told.event({ what: 'drained', server: 'mango-1' });
  told.event({ what: 'availability', server: 'mango-1', to: 'maintenance', from: 'ready' });
  told.event({ what: 'availability', server: 'mango-1', to: 'ready', from: 'maintenance' });
  told.event({ what: 'weight', server: 'mango-2', to: 5, from: 1 });
  told.event({ what: 'added', server: 'mango-4', route: 'www.mango.com/img' });
  told.event({ what: 'removed', server: 'mango-4' });
  told.event({ what: 'queue_full', server: 'mango-3' });
  told.event({
    what: 'banned',
    client: '192.0.2.7',
    firewall: 'firewall_rules of www.mango.com',
    forMs: 600_000,
  });
  told.event({ what: 'resolved', host: 'api.internal', addresses: ['10.0.0.1', '10.0.0.2'], isFirst: false });
  told.event({ what: 'resolve_failed', host: 'api.internal', detail: 'ENOTFOUND' });
  const hosts = ['www.example.com', 'example.com'];
  const notAfter = Date.UTC(2027, 1, 3);
  told.event({ what: 'certificate_ordered', host: 'www.example.com', hosts, notAfter });
  told.event({
    what: 'certificate_failed',
    host: 'a.example',
    hosts: ['a.example'],
    reason: 'too many orders',
    retryMs: 60_000,
  });
  t.same(
    linesOf(stream).map((line) => line.slice(10)),
    [
      'mango-1 is down: status 500 (2 of 3 left)',
      'mango-2 is out for 30 s: 5 failures in a row (1 of 3 left)',
      'mango-2 gets requests again (2 of 3 left)',
      'mango-1 is back after 1 min 5 s',
      'www.mango.com/img has no server, requests get 503: mango-3 is down',
      'www.mango.com/img has a server again after 1 min 5 s',
      'mango-1 is draining: no new requests (2 of 3 left)',
      'mango-1 is drained: no request is left on it',
      'mango-1 is in maintenance: no requests at all (2 of 3 left)',
      'mango-1 is ready again',
      'mango-2 has weight 5, it was 1',
      'mango-4 was added to www.mango.com/img',
      'mango-4 was removed',
      'mango-3 has too many waiting requests, more get 503',
      '192.0.2.7 is banned for 10 min by firewall_rules of www.mango.com',
      'api.internal is now 10.0.0.1, 10.0.0.2',
      'api.internal could not be resolved: ENOTFOUND',
      'new certificate for www.example.com and 1 more, valid until 2027-02-03',
      'no certificate for a.example: too many orders (next try in 1 min)',
    ],
  );
  for (const line of linesOf(stream)) t.ok(line.length <= 80, `${line.length}: ${line}`);
});

t.test('the line of a source that fails says which servers stay, if it ever reported any', async (t) => {
  for (const [servers, said] of [
    [0, 'it has no servers'],
    [1, 'its 1 server stays'],
    [3, 'its 3 servers stay'],
  ] as const) {
    const { told, stream } = consoleLog();
    told.event({ what: 'source_failed', source: 'file /a.json', detail: 'no such file', servers });
    t.match(linesOf(stream)[0], new RegExp(`file /a\\.json: no such file; ${said}$`));
  }
});

t.test('a failed check of the default path is shown with the path, and how to set another', async (t) => {
  const { told, stream } = consoleLog();
  const chosen = { health_check: { path: '/up' }, servers: ['localhost:3'] };
  const tcp = { health_check: { type: 'tcp' as const }, servers: ['localhost:4'] };
  const hosts = [
    { host: 'b', ...chosen },
    { host: 'c', ...tcp },
  ];
  told.applyConfig(createConfig({ servers: ['localhost:1', 'localhost:2'], hosts }), '--health-path');
  told.event({ what: 'down', server: 'localhost:1', reason: 'status 500' });
  told.event({ what: 'down', server: 'localhost:2', reason: 'refused' });
  told.event({ what: 'down', server: 'localhost:3', reason: 'status 404' });
  told.event({ what: 'down', server: 'localhost:4', reason: 'timed out' });
  told.event({ what: 'added', server: 'localhost:5', route: 'default' });
  told.event({ what: 'down', server: 'localhost:5', reason: 'timed out' });
  t.same(
    linesOf(stream).map((line) => line.slice(10)),
    [
      'localhost:1 is down: status 500 for GET /, another path: --health-path',
      '(3 of 4 left)',
      'localhost:2 is down: refused (2 of 4 left)',
      'localhost:3 is down: status 404 (1 of 4 left)',
      'localhost:4 is down: timed out (0 of 4 left)',
      'localhost:5 was added to default',
      'localhost:5 is down: timed out for GET /, another path: --health-path',
      '(0 of 4 left)',
    ],
  );
});

t.test('what it means that a route has no server is said once, of the route', async (t) => {
  const { told, stream } = consoleLog('normal', 1);
  const hosts = [{ host: 'b', hold: '10s', servers: ['localhost:2'] }];
  told.applyConfig(createConfig({ servers: ['localhost:1'], hosts }), '--health-path');
  for (const server of ['localhost:1', 'localhost:2'])
    told.event({ what: 'down', server, reason: 'refused' });
  told.event({ what: 'route_down', route: 'default', detail: 'localhost:1 is down' });
  told.event({ what: 'route_down', route: 'b', detail: 'localhost:2 is down' });
  t.same(
    linesOf(stream).map((line) => line.slice(10)),
    [
      'localhost:1 is down: refused (1 of 2 left)',
      'localhost:2 is down: refused (0 of 2 left)',
      'default has no server, requests get 503: localhost:1 is down',
      'b has no server, requests wait up to 10 s for one: localhost:2 is down',
    ],
  );
});

t.test('a long line is broken at words for a window, and stays one line in a file', async (t) => {
  const servers = Array.from({ length: 12 }, (_, i) => `mango-${i + 1} is down`).join(', ');
  for (const isTty of [true, false]) {
    const stream = new MemoryStream(isTty);
    const terminal = new Terminal(stream, { colour: false, env: {} });
    const told = new ConsoleLog({ terminal, servers: 12, volume: 'normal' });
    told.event({ what: 'route_down', route: 'default', detail: servers });
    const lines = linesOf(stream);
    t.equal(lines.length, isTty ? 4 : 1);
    if (isTty) for (const line of lines) t.ok(line.length <= 80, line);
    t.match(lines.map((line) => line.trim()).join(' '), servers);
  }
});

t.test('the first addresses of a name are no news', async (t) => {
  const { told, stream } = consoleLog();
  told.event({ what: 'resolved', host: 'localhost', addresses: ['127.0.0.1'], isFirst: true });
  t.equal(stream.text, '');
  told.event({ what: 'resolved', host: 'localhost', addresses: ['127.0.0.2'], isFirst: false });
  t.match(stream.text, /localhost is now 127\.0\.0\.2\n/);
});

t.test('a server that is out for two reasons counts once', async (t) => {
  const { told, stream } = consoleLog();
  told.event({ what: 'down', server: 'a', reason: 'refused' });
  told.event({ what: 'ejected', server: 'a', reason: 'refused', forMs: 1000 });
  told.event({ what: 'availability', server: 'b', to: 'maintenance', from: 'ready' });
  told.event({ what: 'returned', server: 'a' });
  told.event({ what: 'up', server: 'a', downMs: 2000 });
  t.match(linesOf(stream).at(-2), '(1 of 3 left)', 'a is still down');
  t.match(linesOf(stream).at(-1), '(2 of 3 left)');
  told.event({ what: 'removed', server: 'b' });
  told.expect(2);
  told.event({ what: 'down', server: 'a', reason: 'refused' });
  t.match(linesOf(stream).at(-1), '(1 of 2 left)');
});

t.test('a server that was never up before is reported as up, not as back', async (t) => {
  const { told, stream } = consoleLog();
  told.event({ what: 'up', server: 'fresh', downMs: 900 });
  t.same(
    linesOf(stream).map((line) => line.slice(10)),
    ['fresh is up'],
  );
});

t.test('-q shows problems and what an operator did to a server, not the rest', async (t) => {
  const { told, stream } = consoleLog('quiet');
  told.event({ what: 'weight', server: 'a', to: 2, from: 1 });
  told.event({ what: 'added', server: 'a', route: 'default' });
  told.event({ what: 'removed', server: 'a' });
  told.event({ what: 'resolved', host: 'a', addresses: ['10.0.0.1'], isFirst: false });
  t.equal(stream.text, '');
  told.event({ what: 'ejected', server: 'a', reason: 'resets', forMs: 1000 });
  t.match(stream.text, 'a is out');
});

t.test('a thousand bans are ten lines, and nothing a client sends reaches the terminal raw', async (t) => {
  const { told, stream } = consoleLog();
  for (let i = 0; i < 1000; i++)
    told.event({
      what: 'banned',
      client: `192.0.2.${i % 256}\x1b[2J`,
      firewall: 'firewall_rules',
      forMs: 1000,
    });
  const lines = linesOf(stream);
  t.ok(lines.length >= 10 && lines.length <= 21, `${lines.length} lines: a second may end on the way`);
  t.notMatch(stream.text, '\x1b');
});

t.test('lines that were held back are counted', async (t) => {
  const flood = new LogRateLimit();
  const passed = Array.from({ length: 25 }, () => flood.pass('bans', 1000)).filter(
    (unsaid) => unsaid !== null,
  );
  t.same(passed, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  t.equal(flood.pass('others', 1000), 0, 'each kind for itself');
  t.equal(flood.pass('bans', 2000), 15);
  t.equal(flood.pass('bans', 2000), 0);
});
