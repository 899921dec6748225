import t, { type Test } from 'tap';
import type { BalancerEvent } from '../../../lib/base/observer.js';
import { createConfig } from '../../../lib/config/config.js';
import type { TracingConfig } from '../../../lib/config/types.js';
import { type SpanCounts, SpanExport } from '../../../lib/observe/otlp/span-export.js';
import type { SpanBlock } from '../../../lib/observe/otlp/span-writer.js';
import { FakeCollector } from '../../support/collector.js';
import { until } from '../../support/loop-ticks.js';
import { ManualClock } from '../../support/manual-clock.js';
import { deadAddress, origin, readRequest } from '../../support/origin.js';
import { faultsOf } from '../../support/otlp-protocol.js';
import { switching } from '../../support/switching.js';

interface Exporting {
  readonly to: SpanExport;
  readonly clock: ManualClock;
  readonly counts: SpanCounts;
  readonly events: BalancerEvent[];
}

function exporting(t: Test, otlp: string, tracing: object = {}): Exporting {
  const config = createConfig({ tracing: { otlp, interval: '1s', batch: 10, queue: 100, ...tracing } });
  const clock = new ManualClock();
  const counts = { sent: 0, rejected: 0, dropped: 0 };
  const events: BalancerEvent[] = [];
  const observer = { event: (event: BalancerEvent) => void events.push(event) };
  const to = new SpanExport(config.tracing as TracingConfig, {
    clock,
    observer,
    userAgent: 'lb/1.2.3',
    counts,
  });
  t.teardown(() => to.close());
  return { to, clock, counts, events };
}

let last = 0;

function block(spans = 1): SpanBlock {
  const texts = Array.from({ length: spans }, () => {
    const spanId = String(++last).padStart(16, '0');
    return `{"traceId":"${'1'.repeat(32)}","spanId":"${spanId}","name":"n","attributes":[]}`;
  });
  return { bytes: new Uint8Array(Buffer.from(texts.join(','))), spans };
}

t.test('spans wait for others up to the interval, and are sent at once when a batch is full', async (t) => {
  const collector = await FakeCollector.start(t);
  const { to, clock, counts } = exporting(t, collector.url, {
    service: 'caf\u00e9',
    attributes: { 'deployment.environment.name': 'pr\u00f6d', tier: 1 },
    headers: { Authorization: 'Bearer s3cr3t' },
  });
  to.take(block(2));
  to.take(block(3));
  clock.advance(999);
  t.equal(collector.exports.length, 0);
  clock.advance(1);
  await collector.spansWhen(5);
  await until(() => counts.sent === 5);
  to.take(block(10));
  await collector.spansWhen(15);
  for (const { json, headers, path, text } of collector.exports) {
    t.same(faultsOf(json, 'ExportTraceServiceRequest'), []);
    t.equal(path, '/v1/traces');
    t.match(headers, {
      authorization: 'Bearer s3cr3t',
      'user-agent': 'lb/1.2.3',
      'content-type': 'application/json',
    });
    t.match(text, /^[ -~]*$/, 'ASCII alone');
    t.match(json.resourceSpans[0].resource.attributes, [
      { key: 'service.name', value: { stringValue: 'caf\u00e9' } },
    ]);
    const names = json.resourceSpans[0].resource.attributes.map(({ key }: { key: string }) => key);
    t.same(names, [
      'service.name',
      'service.version',
      'service.instance.id',
      'host.name',
      'telemetry.sdk.name',
      'telemetry.sdk.language',
      'telemetry.sdk.version',
      'deployment.environment.name',
      'tier',
    ]);
    t.equal(json.resourceSpans[0].scopeSpans[0].scope.name, 'lb');
  }
  await until(() => counts.sent === 15);
});

t.test('one request is under way at a time; what comes meanwhile goes with the next one', async (t) => {
  const collector = await FakeCollector.start(t);
  let answer: () => void = () => {};
  collector.answer = () => new Promise((resolve) => (answer = () => resolve({})));
  const { to, counts } = exporting(t, collector.url);
  to.take(block(10));
  await until(() => collector.exports.length === 1);
  to.take(block(5));
  to.take(block(5));
  to.take(block(5));
  answer();
  await until(() => collector.exports.length === 2);
  t.equal(collector.spans.length, 20, 'as many whole blocks as fit into a batch');
  answer();
  await until(() => counts.sent === 20);
});

t.test('a collector that switches protocols is a failure, and spans are sent again', async (t) => {
  const collector = await switching(t);
  const { to, clock, events } = exporting(t, collector.url);
  to.take(block(10));
  await until(() => events.length === 1);
  t.match(events[0], { what: 'export_failed', detail: /switches protocols/ });
  await until(() => {
    clock.advance(1000);
    return collector.requests() > 1;
  });
});

t.test('gzip compresses what is sent', async (t) => {
  const collector = await FakeCollector.start(t);
  const { to, clock } = exporting(t, `${collector.url}/tenant/`, { compression: 'gzip' });
  to.take(block(3));
  clock.advance(1000);
  await collector.spansWhen(3);
  t.equal(collector.exports[0]?.headers['content-encoding'], 'gzip');
  t.equal(collector.exports[0]?.path, '/tenant/v1/traces');
});

t.test('what is asked for later is sent again when the collector says so, with one event', async (t) => {
  const collector = await FakeCollector.start(t);
  collector.answer = (count) =>
    count < 3 ? { status: count === 1 ? 429 : 503, headers: { 'Retry-After': '7' } } : {};
  const { to, clock, counts, events } = exporting(t, collector.url);
  to.take(block(10));
  for (const count of [1, 2]) {
    await until(() => to.health.requests.failed === count);
    to.take(block(1));
    clock.advance(6999);
    t.equal(collector.exports.length, count);
    clock.advance(1);
  }
  await until(() => counts.sent > 0);
  t.same(new Set(collector.exports.slice(0, 2).map(({ text }) => text)).size, 1, 'the same spans');
  t.same(events, [
    { what: 'export_failed', signal: 'traces', detail: 'status 429' },
    { what: 'export_recovered', signal: 'traces', failedMs: 14_000, dropped: 0 },
  ]);
});

