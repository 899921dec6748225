import t, { type Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { type CollectorAnswer, FakeCollector, type ReceivedSpan } from '../support/collector.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { deadAddress, field, origin, readRequest } from '../support/origin.js';
import { faultsOf } from '../support/otlp-protocol.js';
import { THREADS } from '../support/thread-switch.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const SERVER = 2;
const CLIENT = 3;

type Settings = Parameters<typeof startBalancer>[1];

/** A server that keeps the heads it gets, and answers with `status`. */
async function keeping(t: Test, status = '200 OK') {
  const heads: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      heads.push(head);
      await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nok`);
    }
  });
  return { heads, address: server.address };
}

async function started(t: Test, tracing: object, settings: Settings) {
  const collector = await FakeCollector.start(t);
  const lb = await startBalancer(t, {
    tracing: { otlp: collector.url, sample: '100%', interval: '5ms', ...tracing },
    ...settings,
  });
  return { ...lb, collector };
}

function get(path: string, ...lines: readonly string[]): string {
  return `GET ${path} HTTP/1.1\r\nHost: www.mango.com\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
}

function byKind(spans: readonly ReceivedSpan[], kind: number): readonly ReceivedSpan[] {
  return spans.filter((span) => span.kind === kind);
}

t.test('a request has a span of its own and one for its attempt, which traceparent names', async (t) => {
  const server = await keeping(t);
  const { connect, collector, seen } = await started(
    t,
    { service: 'shop' },
    { servers: [{ address: server.address, name: 'one' }] },
  );
  const client = await connect();
  client.send(get('/a?b=1&token=s3cr3t&sig=s3cr3t', 'User-Agent: curl/8'));
  await client.response();
  const { requestHeadText, serverHeadText } = await seen.request(1);
  t.notMatch(requestHeadText, 'traceparent');
  t.equal(serverHeadText, server.heads[0], '-v shows what the server gets, the traceparent too');
  const spans = await collector.spansWhen(2);
  const [of] = byKind(spans, SERVER) as [ReceivedSpan];
  const [to] = byKind(spans, CLIENT) as [ReceivedSpan];
  t.equal(of.name, 'GET default');
  t.equal(of.parentSpanId, undefined);
  t.match(of.traceId, /^[\da-f]{32}$/);
  t.equal(of.flags, 0x101);
  t.same(of.attributes, {
    'http.request.method': 'GET',
    'url.scheme': 'http',
    'url.path': '/a',
    'url.query': 'b=1&token=***&sig=REDACTED',
    'server.address': 'www.mango.com',
    'server.port': 80,
    'client.address': '127.0.0.1',
    'http.route': 'default',
    'http.response.status_code': 200,
    'network.protocol.version': '1.1',
    'user_agent.original': 'curl/8',
    'lb.request_id': seen.requests[0]?.requestId,
    'lb.connect_ms': of.attributes['lb.connect_ms'],
  });
  t.type(of.attributes['lb.connect_ms'], 'number');
  t.equal(to.name, 'GET');
  t.equal(to.traceId, of.traceId);
  t.equal(to.parentSpanId, of.spanId);
  const port = Number(server.address.split(':')[1]);
  t.same(to.attributes, {
    'http.request.method': 'GET',
    'server.address': '127.0.0.1',
    'server.port': port,
    'url.full': `http://127.0.0.1:${port}/a?b=1&token=***&sig=REDACTED`,
    'http.response.status_code': 200,
    'network.protocol.version': '1.1',
    'lb.server': 'one',
    'lb.connection_reused': false,
  });
  t.same([of.status, to.status], [undefined, undefined], 'neither an error nor said to be right');
  t.equal(field(server.heads[0] as string, 'traceparent'), `00-${of.traceId}-${to.spanId}-01`);
  t.equal(field(server.heads[0] as string, 'tracestate'), null);
  t.ok(BigInt(of.startTimeUnixNano) <= BigInt(to.startTimeUnixNano), 'the attempt begins in the request');
  t.ok(BigInt(to.endTimeUnixNano) <= BigInt(of.endTimeUnixNano), 'and ends in it');
  t.ok(Math.abs(Number(BigInt(of.startTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000, 'it is now');
  for (const { json, path, headers } of collector.exports) {
    t.same(faultsOf(json, 'ExportTraceServiceRequest'), []);
    t.equal(path, '/v1/traces');
    t.equal(headers['content-type'], 'application/json');
  }
});

t.test(
  'what a trusted peer sends is continued, with its decision, its tracestate and a parent of our own',
  async (t) => {
    const server = await keeping(t);
    const { connect, collector, seen } = await started(
      t,
      { sample: '0%' },
      { servers: [server.address], trusted_proxies: ['127.0.0.1'] },
    );
    const client = await connect();
    client.send(get('/', `traceparent: ${PARENT}`, 'tracestate: foo=1', 'tracestate: bar=2'));
    await client.response();
    const [of, to] = (await collector.spansWhen(2)) as [ReceivedSpan, ReceivedSpan];
    t.equal(of.traceId, TRACE);
    t.equal(of.parentSpanId, SPAN);
    t.equal(of.flags, 0x301);
    t.equal(of.traceState, 'foo=1,bar=2');
    t.equal(field(server.heads[0] as string, 'traceparent'), `00-${TRACE}-${to.spanId}-01`);
    t.equal(field(server.heads[0] as string, 'tracestate'), 'foo=1,bar=2');
    t.equal(server.heads[0]?.match(/^traceparent:/gim)?.length, 1);
    t.equal(server.heads[0]?.match(/^tracestate:/gim)?.length, 1);
    t.match(await seen.request(1), { traceId: TRACE, spanId: of.spanId });
    client.send(get('/', `traceparent: 00-${TRACE}-${SPAN}-00`));
    await client.response();
    t.match(
      field(server.heads[1] as string, 'traceparent') ?? '',
      new RegExp(`^00-${TRACE}-(?!${SPAN})[\\da-f]{16}-00$`),
    );
    client.send(get('/', `traceparent: ${PARENT}`, `traceparent: ${PARENT}`, 'tracestate: foo=1'));
    await client.response();
    t.match(
      field(server.heads[2] as string, 'traceparent') ?? '',
      new RegExp(`^00-(?!${TRACE})[\\da-f]{32}-[\\da-f]{16}-00$`),
    );
    t.equal(field(server.heads[2] as string, 'tracestate'), null, 'a new trace has no state');
    t.equal(collector.spans.length, 2, 'what the caller does not record is not recorded here');
  },
);

t.test('the trace of a stranger begins here, with a link to what it sent', async (t) => {
  const server = await keeping(t);
  const { connect, collector } = await started(t, {}, { servers: [server.address] });
  const client = await connect();
  client.send(get('/', `traceparent: ${PARENT}`, 'tracestate: foo=1'));
  await client.response();
  const [of] = (await collector.spansWhen(2)) as [ReceivedSpan];
  t.not(of.traceId, TRACE);
  t.equal(of.parentSpanId, undefined);
  t.match(of.links, [{ traceId: TRACE, spanId: SPAN }]);
  t.notMatch(server.heads[0] as string, new RegExp(TRACE));
  t.notMatch(server.heads[0] as string, /tracestate/i);
});

t.test(
  'continue_from: anyone continues the trace of a stranger, nobody not even that of a trusted peer',
  async (t) => {
    const server = await keeping(t);
    const one = await started(t, { continue_from: 'anyone' }, { servers: [server.address] });
    const other = await started(
      t,
      { continue_from: 'nobody' },
      { servers: [server.address], trusted_proxies: ['127.0.0.1'] },
    );
    for (const { connect } of [one, other]) {
      const client = await connect();
      client.send(get('/', `traceparent: ${PARENT}`));
      await client.response();
    }
    t.match(server.heads[0], new RegExp(`traceparent: 00-${TRACE}`));
    t.notMatch(server.heads[1], new RegExp(TRACE));
  },
);

t.test('each attempt has a span and a parent of its own', async (t) => {
  const failing = await keeping(t, '503 Service Unavailable');
  const server = await keeping(t);
  const dead = await deadAddress();
  const { connect, collector } = await started(
    t,
    {},
    {
      servers: [dead, failing.address, server.address],
      algorithm: 'first',
      retry: { attempts: 2, on: ['connect', 503] },
    },
  );
  const client = await connect();
  client.send(get('/'));
  await client.response();
  const spans = await collector.spansWhen(4);
  const tries = byKind(spans, CLIENT);
  t.same(
    tries.map(({ attributes, status }) => [
      attributes['error.type'],
      attributes['http.response.status_code'],
      attributes['http.request.resend_count'],
      status,
    ]),
    [
      ['connect_refused', undefined, undefined, { code: 2 }],
      ['503', 503, 1, { code: 2 }],
      [undefined, 200, 2, undefined],
    ],
  );
  t.equal(new Set(tries.map(({ spanId }) => spanId)).size, 3);
  t.match(failing.heads[0], new RegExp(`traceparent: 00-${tries[1]?.traceId}-${tries[1]?.spanId}-01`));
  t.match(server.heads[0], new RegExp(`traceparent: 00-${tries[2]?.traceId}-${tries[2]?.spanId}-01`));
  t.equal(byKind(spans, SERVER)[0]?.status, undefined);
});

t.test('a failure of ours is an error with the reason word, a fault of the client is none', async (t) => {
  const { connect, collector } = await started(
    t,
    {},
    { servers: [await deadAddress()], paths: [{ path: '/no', respond: { status: 404 } }] },
  );
  const client = await connect();
  client.send(get('/'));
  await client.response();
  client.send(get('/no'));
  await client.response();
  client.send('BREW / HTTP/1.1\r\nHost: a:81\r\nHost: b\r\n\r\n');
  await client.response();
  const [failed, own, refused] = byKind(await collector.spansWhen(4), SERVER) as [
    ReceivedSpan,
    ReceivedSpan,
    ReceivedSpan,
  ];
  t.equal(failed.attributes['error.type'], 'connect_refused');
  t.equal(failed.attributes['http.response.status_code'], 502);
  t.same(failed.status, { code: 2 });
  t.equal(own.name, 'GET /no');
  t.equal(own.status, undefined);
  t.equal(refused.attributes['http.response.status_code'], 400);
  t.equal(refused.attributes['error.type'], undefined);
  t.equal(refused.attributes['lb.reason'], 'bad_request');
  t.equal(refused.status, undefined);
});

t.test('a trace that is not recorded costs no span, and the traceparent of the server says so', async (t) => {
  const server = await keeping(t);
  const { connect, balancer, collector, seen } = await started(
    t,
    { sample: '0%' },
    { servers: [server.address] },
  );
  const client = await connect();
  for (let count = 0; count < 3; count++) {
    client.send(get('/'));
    await client.response();
  }
  await seen.request(3);
  const lines = server.heads.map((head) => field(head, 'traceparent') ?? '');
  t.equal(new Set(lines.map((line) => line.slice(3, 35))).size, 3);
  for (const [index, line] of lines.entries()) {
    const { traceId, spanId, trace } = seen.requests[index] as {
      traceId: string;
      spanId: string;
      trace: unknown;
    };
    t.equal(line, `00-${traceId}-${spanId}-00`);
    t.equal(trace, null);
  }
  balancer.stop();
  await balancer.ended;
  t.equal(collector.exports.length, 0);
});

t.test('about as many traces are recorded as sample says', async (t) => {
  const server = await keeping(t);
  const { connect } = await started(t, { sample: '25%' }, { servers: [server.address] });
  const client = await connect();
  for (let count = 0; count < 400; count++) {
    client.send(get('/'));
    await client.response();
  }
  const recorded = server.heads.filter((head) => field(head, 'traceparent')?.endsWith('-01')).length;
  t.ok(recorded > 50 && recorded < 160, `${recorded} of 400`);
  // Other programs decide alike: by the last 56 bits of the id.
  for (const head of server.heads) {
    const [, traceId = '', , flags] = (field(head, 'traceparent') ?? '').split('-');
    const random = Number.parseInt(traceId.slice(18, 26), 16) / 2 ** 32;
    if (random >= 0.75 !== (flags === '01')) t.fail(`${traceId} ${flags}`);
  }
});

t.test('without tracing both fields pass as they came', async (t) => {
  const server = await keeping(t);
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(get('/', `TraceParent: ${PARENT}`, 'tracestate: a=1', 'tracestate: b=2'));
  await client.response();
  t.match(server.heads[0], `TraceParent: ${PARENT}\r\ntracestate: a=1\r\ntracestate: b=2\r\n`);
  client.send(get('/'));
  await client.response();
  t.notMatch(server.heads[1], /trace/i);
  await seen.request(2);
  t.same(
    seen.requests.map(({ traceId, spanId }) => [traceId, spanId]),
    [
      [TRACE, ''],
      ['', ''],
    ],
  );
});

t.test('rules know the trace, and have the last word about its fields', async (t) => {
  const server = await keeping(t);
  const { connect, seen } = await started(
    t,
    {},
    {
      servers: [server.address],
      header_rules: { add: { 'X-Trace': '{trace_id}/{span_id}' }, remove: ['traceparent'] },
      response_header_rules: { add: { 'X-Trace': '{trace_id}' } },
    },
  );
  const client = await connect();
  client.send(get('/'));
  const response = await client.response();
  const { traceId, spanId } = await seen.request(1);
  t.equal(field(server.heads[0] as string, 'x-trace'), `${traceId}/${spanId}`);
  t.equal(field(server.heads[0] as string, 'traceparent'), null);
  t.match(JSON.stringify(response), traceId);
});

t.test('a stop sends what waits, and waits a second at most for a collector that hangs', async (t) => {
  const server = await keeping(t);
  const { connect, balancer, collector } = await started(
    t,
    { interval: '1h' },
    { servers: [server.address] },
  );
  const client = await connect();
  client.send(get('/'));
  await client.response();
  balancer.stop();
  await balancer.ended;
  t.equal(collector.spans.length, 2);
  const hanging = await started(t, { interval: '1h' }, { servers: [server.address] });
  hanging.collector.answer = () => new Promise<CollectorAnswer>(() => {});
  const other = await hanging.connect();
  other.send(get('/'));
  await other.response();
  hanging.balancer.stop();
  await hanging.balancer.ended;
  t.equal(hanging.collector.exports.length, 1);
});

t.test('a reload begins and ends tracing, and loses no span', async (t) => {
  const server = await keeping(t);
  const { connect, balancer, collector } = await started(
    t,
    { interval: '1h' },
    { servers: [server.address] },
  );
  const client = await connect();
  client.send(get('/'));
  await client.response();
  await balancer.reload(
    createConfig({ listen: '127.0.0.1:0', health_check: false, servers: [server.address] }),
  );
  await collector.spansWhen(2);
  client.send(get('/'));
  await client.response();
  t.equal(field(server.heads[1] as string, 'traceparent'), null);
  t.equal(collector.spans.length, 2);
});

t.test(
  'a reload to another collector sends it what comes then, and the first one what came before',
  async (t) => {
    const server = await keeping(t);
    const { connect, balancer, collector } = await started(
      t,
      { interval: '1h' },
      { servers: [server.address] },
    );
    const next = await FakeCollector.start(t);
    const client = await connect();
    client.send(get('/before'));
    await client.response();
    const tracing = { otlp: next.url, sample: '100%', interval: '1h' };
    const settings = { listen: '127.0.0.1:0', health_check: false, servers: [server.address], tracing };
    await balancer.reload(createConfig(settings));
    client.send(get('/after'));
    await client.response();
    balancer.stop();
    await balancer.ended;
    const paths = (spans: readonly ReceivedSpan[]): unknown[] =>
      byKind(spans, SERVER).map(({ attributes }) => attributes['url.path']);
    t.same(paths(collector.spans), ['/before']);
    t.same(paths(next.spans), ['/after']);
  },
);

t.test('several threads send their spans through one queue', THREADS, async (t) => {
  const server = await keeping(t);
  const collector = await FakeCollector.start(t);
  const { connect, balancer, seen } = await startBalancer(
    t,
    {
      servers: [server.address],
      tracing: { otlp: collector.url, sample: '100%', interval: '5ms' },
    },
    { workers: 2 },
  );
  const count = 8;
  for (let index = 0; index < count; index++) {
    const client = await connect();
    client.send(get(`/${index}`));
    await client.response();
    client.destroy();
  }
  const spans = await collector.spansWhen(2 * count);
  t.same(new Set(byKind(spans, SERVER).map(({ attributes }) => attributes['url.path'])).size, count);
  await until(() => seen.requests.length === count);
  t.same(
    new Set(seen.requests.map(({ traceId, spanId }) => `${traceId} ${spanId}`)),
    new Set(byKind(spans, SERVER).map(({ traceId, spanId }) => `${traceId} ${spanId}`)),
  );
  const client = await connect();
  client.send(get('/last'));
  await client.response();
  balancer.stop();
  await balancer.ended;
  t.equal(collector.spans.length, 2 * count + 2, 'a stop loses none');
});

nothingIsLeft(t);
