// The messages of OTLP 1.x as its JSON form has them, by hand from the published .proto files.

type Kind =
  | 'string'
  | 'bool'
  | 'double'
  /** An enum is a number in JSON. */
  | 'enum'
  | 'uint32'
  /** 64 bits, as a text. */
  | 'int64'
  | 'uint64'
  /** Hexadecimal digits. */
  | 'trace id'
  | 'span id';

type Field = Kind | MessageName | readonly [Kind | MessageName];

const MESSAGES = {
  ExportTraceServiceRequest: { resourceSpans: ['ResourceSpans'] },
  ResourceSpans: { resource: 'Resource', scopeSpans: ['ScopeSpans'], schemaUrl: 'string' },
  ScopeSpans: { scope: 'InstrumentationScope', spans: ['Span'], schemaUrl: 'string' },
  Span: {
    traceId: 'trace id',
    spanId: 'span id',
    traceState: 'string',
    parentSpanId: 'span id',
    flags: 'uint32',
    name: 'string',
    kind: 'enum',
    startTimeUnixNano: 'uint64',
    endTimeUnixNano: 'uint64',
    attributes: ['KeyValue'],
    droppedAttributesCount: 'uint32',
    events: ['Event'],
    droppedEventsCount: 'uint32',
    links: ['Link'],
    droppedLinksCount: 'uint32',
    status: 'Status',
  },
  Event: {
    timeUnixNano: 'uint64',
    name: 'string',
    attributes: ['KeyValue'],
    droppedAttributesCount: 'uint32',
  },
  Link: {
    traceId: 'trace id',
    spanId: 'span id',
    traceState: 'string',
    attributes: ['KeyValue'],
    droppedAttributesCount: 'uint32',
    flags: 'uint32',
  },
  Status: { message: 'string', code: 'enum' },
  Resource: { attributes: ['KeyValue'], droppedAttributesCount: 'uint32' },
  InstrumentationScope: {
    name: 'string',
    version: 'string',
    attributes: ['KeyValue'],
    droppedAttributesCount: 'uint32',
  },
  KeyValue: { key: 'string', value: 'AnyValue' },
  AnyValue: {
    stringValue: 'string',
    boolValue: 'bool',
    intValue: 'int64',
    doubleValue: 'double',
    arrayValue: 'ArrayValue',
  },
  ArrayValue: { values: ['AnyValue'] },
  ExportMetricsServiceRequest: { resourceMetrics: ['ResourceMetrics'] },
  ResourceMetrics: { resource: 'Resource', scopeMetrics: ['ScopeMetrics'], schemaUrl: 'string' },
  ScopeMetrics: { scope: 'InstrumentationScope', metrics: ['Metric'], schemaUrl: 'string' },
  Metric: {
    name: 'string',
    description: 'string',
    unit: 'string',
    gauge: 'Gauge',
    sum: 'Sum',
    histogram: 'Histogram',
  },
  Gauge: { dataPoints: ['NumberDataPoint'] },
  Sum: { dataPoints: ['NumberDataPoint'], aggregationTemporality: 'enum', isMonotonic: 'bool' },
  Histogram: { dataPoints: ['HistogramDataPoint'], aggregationTemporality: 'enum' },
  NumberDataPoint: {
    attributes: ['KeyValue'],
    startTimeUnixNano: 'uint64',
    timeUnixNano: 'uint64',
    asDouble: 'double',
    asInt: 'int64',
    flags: 'uint32',
  },
  HistogramDataPoint: {
    attributes: ['KeyValue'],
    startTimeUnixNano: 'uint64',
    timeUnixNano: 'uint64',
    count: 'uint64',
    sum: 'double',
    bucketCounts: ['uint64'],
    explicitBounds: ['double'],
    flags: 'uint32',
    min: 'double',
    max: 'double',
  },
} as const satisfies { readonly [name: string]: { readonly [field: string]: unknown } };

export type MessageName = keyof typeof MESSAGES;

const KINDS: { readonly [kind in Kind]: (value: unknown) => boolean } = {
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  double: (value) => typeof value === 'number',
  enum: (value) => Number.isInteger(value),
  uint32: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32,
  int64: (value) => typeof value === 'string' && /^-?\d{1,19}$/.test(value),
  uint64: (value) => typeof value === 'string' && /^\d{1,20}$/.test(value),
  'trace id': (value) => typeof value === 'string' && /^(?!0+$)[\da-f]{32}$/.test(value),
  'span id': (value) => typeof value === 'string' && /^(?!0+$)[\da-f]{16}$/.test(value),
};

/** What is wrong with `value` as a message of that name, a line each. */
export function faultsOf(value: unknown, name: MessageName, at: string = name): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at}: no map`];
  const fields = MESSAGES[name] as { readonly [field: string]: Field };
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) => {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field === undefined) return [`${at}.${key}: unknown`];
    if (typeof field === 'string') return faultsOfField(item, field, `${at}.${key}`);
    if (!Array.isArray(item)) return [`${at}.${key}: no list`];
    return item.flatMap((one, index) =>
      faultsOfField(one, (field as readonly [Kind | MessageName])[0], `${at}.${key}[${index}]`),
    );
  });
}

function faultsOfField(value: unknown, field: Kind | MessageName, at: string): readonly string[] {
  if (Object.hasOwn(MESSAGES, field)) return faultsOf(value, field as MessageName, at);
  return KINDS[field as Kind](value) ? [] : [`${at}: ${JSON.stringify(value)} is no ${field}`];
}
