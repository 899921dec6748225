import type { AttemptRecord, Reason, RequestRecord } from '../base/observer.js';
import { PLAIN_TRANSPORT, type TransportInfo } from '../base/transport-info.js';

/** Texts and numbers of records, one after the other. */
type Values = readonly (string | number)[];

/** Records of a thread as plain data: copying one list costs a fraction of copying an object for each record. */
export interface RecordBatch {
  readonly count: number;
  readonly values: Values;
  /** How the connections of these requests are transported; a record has an index of this list. */
  readonly transports: readonly TransportInfo[];
  /** About how much memory it takes. */
  readonly bytes: number;
}

/** What a record takes besides its longer texts, in bytes. */
const BYTES = 600;

/** Collects records until they are taken. */
export class RecordWriter {
  #values: (string | number)[] = [];
  #transports: TransportInfo[] = [];
  /** As given by connections; `#transports` has what can be copied. */
  #known: TransportInfo[] = [];
  count = 0;
  /** About how much memory the records take. */
  bytes = 0;

  write(record: RequestRecord): void {
    const { requestHeadText, serverHeadText, responseHeadText, tries } = record;
    this.count++;
    this.bytes += BYTES + requestHeadText.length + serverHeadText.length + responseHeadText.length;
    this.#values.push(
      record.requestId,
      record.startedAt,
      record.durationMs,
      record.firstByteMs,
      record.clientAddress,
      record.method,
      record.target,
      record.protocol,
      record.host,
      record.route,
      record.userAgent,
      record.referer,
      record.traceId,
      record.spanId,
      record.status,
      record.server,
      record.attempts,
      record.queueMs,
      record.connectMs,
      record.bytesIn,
      record.bytesOut,
      record.reason,
      record.detail,
      requestHeadText,
      serverHeadText,
      responseHeadText,
      this.#transport(record.transport),
      tries.length,
    );
    for (const { server, reason, status, durationMs, reused } of tries)
      this.#values.push(server, reason, status, durationMs, reused ? 1 : 0);
  }

  take(): RecordBatch {
    const batch = {
      count: this.count,
      values: this.#values,
      transports: this.#transports,
      bytes: this.bytes,
    };
    this.#values = [];
    this.#transports = [];
    this.#known = [];
    this.count = 0;
    this.bytes = 0;
    return batch;
  }

  /** Requests of one connection have the same object, and most batches have few connections in a row. */
  #transport(transport: TransportInfo): number {
    const known = this.#known.lastIndexOf(transport);
    if (known !== -1) return known;
    this.#transports.push(copyOf(transport));
    return this.#known.push(transport) - 1;
  }
}

/** Without what belongs to the listener at this moment: a function can't be copied. */
function copyOf(transport: TransportInfo): TransportInfo {
  const { scheme, port, alpn, sni, tls } = transport;
  return { scheme, port, alpn, sni, tls: tls === null ? null : { ...tls, policyOf: null } };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Calls `take` for each record, always with the same object: it is valid during the call. */
export function readRecords(batch: RecordBatch, take: (record: RequestRecord) => void): void {
  const { count, transports } = batch;
  const values = new ValueReader(batch.values);
  for (let left = count; left > 0; left--) take(readRecord(values, transports));
}

const record: Mutable<RequestRecord> = {
  requestId: '',
  startedAt: 0,
  durationMs: 0,
  firstByteMs: -1,
  clientAddress: '',
  method: '',
  target: '',
  protocol: '',
  host: '',
  route: '',
  userAgent: '',
  referer: '',
  traceId: '',
  spanId: '',
  trace: null,
  status: 0,
  server: '',
  attempts: 0,
  tries: [],
  queueMs: 0,
  connectMs: 0,
  bytesIn: 0,
  bytesOut: 0,
  reason: '',
  detail: '',
  transport: PLAIN_TRANSPORT,
  requestHeadText: '',
  serverHeadText: '',
  responseHeadText: '',
};

function readRecord(values: ValueReader, transports: readonly TransportInfo[]): RequestRecord {
  record.requestId = values.text();
  record.startedAt = values.number();
  record.durationMs = values.number();
  record.firstByteMs = values.number();
  record.clientAddress = values.text();
  record.method = values.text();
  record.target = values.text();
  record.protocol = values.text();
  record.host = values.text();
  record.route = values.text();
  record.userAgent = values.text();
  record.referer = values.text();
  record.traceId = values.text();
  record.spanId = values.text();
  record.status = values.number();
  record.server = values.text();
  record.attempts = values.number();
  record.queueMs = values.number();
  record.connectMs = values.number();
  record.bytesIn = values.number();
  record.bytesOut = values.number();
  record.reason = values.text() as Reason | '';
  record.detail = values.text();
  record.requestHeadText = values.text();
  record.serverHeadText = values.text();
  record.responseHeadText = values.text();
  record.transport = transports[values.number()] ?? PLAIN_TRANSPORT;
  record.tries = readTries(values);
  return record;
}

function readTries(values: ValueReader): readonly AttemptRecord[] {
  const tries: AttemptRecord[] = [];
  for (let left = values.number(); left > 0; left--) {
    tries.push({
      server: values.text(),
      reason: values.text() as AttemptRecord['reason'],
      status: values.number(),
      durationMs: values.number(),
      reused: values.number() === 1,
    });
  }
  return tries;
}

class ValueReader {
  readonly #values: Values;
  #at = 0;

  constructor(values: Values) {
    this.#values = values;
  }

  text(): string {
    return this.#values[this.#at++] as string;
  }

  number(): number {
    return this.#values[this.#at++] as number;
  }
}
