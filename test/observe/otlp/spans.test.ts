import { type Context, ROOT_CONTEXT, SpanKind, type SpanStatus, TraceFlags, trace } from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import t from 'tap';
import type { RequestRecord, TraceRecord } from '../../../lib/base/observer.js';
import { VERSION } from '../../../lib/base/version.js';
import { nanoseconds } from '../../../lib/observe/otlp/metric-json.js';
import { SpanWriter } from '../../../lib/observe/otlp/span-writer.js';
import { attributesOf } from '../../support/collector.js';
import { ManualClock } from '../../support/manual-clock.js';
import { faultsOf } from '../../support/otlp-protocol.js';
import { recordOf } from '../record.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const REQUEST = 'aaaaaaaaaaaaaaa1';

function traceOf(changes: Partial<TraceRecord> = {}): TraceRecord {
  return {
    traceId: TRACE,
    spanId: REQUEST,
    parentSpanId: '',
    flags: 1,
    traceState: '',
    startedAt: 1_767_225_600_123.456,
    link: null,
    attempts: [],
    ...changes,
  };
}

const ATTEMPT = { scheme: 'http', address: '10.0.0.1', port: 8080, target: '/users?id=3' } as const;

/** A request with everything that a span can have. */
function fullRecord(): RequestRecord & { trace: TraceRecord } {
  const traced = traceOf({
    parentSpanId: PARENT,
    traceState: 'foo=1,bar="2\\',
    link: null,
    attempts: [
      { ...ATTEMPT, spanId: 'bbbbbbbbbbbbbbb1', startedMs: 0.25 },
      { ...ATTEMPT, spanId: 'bbbbbbbbbbbbbbb2', startedMs: 2, scheme: 'https', address: '2001:db8::1' },
      { ...ATTEMPT, spanId: 'bbbbbbbbbbbbbbb3', startedMs: 3, address: '/run/app.sock', port: 0 },
    ],
  });
  return {
    ...recordOf({
      route: 'www.mango.com/caf\u00e9 "x"',
      host: '[::1]:8443',
      userAgent: 'a"b\\c\u00e4\u007f',
      queueMs: 1.5,
      connectMs: 0.25,
      status: 502,
      reason: 'reset_before_response',
      detail: 'ECONNRESET',
      tries: [
        { server: 'one', reason: 'stale', status: 0, durationMs: 0.5, reused: true },
        { server: 'two', reason: '', status: 503, durationMs: 0.5, reused: false },
        { server: 'three', reason: 'reset_before_response', status: 0, durationMs: 0.5, reused: false },
      ],
    }),
    trace: traced,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever was written
type Json = any;

type TracedRecord = RequestRecord & { trace: TraceRecord };

/** The spans of a request, by a writer of their own or by one that wrote others before. */
function jsonOf(record: TracedRecord, writer = new TextWriter()): readonly Json[] {
  return JSON.parse(`[${writer.textOf(record)}]`) as Json[];
}

/** A writer of spans whose text is taken after each request. */
class TextWriter {
  #text = '';
  readonly #writer = new SpanWriter(new ManualClock(), ({ bytes }) => {
    this.#text = Buffer.from(bytes).toString('latin1');
  });

  textOf(record: RequestRecord): string {
    this.#writer.requestSettled(record);
    this.#writer.flush();
    return this.#text;
  }
}

function requestOf(record: RequestRecord): Json {
  return jsonOf({ ...record, trace: record.trace ?? traceOf() })[0];
}

t.test('spans have only fields that the protocol has, of the right kinds', async (t) => {
  const bare = {
    ...recordOf({
      method: '',
      target: '',
      host: '',
      route: '',
      userAgent: '',
      requestId: '',
      status: 0,
      tries: [],
    }),
    trace: traceOf(),
  };
  const linked = { ...recordOf(), trace: traceOf({ link: { traceId: TRACE, spanId: PARENT } }) };
  for (const record of [fullRecord(), bare, linked]) {
    for (const span of jsonOf(record)) t.same(faultsOf(span, 'Span'), []);
  }
});

t.test('the JSON serialiser of the SDK writes the same of the same spans', async (t) => {
  for (const record of [
    fullRecord(),
    { ...recordOf(), trace: traceOf({ link: { traceId: TRACE, spanId: PARENT } }) },
  ]) {
    const ours = jsonOf(record);
    t.same(ours.map(normal), writtenBySdk(ours, record.trace).map(normal));
  }
});

