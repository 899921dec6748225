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
  told.serverDown('mango-1', 'status 500');
  told.serverEjected('mango-2', '5 failures in a row', 30_000);
  told.serverReturned('mango-2');
  told.serverUp('mango-1', 65_000);
  told.routeDown('www.mango.com/img', 'mango-3 is down');
  told.routeUp('www.mango.com/img', 65_000);
  told.availabilityChanged('mango-1', 'draining');
  told.serverDrained('mango-1');
  told.availabilityChanged('mango-1', 'maintenance');
  told.availabilityChanged('mango-1', 'ready');
  told.weightChanged('mango-2', 5, 1);
  told.serverAdded('mango-4', 'www.mango.com/img');
  told.serverRemoved('mango-4');
  told.queueFull('mango-3');
  told.banned('192.0.2.7', 'firewall_rules of www.mango.com', 600_000);
  told.resolved('api.internal', ['10.0.0.1', '10.0.0.2']);
  told.resolveFailed('api.internal', 'ENOTFOUND');
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
      'mango-3 has too many requests in line, more get 503',
      '192.0.2.7 is banned for 10 min by firewall_rules of www.mango.com',
      'api.internal is now 10.0.0.1, 10.0.0.2',
      'api.internal could not be resolved: ENOTFOUND',
    ],
  );
  for (const line of linesOf(stream)) t.ok(line.length <= 80, `${line.length}: ${line}`);
});

t.test(
  'of a server that did not like a path that nobody chose it says which, and where to choose',
  async (t) => {
    const { told, stream } = consoleLog();
    const chosen = { health_check: { path: '/up' }, servers: ['localhost:3'] };
    const tcp = { health_check: { type: 'tcp' as const }, servers: ['localhost:4'] };
    const hosts = [
      { host: 'b', ...chosen },
      { host: 'c', ...tcp },
    ];
    told.applyConfig(createConfig({ servers: ['localhost:1', 'localhost:2'], hosts }), '--health-path');
    told.serverDown('localhost:1', 'status 500');
    told.serverDown('localhost:2', 'refused');
    told.serverDown('localhost:3', 'status 404');
    told.serverDown('localhost:4', 'timed out');
    told.serverAdded('localhost:5', 'default');
    told.serverDown('localhost:5', 'timed out');
    t.same(
      linesOf(stream).map((line) => line.slice(10)),
      [
        'localhost:1 is down: status 500 for GET /, another path: --health-path (3 of 4 left)',
        'localhost:2 is down: refused (2 of 4 left)',
        'localhost:3 is down: status 404 (1 of 4 left)',
        'localhost:4 is down: timed out (no server left, requests get 503)',
        'localhost:5 was added to default',
        'localhost:5 is down: timed out for GET /, another path: --health-path (no server left, requests get 503)',
      ],
    );
  },
);

t.test('the first addresses of a name are no news', async (t) => {
  const { told, stream } = consoleLog();
  told.resolved('localhost', ['127.0.0.1'], true);
  t.equal(stream.text, '');
  told.resolved('localhost', ['127.0.0.2'], false);
  t.match(stream.text, /localhost is now 127\.0\.0\.2\n/);
});

t.test('a server that is out for two reasons is one server', async (t) => {
  const { told, stream } = consoleLog();
  told.serverDown('a', 'refused');
  told.serverEjected('a', 'refused', 1000);
  told.availabilityChanged('b', 'maintenance');
  told.serverReturned('a');
  told.serverUp('a', 2000);
  t.match(linesOf(stream).at(-2), '(1 of 3 left)', 'a is still down');
  t.match(linesOf(stream).at(-1), '(2 of 3 left)');
  told.serverRemoved('b');
  told.expect(2);
  told.serverDown('a', 'refused');
  t.match(linesOf(stream).at(-1), '(1 of 2 left)');
});

t.test('one that was never believed to be up is not back, but up', async (t) => {
  const { told, stream } = consoleLog();
  told.serverUp('fresh', 900);
  t.same(
    linesOf(stream).map((line) => line.slice(10)),
    ['fresh is up'],
  );
});

t.test('-q tells of problems and of what an operator did to a server, not of the rest', async (t) => {
  const { told, stream } = consoleLog('quiet');
  told.weightChanged('a', 2, 1);
  told.serverAdded('a', 'default');
  told.serverRemoved('a');
  told.resolved('a', ['10.0.0.1']);
  t.equal(stream.text, '');
  told.serverEjected('a', 'resets', 1000);
  t.match(stream.text, 'a is out');
});

t.test('a thousand bans are ten lines, and nothing a client sends reaches the terminal raw', async (t) => {
  const { told, stream } = consoleLog();
  for (let i = 0; i < 1000; i++) told.banned(`192.0.2.${i % 256}\x1b[2J`, 'firewall_rules', 1000);
  const lines = linesOf(stream);
  t.ok(lines.length >= 10 && lines.length <= 21, `${lines.length} lines: a second may end on the way`);
  t.notMatch(stream.text, '\x1b');
});

t.test('what was held back is counted', async (t) => {
  const flood = new LogRateLimit();
  const passed = Array.from({ length: 25 }, () => flood.pass('bans', 1000)).filter(
    (unsaid) => unsaid !== null,
  );
  t.same(passed, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  t.equal(flood.pass('others', 1000), 0, 'each kind for itself');
  t.equal(flood.pass('bans', 2000), 15);
  t.equal(flood.pass('bans', 2000), 0);
});
