import fc from 'fast-check';
import t from 'tap';
import { Histogram } from '../../lib/base/collections.js';
import { type IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';
import { NumberReader, NumberWriter } from '../../lib/base/number-stream.js';
import type { RequestRecord } from '../../lib/base/observer.js';
import { atOnce } from '../../lib/base/slices.js';
import { systemClock } from '../../lib/base/timer-wheel.js';
import { createConfig } from '../../lib/config/config.js';
import type { FirewallConfig } from '../../lib/config/types.js';
import { HoldCounts, takeHolds } from '../../lib/exchange/hold-counts.js';
import { Firewall } from '../../lib/firewall/firewall.js';
import { Metrics } from '../../lib/observe/metrics.js';
import { ObserverList } from '../../lib/observe/observer-list.js';
import { requestFamilies } from '../../lib/observe/request-families.js';
import type { RequestSummary, ThreadReader } from '../../lib/observe/thread-reader.js';
import { LoadLog, ServerCounters } from '../../lib/servers/server-counters.js';
import { RequestTally, TallyReader } from '../../lib/threads/request-tally.js';
import { type LoggedServer, ServerSums, ServerTally } from '../../lib/threads/server-tally.js';
import { ThreadReports } from '../../lib/threads/thread-reports.js';
import { recordOf } from '../observe/record.js';
import { ManualClock } from '../support/manual-clock.js';
import { FakeEngine, listenerOf, Reporting } from './reporting.js';

/** All lines of the families of `metrics`, sorted; sums of durations to the microsecond. */
function linesOf(metrics: Metrics): string[] {
  return requestFamilies(metrics)
    .flatMap(({ name, read }) =>
      [...read()].map(
        ({ labels, suffix = '', value }) =>
          `${name}${suffix} ${JSON.stringify(labels)} ${Math.round(value * 1e6) / 1e6}`,
      ),
    )
    .sort();
}

const records: fc.Arbitrary<RequestRecord> = fc
  .record({
    route: fc.constantFrom('', 'a', 'b', 'c'),
    server: fc.constantFrom('', 'mango-1', 'mango-2'),
    status: fc.constantFrom(0, 101, 200, 299, 304, 404, 503),
    reason: fc.constantFrom(
      '' as const,
      'client_abort' as const,
      'shutdown' as const,
      'connect_refused' as const,
    ),
    durationMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
    firstByteMs: fc.constantFrom(-1, 0.5, 12),
    bytesIn: fc.nat(5000),
    bytesOut: fc.nat(5000),
    attempts: fc.constantFrom(1, 2),
  })
  .map((changes) => recordOf({ startedAt: 1000, ...changes }));

t.test('what became of requests that waited for a server is summed over threads', async (t) => {
  const reporting = new Reporting(t);
  const [main, counts] = [new HoldCounts('shop'), new HoldCounts('shop')];
  reporting.holdLines.set('shop', { counts: main });
  const gone = new HoldCounts('gone');
  const reporter = reporting.start(1);
  for (const what of ['held', 'held', 'timedOut', 'refused'] as const) counts.note(what);
  gone.note('held');
  await reporting.collect();
  t.same(main.figures, { held: 2, timedOut: 1, refused: 1 });
  counts.note('held');
  reporter.flush();
  await reporting.collect();
  t.same(main.figures, { held: 3, timedOut: 1, refused: 1 }, 'each once');
  takeHolds();
});

t.test('what several threads report adds up to what one would have counted', async () => {
  fc.assert(
    fc.property(fc.array(fc.array(records, { maxLength: 20 }), { maxLength: 6 }), (rounds) => {
      const clock = new ManualClock();
      const [sum, alone] = [new Metrics(clock), new Metrics(clock)];
      const threads = [0, 1].map(() => ({ tally: new RequestTally(), reader: new TallyReader(sum) }));
      for (const [round, settled] of rounds.entries()) {
        const { tally, reader } = threads[round % 2] as (typeof threads)[number];
        for (const record of settled) {
          tally.requestSettled(record);
          alone.requestSettled({ ...record, startedAt: clock.wall() - record.durationMs });
        }
        pass(tally, reader);
      }
      const [{ routes, ...told }, { routes: ownRoutes, ...own }] = [sum.snapshot(), alone.snapshot()];
      const byName = (one: { name: string }, other: { name: string }): number =>
        one.name.localeCompare(other.name);
      return (
        same(linesOf(sum), linesOf(alone)) &&
        same([...routes].sort(byName), [...ownRoutes].sort(byName)) &&
        same(told.requests, own.requests) &&
        same([...told.servers].sort(byName), [...own.servers].sort(byName)) &&
        sum.cut === alone.cut
      );
    }),
  );
});

function same(one: unknown, other: unknown): boolean {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, item) =>
      typeof item === 'object' && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item as object).sort(([a], [b]) => a.localeCompare(b)))
        : item,
    );
  return text(one) === text(other);
}