t.test('a target is a path and a query, a host a name and a port', async (t) => {
  const seen = (changes: Partial<RequestRecord>) => {
    const { attributes } = requestOf(recordOf(changes));
    const all = attributesOf(attributes);
    return [all['url.path'], all['url.query'], all['server.address'], all['server.port']];
  };
  t.same(seen({ target: '/a?b', host: 'x' }), ['/a', 'b', 'x', 80]);
  t.same(seen({ target: '*', host: 'x:' }), ['*', undefined, 'x', 80]);
  t.same(seen({ target: 'http://x:81/a/b', host: 'x:81' }), ['/a/b', undefined, 'x', 81]);
  t.same(seen({ target: 'http://x?q', host: '[::1]' }), ['/', 'q', '::1', 80]);
  t.same(seen({ target: '/?', host: '[::1]:90' }), ['/', '', '::1', 90]);
  for (const host of ['x:y', 'x:99999999999999999999', 'x:-1'])
    t.same(seen({ target: '/', host }), ['/', undefined, host, undefined], 'refused for its host');
});

t.test('a method that the conventions do not know is _OTHER, and the span has a short name', async (t) => {
  const span = requestOf(recordOf({ method: 'BREW' }));
  t.equal(span.name, 'HTTP www.mango.com');
  t.match(attributesOf(span.attributes), {
    'http.request.method': '_OTHER',
    'http.request.method_original': 'BREW',
  });
});

t.test('the span of a request is an error when the balancer or its servers failed', async (t) => {
  const seen = (changes: Partial<RequestRecord>) => {
    const { attributes, status } = requestOf(recordOf(changes));
    return [status?.code, attributesOf(attributes)['error.type']];
  };
  t.same(seen({ status: 500 }), [2, '500']);
  t.same(seen({ status: 404 }), [undefined, undefined]);
  t.same(seen({ status: 429, reason: 'rate_limited' }), [undefined, undefined]);
  t.same(seen({ status: 503, reason: 'no_server' }), [2, 'no_server']);
  t.same(seen({ status: 200, reason: 'reset_in_response' }), [2, 'reset_in_response']);
  t.same(seen({ status: 0, reason: 'client_abort' }), [undefined, undefined]);
  t.same(seen({ status: 0, reason: 'shutdown' }), [2, 'shutdown']);
  t.same(seen({ status: 302 }), [undefined, undefined]);
});

t.test('times are nanoseconds, without the rounding of a number', async (t) => {
  t.equal(nanoseconds(1_767_225_600_123), '1767225600123000000');
  t.equal(nanoseconds(1_767_225_600_123.5), '1767225600123500000');
  t.equal(nanoseconds(1_767_225_600_123.999_8), '1767225600123999000');
  t.equal(nanoseconds(1_767_225_600_123.25), '1767225600123250000');
  for (const startedAt of [
    1_767_225_600_123, 1_767_225_600_123.999_8, 1_999_999_999_999.5, 1_700_000_000_000,
  ]) {
    const [span] = jsonOf({ ...recordOf({ durationMs: 0.25 }), trace: traceOf({ startedAt }) });
    t.equal(span.startTimeUnixNano, nanoseconds(startedAt));
    t.equal(span.endTimeUnixNano, nanoseconds(startedAt + 0.25));
  }
});

/** The objects like `object` but for one value each. */
function changesOf<T extends object>(object: T): readonly T[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const other = changed(value);
    return other === undefined ? [] : [{ ...object, [key]: other }];
  });
}

function changed(value: unknown): unknown {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  // Ids are digits, and keep their length.
  if (typeof value === 'string') return /^[\da-f]{16,}$/.test(value) ? `${value.slice(1)}0` : `${value}x`;
  return undefined;
}

t.test('a span says what its own request was, whichever was written before', async (t) => {
  const base: TracedRecord = {
    ...recordOf({ status: 200 }),
    trace: traceOf({ attempts: [{ ...ATTEMPT, spanId: 'bbbbbbbbbbbbbbb1', startedMs: 0.25 }] }),
  };
  const { trace, transport, tries } = base;
  const all: TracedRecord[] = [
    ...changesOf<TracedRecord>(base).map((record) => ({ ...record, reason: '' as const })),
    ...changesOf(trace).map((other) => ({ ...base, trace: other })),
    ...changesOf(trace.attempts[0] as (typeof trace.attempts)[0]).map((attempt) => ({
      ...base,
      trace: { ...trace, attempts: [attempt] },
    })),
    ...changesOf(tries[0] as (typeof tries)[0]).map((outcome) => ({
      ...base,
      tries: [{ ...outcome, reason: '' as const }],
    })),
    { ...base, transport: { ...transport, scheme: 'https' } },
    { ...base, trace: { ...trace, attempts: [{ ...ATTEMPT, spanId: REQUEST, startedMs: 1, target: '' }] } },
    fullRecord(),
  ];
  t.ok(all.length > 30, `${all.length} requests`);
  const writer = new TextWriter();
  for (const record of all) {
    jsonOf(base, writer);
    const expected = jsonOf(record);
    t.same(jsonOf(record, writer), expected, 'after another');
    t.same(jsonOf(record, writer), expected, 'after the same');
  }
});