t.test('what waits is bounded in bytes too', async (t) => {
  const { to, counts } = exporting(t, `http://${await deadAddress()}`);
  const long = (): SpanBlock => ({ bytes: new Uint8Array(600_000), spans: 1 });
  to.take(long());
  to.take(long());
  t.equal(to.waiting, 1);
  t.equal(counts.dropped, 1);
  await to.close();
  t.equal(counts.dropped, 2);
});

t.test(
  'a collector that is away is asked at growing intervals; what the queue does not hold is dropped',
  async (t) => {
    const { to, clock, counts, events } = exporting(t, `http://${await deadAddress()}`);
    to.take(block(10));
    let waited = 0;
    for (let failures = 1; failures <= 7; failures++) {
      await until(() => to.health.requests.failed === failures);
      const pause = Math.min(30_000, 1000 * 2 ** (failures - 1));
      clock.advance(pause / 2 - 1);
      t.equal(to.health.requests.failed, failures);
      clock.advance(pause / 2 + 1);
      waited += pause;
    }
    t.ok(waited > 60_000);
    for (let count = 0; count < 30; count++) to.take(block(5));
    t.equal(to.waiting, 100);
    t.equal(counts.dropped, 60);
    t.equal(events.length, 1);
    t.match(events[0], { what: 'export_failed', signal: 'traces', detail: 'ECONNREFUSED' });
    await to.close();
    t.equal(to.waiting, 0);
    t.equal(counts.dropped, 160);
  },
);

t.test('a block of more spans than the queue holds is sent when none waits', async (t) => {
  const collector = await FakeCollector.start(t);
  const { to, counts } = exporting(t, collector.url, { batch: 10, queue: 20 });
  to.take(block(100));
  t.equal(to.waiting, 100);
  to.take(block(1));
  t.equal(counts.dropped, 1, 'the next one waits for room');
  await until(() => counts.sent === 100);
  to.take(block(100));
  await until(() => counts.sent === 200);
  t.equal(counts.dropped, 1);
});

t.test('a collector that comes back gets what waits, and the event says what was lost', async (t) => {
  const collector = await FakeCollector.start(t);
  collector.answer = (count) => (count === 1 ? { status: 502 } : {});
  const { to, clock, counts, events } = exporting(t, collector.url);
  to.take(block(10));
  await until(() => to.health.isFailing);
  for (let count = 0; count < 20; count++) to.take(block(5));
  clock.advance(1000);
  await until(() => counts.sent === 10);
  clock.advance(1000);
  await until(() => to.waiting === 0);
  t.match(events[1], { what: 'export_recovered', dropped: 10 });
  t.same(counts, { sent: 100, rejected: 0, dropped: 10 });
});

t.test('what is refused for good is dropped, and a redirect is not followed', async (t) => {
  for (const [status, detail] of [
    [400, 'status 400; its spans are dropped'],
    [301, 'status 301, a redirect; its spans are dropped'],
    [500, 'status 500; its spans are dropped'],
  ] as const) {
    const collector = await FakeCollector.start(t);
    collector.answer = (count) => (count === 1 ? { status, headers: { Location: collector.url } } : {});
    const { to, clock, counts, events } = exporting(t, collector.url);
    to.take(block(10));
    await until(() => counts.dropped === 10);
    t.match(events, [{ what: 'export_failed', signal: 'traces', detail }]);
    to.take(block(1));
    clock.advance(1000);
    await until(() => counts.sent === 1);
    t.equal(collector.exports.length, 2);
  }
});

t.test('what a collector takes in part is counted, whatever the answer looks like', async (t) => {
  const collector = await FakeCollector.start(t);
  const answers = [
    '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}',
    '{"partialSuccess":{"rejectedSpans":99}}',
    '{"partialSuccess":{"rejectedSpans":-1,"errorMessage":7}}',
    '',
    'ok',
    'null',
    ' '.repeat(100_000),
  ];
  collector.answer = (count) => ({ body: answers[count - 1] ?? '{}' });
  const { to, counts } = exporting(t, collector.url);
  let taken = 0;
  for (const _answer of answers) {
    to.take(block(10));
    taken += 10;
    await until(() => counts.sent + counts.rejected === taken);
  }
  t.same(counts, { sent: 57, rejected: 13, dropped: 0 });
});

t.test('a collector that does not answer in time is one that failed', async (t) => {
  const collector = await FakeCollector.start(t);
  collector.answer = () => new Promise(() => {});
  const { to, events } = exporting(t, collector.url, { timeout: '20ms' });
  to.take(block(10));
  await until(() => events.length === 1);
  t.match(events, [{ what: 'export_failed', detail: 'no answer within 20 ms' }]);
});

t.test('a connection that the collector closed while it was idle is replaced at once', async (t) => {
  const paths: string[] = [];
  const server = await origin(t, async (connection, index) => {
    paths.push(`${index} ${(await readRequest(connection)).head.split(' ')[1]}`);
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    if (index > 0) return;
    await connection.readHead();
    connection.reset();
  });
  const { to, counts, events } = exporting(t, `http://${server.address}`);
  to.take(block(10));
  await until(() => counts.sent === 10);
  to.take(block(10));
  await until(() => counts.sent === 20);
  t.same(paths, ['0 /v1/traces', '1 /v1/traces']);
  t.same(events, []);
});