/** Has a reader take what a tally has counted. */
function pass(tally: RequestTally, reader: TallyReader): number {
  const writer = new NumberWriter();
  atOnce(tally.write(writer));
  const numbers = writer.take();
  reader.learn(tally.takeNames());
  const entries = new NumberReader(numbers);
  while (!entries.isAtEnd) reader.read(entries.read(), entries);
  return numbers.length;
}

t.test('only routes that had requests are reported, and each name is told once', async (t) => {
  const tally = new RequestTally();
  const reader = new TallyReader(new Metrics());
  for (let route = 0; route < 1000; route++) tally.requestSettled(recordOf({ route: `route-${route}` }));
  t.ok(pass(tally, reader) > 10_000);
  t.equal(pass(tally, reader), 0, 'nothing has changed');
  tally.requestSettled(recordOf({ route: 'route-7' }));
  const writer = new NumberWriter();
  atOnce(tally.write(writer));
  t.ok(writer.length < 40, `${writer.length} numbers`);
  t.same(tally.takeNames(), { routes: [], servers: [], paths: [] });
});

t.test('a route that is forgotten is counted again under a new number', async (t) => {
  const metrics = new Metrics();
  const tally = new RequestTally();
  const reader = new TallyReader(metrics);
  tally.requestSettled(recordOf({ route: 'old', server: 'gone' }));
  pass(tally, reader);
  tally.requestSettled(recordOf({ route: 'old', server: 'gone' }));
  tally.retain(new Set(['new']), new Set());
  tally.requestSettled(recordOf({ route: 'new' }));
  tally.requestSettled(recordOf({ route: 'old' }));
  pass(tally, reader);
  const requests = metrics.snapshot().routes.map(({ name, requests }) => [name, requests]);
  t.same(requests, [
    ['old', 3],
    ['new', 1],
  ]);
});

t.test('figures of threads reach the main thread when they are asked for', async (t) => {
  const reporting = new Reporting(t);
  const [one, two] = [reporting.start(1), reporting.start(2)];
  for (let count = 0; count < 30; count++) one.requestSettled(recordOf());
  for (let count = 0; count < 12; count++) two.requestSettled(recordOf({ status: 503, reason: 'no_server' }));
  await reporting.collect();
  t.match(reporting.metrics.snapshot().requests, { total: 42, byReason: { no_server: 12 } });
  t.match(reporting.reports.threads, [
    { number: 1, requests: 30, restarts: 0 },
    { number: 2, requests: 12, restarts: 0 },
  ]);
});