t.test('after many hosts and long ones, each span still has its own', async (t) => {
  const writer = new TextWriter();
  for (let n = 0; n < 1000; n++) {
    const host = n % 10 === 0 ? `${n}.${'x'.repeat(10_000)}` : `${n}.example`;
    const [span] = jsonOf({ ...recordOf({ host }), trace: traceOf() }, writer);
    t.equal(attributesOf(span.attributes)['server.address'], host);
  }
});

t.test(
  'spans are passed on in blocks, a quarter of a second after the first, whole and comma-separated',
  async (t) => {
    const clock = new ManualClock();
    const blocks: { text: string; spans: number }[] = [];
    const writer = new SpanWriter(clock, ({ bytes, spans }) =>
      blocks.push({ text: Buffer.from(bytes).toString(), spans }),
    );
    writer.requestSettled(recordOf());
    clock.advance(1000);
    t.equal(blocks.length, 0, 'a trace that is not recorded has no spans');
    writer.requestSettled(fullRecord());
    writer.requestSettled(fullRecord());
    t.equal(blocks.length, 0);
    clock.advance(250);
    t.same(
      blocks.map(({ spans }) => spans),
      [8],
    );
    t.equal((JSON.parse(`[${blocks[0]?.text}]`) as Json[]).length, 8);
    for (let count = 0; count < 100; count++) writer.requestSettled(fullRecord());
    writer.requestSettled({ ...fullRecord(), userAgent: 'x'.repeat(100_000) });
    writer.requestSettled(fullRecord());
    writer.flush();
    const all = blocks.slice(1);
    t.ok(all.length > 3, `${all.length} blocks`);
    const spans = all.flatMap(({ text }) => JSON.parse(`[${text}]`) as Json[]);
    t.equal(spans.length, 102 * 4);
    t.equal(
      all.reduce((sum, block) => sum + block.spans, 0),
      102 * 4,
    );
    writer.flush();
    t.equal(blocks.length, all.length + 1, 'nothing is passed on twice');
  },
);

/** What the SDK sends of spans with these values. */
function writtenBySdk(ours: readonly Json[], record: TraceRecord): readonly Json[] {
  const exporter = new InMemorySpanExporter();
  let nextId = '';
  const provider = new BasicTracerProvider({
    idGenerator: { generateTraceId: () => TRACE, generateSpanId: () => nextId },
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('lb', VERSION);
  const traceState = record.traceState === '' ? {} : { traceState: stateOf(record.traceState) };
  for (const one of ours) {
    nextId = one.spanId;
    const parent: Context =
      one.parentSpanId === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: TRACE,
            spanId: one.parentSpanId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: one.parentSpanId === record.parentSpanId,
            ...traceState,
          });
    const span = tracer.startSpan(
      one.name,
      {
        kind: one.kind === 2 ? SpanKind.SERVER : SpanKind.CLIENT,
        startTime: hrTime(one.startTimeUnixNano),
        attributes: attributesOf(one.attributes),
        links: (one.links ?? []).map(({ traceId, spanId }: { traceId: string; spanId: string }) => ({
          context: { traceId, spanId, traceFlags: 0, isRemote: true },
        })),
      },
      parent,
    );
    if (one.status !== undefined) span.setStatus({ code: one.status.code } as SpanStatus);
    span.end(hrTime(one.endTimeUnixNano));
  }
  const bytes = JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans()) as Uint8Array;
  const { resourceSpans } = JSON.parse(Buffer.from(bytes).toString()) as Json;
  return resourceSpans[0].scopeSpans[0].spans;
}

function hrTime(text: string): [number, number] {
  const all = BigInt(text);
  return [Number(all / 1_000_000_000n), Number(all % 1_000_000_000n)];
}

/** As the API wants it; only its text matters. */
function stateOf(text: string): Json {
  return {
    serialize: () => text,
    get: () => undefined,
    set: () => stateOf(text),
    unset: () => stateOf(text),
  };
}

/** Without what is left out because it is 0 or empty, and with numbers of 64 bits as texts: the two mean the same. */
function normal(value: Json): Json {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Json)
    .filter(([key, item]) => !(key.startsWith('dropped') && item === 0))
    .filter(
      ([key, item]) => !(['events', 'links', 'attributes'].includes(key) && (item as Json[]).length === 0),
    )
    .filter(([key, item]) => !(key === 'code' && item === 0))
    .map(([key, item]) => [key, key === 'intValue' ? String(item) : normal(item)] as const)
    .filter(([key, item]) => !(key === 'status' && Object.keys(item as Json).length === 0));
  return Object.fromEntries(entries);
}