t.test('figures come by themselves within a quarter of a second or so', async (t) => {
  const reporting = new Reporting(t);
  reporting.start(1).requestSettled(recordOf());
  const began = performance.now();
  while (reporting.metrics.snapshot().requests.total === 0) {
    if (performance.now() - began > 5000) throw new Error('nothing was reported');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.pass();
});

t.test(
  'connections, listeners and handshakes are summed, and those of an ended thread are gone',
  async (t) => {
    const reporting = new Reporting(t);
    const { reports } = reporting;
    const engines = [new FakeEngine(), new FakeEngine()];
    for (const [index, engine] of engines.entries()) reporting.start(index + 1, engine);
    for (const [index, engine] of engines.entries()) {
      engine.clientCount = 10 + index;
      engine.handshakes.set('ok', 5);
      engine.proxyHeaders.set('accepted', 3);
      engine.listenerFigures = [listenerOf('127.0.0.1:80', 10 + index, 2)];
    }
    await reporting.collect();
    t.equal(reports.clientCount, 21);
    t.same(reports.listenerAt('127.0.0.1:80'), { address: '127.0.0.1:80', connections: 21, turnedAway: 4 });
    t.equal(reports.sums.handshakes.get('ok'), 10);
    t.equal(reports.sums.proxyHeaders.get('accepted'), 6);
    reports.ended(1);
    t.equal(reports.clientCount, 11);
    t.same(reports.listenerAt('127.0.0.1:80'), { address: '127.0.0.1:80', connections: 11, turnedAway: 4 });
    t.equal(reports.sums.handshakes.get('ok'), 10, 'counters do not fall');
    t.match(reports.threads, [
      { number: 1, connections: 0 },
      { number: 2, connections: 11 },
    ]);
  },
);

t.test('what a thread had reported before it ended stays, also what was not read yet', async (t) => {
  const reporting = new Reporting(t);
  const { reports, metrics } = reporting;
  const first = reporting.start(1);
  first.requestSettled(recordOf());
  first.flush();
  reports.ended(1);
  t.equal(metrics.snapshot().requests.total, 1);
  reporting.start(1).requestSettled(recordOf());
  await reporting.collect();
  t.equal(metrics.snapshot().requests.total, 2);
  t.match(reports.threads, [{ number: 1, requests: 2, restarts: 1 }]);
});

t.test('a thread that does not answer delays nobody for long', async (t) => {
  const { reports } = new Reporting(t);
  const { port } = reports.connect(1);
  const began = performance.now();
  await reports.collect();
  t.ok(performance.now() - began < 1000);
  port.close();
});

t.test('an observer of requests gets every record, whole and in order', async (t) => {
  const seen: RequestRecord[] = [];
  const reporting = new Reporting(t, [{ requestSettled: (record) => void seen.push({ ...record }) }]);
  const reporter = reporting.start(1);
  const transport = {
    scheme: 'https',
    port: 443,
    alpn: 'http/1.1',
    sni: 'www.mango.com',
    tls: {
      version: 'TLSv1.3',
      cipher: 'TLS_AES_128_GCM_SHA256',
      resumed: true,
      policy: '',
      policyOf: null,
      clientCertificate: null,
    },
  } as const;
  const policed = { ...transport, tls: { ...transport.tls, policyOf: () => '' } };
  const sent = Array.from({ length: 1000 }, (_, index) =>
    recordOf({
      requestId: String(index),
      route: `route-${index % 7}`,
      traceId: 'a'.repeat(32),
      detail: 'more than one Host field',
      requestHeadText: 'GET / HTTP/1.1\r\nHost: é\r\n\r\n',
      serverHeadText: 'GET / HTTP/1.1\r\nHost: é\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n',
      responseHeadText: 'HTTP/1.1 200 OK\r\n\r\n',
      ...(index % 2 === 0 ? {} : { transport: policed }),
      attempts: 2,
      tries: [
        { server: 'mango-1', reason: 'connect_refused', status: 0, durationMs: 0.1, reused: false },
        { server: 'mango-2', reason: '', status: 200, durationMs: 1.5, reused: true },
      ],
    }),
  );
  for (const record of sent) reporter.requestSettled(record);
  await reporting.collect();
  t.equal(seen.length, 1000);
  t.same(
    seen,
    sent.map((record) => (record.transport === policed ? { ...record, transport } : record)),
  );
});

t.test('without an observer of records none are posted', async (t) => {
  const reports = new ThreadReports({
    clock: systemClock,
    metrics: new Metrics(),
    observer: new ObserverList([new Metrics(), { event: () => {} }]),
    firewalls: () => [],
    holdLineOf: () => undefined,
    spans: { take: () => {}, spans: { dropped: 0 } },
  });
  const { terms, port } = reports.connect(1);
  t.same(terms, { records: false, serverHeads: false, failures: false, lines: null });
  port.close();
  reports.close();
});

t.test('records beyond what may wait are dropped, counted and reported', async (t) => {
  let seen = 0;
  const reporting = new Reporting(t, [{ requestSettled: () => void seen++ }]);
  const reporter = reporting.start(1);
  const requestHeadText = 'x'.repeat(10_000);
  // The main thread, which is this one, reads nothing meanwhile.
  for (let count = 0; count < 1000; count++) reporter.requestSettled(recordOf({ requestHeadText }));
  await reporting.collect();
  t.ok(seen > 300 && seen < 500, `${seen} were passed on`);
  t.equal(reporting.metrics.lostRecords, 1000 - seen);
  t.equal(reporting.metrics.snapshot().requests.total, 1000, 'all are counted');
  t.match(reporting.events, [{ what: 'warning', message: /requests were not reported to observers/ }]);
  for (let count = 0; count < 100; count++) reporter.requestSettled(recordOf());
  await reporting.collect();
  t.equal(
    reporting.metrics.lostRecords,
    1000 - seen + 100,
    'after the main thread has caught up, none are dropped',
  );
});

t.test('observers that read summaries get no records', async (t) => {
  const summaries: RequestSummary[] = [];
  const reader: ThreadReader = {
    reads: 'failures',
    requestSettled: () => t.fail('it was passed a record'),
    requestsSummed: (summary) => void summaries.push(summary),
  };
  const reporting = new Reporting(t, [reader]);
  const reporter = reporting.start(1);
  for (let count = 0; count < 9; count++) reporter.requestSettled(recordOf({ durationMs: 2 }));
  reporter.requestSettled(recordOf({ status: 502, reason: 'connect_refused', durationMs: 40 }));
  reporter.requestSettled(recordOf({ status: 403, reason: 'blocked_ip', durationMs: 40 }));
  await reporting.collect();
  t.match(summaries, [{ requests: 11, errors: 1 }]);
  const [{ latencies, failures }] = summaries as [RequestSummary];
  t.ok(Math.abs((latencies[0] ?? 0) - 2) < 0.15);
  t.equal(latencies[1], 9);
  t.equal(latencies[3], 2);
  t.match(failures, [
    { reason: 'connect_refused', count: 1 },
    { reason: 'blocked_ip', count: 1 },
  ]);
});

t.test('an event that several threads report is emitted once', async (t) => {
  const reporting = new Reporting(t);
  const reporters = [1, 2, 3].map((thread) => reporting.start(thread));
  for (const reporter of reporters) {
    reporter.event({ what: 'warning', message: 'the kernel has no buffer left' });
    reporter.event({ what: 'queue_full', server: 'mango-1' });
    reporter.event({ what: 'banned', client: '192.0.2.1', firewall: 'firewall_rules', forMs: 1000 });
    reporter.event({ what: 'down', server: 'mango-1', reason: 'the main thread says this' });
  }
  reporters[0]?.event({ what: 'queue_full', server: 'mango-2' });
  reporters[0]?.event({ what: 'warning', message: 'the kernel has no buffer left' });
  await reporting.collect();
  t.same(
    reporting.events.map(({ what }) => what).sort(),
    ['banned', 'queue_full', 'queue_full', 'warning', 'warning'],
    'a thread may repeat what it alone said',
  );
});

t.test('a warning whose words differ from thread to thread is said once in its time', async (t) => {
  const reporting = new Reporting(t);
  const reporters = [1, 2, 3].map((thread) => reporting.start(thread));
  const limit = { kind: 'shortage EMFILE', everyMs: 60_000 };
  for (const [index, reporter] of reporters.entries()) {
    reporter.event({ what: 'warning', message: `no connection to server ${index}`, limit });
    reporter.event({ what: 'warning', message: `no room ${index}`, limit: { kind: 'full', everyMs: 0 } });
    await reporting.collect();
  }
  t.same(reporting.events.map((event) => (event.what === 'warning' ? event.message : event.what)).sort(), [
    'no connection to server 0',
    'no room 0',
    'no room 1',
    'no room 2',
  ]);
});

/** A server that only counts, and the log of its engine. */
function serverOf(log: LoadLog): LoggedServer {
  return {
    id: log.newId(),
    log,
    totals: new ServerCounters(),
    responseTimes: new Histogram(),
    pool: { opened: 0, unsolicited: 0 },
  };
}

function serve(server: LoggedServer, ms: number): void {
  server.log.write(server.id);
  server.totals.requests++;
  server.totals.responses[2]!++;
  server.totals.bytesOut += 100;
  server.responseTimes.observe(ms);
}

t.test('what engines count of a server is added up in the main thread', async (t) => {
  const reporting = new Reporting(t);
  const log = new LoadLog();
  const [first, second] = [serverOf(log), serverOf(log)];
  for (const [number, server] of [first, second].entries()) reporting.reports.servers.watch(server, number);
  const engines = [1, 2].map((thread) => {
    const own = new LoadLog();
    const servers = [serverOf(own), serverOf(own)] as [LoggedServer, LoggedServer];
    const reporter = reporting.start(thread);
    for (const [number, server] of servers.entries()) reporter.watchServer(server, number);
    return servers;
  });
  for (let count = 0; count < 100; count++) for (const [server] of engines) serve(server, 3);
  engines[1]![1].pool.opened = 7;
  engines[1]![1].pool.unsolicited = 1;
  serve(engines[1]![1], 12_000);
  await reporting.collect();
  t.match(first.totals, { requests: 200, bytesOut: 20_000 });
  t.equal(first.totals.responses[2], 200);
  t.equal(first.responseTimes.counts[2], 200);
  t.equal(first.responseTimes.sum, 600);
  t.match(second, { totals: { requests: 1 }, pool: { opened: 7, unsolicited: 1 } });
  engines[0]![0].totals.failures++;
  engines[0]![0].log.write(engines[0]![0].id);
  await reporting.collect();
  t.match(first.totals, { requests: 200, failures: 1 }, 'only the difference is added');
  reporting.reports.servers.unwatch(0);
  serve(engines[0]![0], 1);
  await reporting.collect();
  t.equal(first.totals.requests, 200, 'the main thread has let go of it');
});

t.test('no server is missed when there are more requests than the log keeps', async (t) => {
  const log = new LoadLog();
  const tally = new ServerTally();
  const sums = new ServerSums();
  const pairs = Array.from({ length: 50 }, (_, number) => {
    const [there, here] = [serverOf(log), serverOf(log)];
    tally.watch(there, number);
    sums.watch(here, number);
    return { there, here };
  });
  for (let count = 0; count < 20_000; count++) serve(pairs[count === 0 ? 49 : count % 3]!.there, 1);
  const writer = new NumberWriter();
  atOnce(tally.write(writer));
  const numbers = new NumberReader(writer.take());
  while (!numbers.isAtEnd) t.ok(sums.read(numbers.read(), numbers));
  for (const { there, here } of pairs) t.equal(here.totals.requests, there.totals.requests);
  atOnce(tally.write(writer));
  t.equal(writer.length, 0, 'nothing has changed since');
});

t.test('refusals of threads are added to the guards of the main thread', async (t) => {
  const { firewall: config } = createConfig({
    firewall_rules: { path_reject: ['/secret'], ip_reject: ['192.0.2.0/24'] },
  });
  const firewallOf = (): Firewall => new Firewall(config as FirewallConfig, 'connections', systemClock);
  const reporting = new Reporting(t);
  const [main, there] = [firewallOf(), firewallOf()];
  reporting.firewalls = [main];
  reporting.start(1);
  const client = parseIpAddress('192.0.2.1') as IpAddress;
  for (let count = 0; count < 3; count++) t.equal(there.judgeAccept(client).refused, true);
  await reporting.collect();
  t.same(
    main.counts.map(({ guard, refused, observed }) => [guard, refused, observed]),
    [
      ['ip_reject', 3, 0],
      ['path_reject', 0, 0],
    ],
  );
});
