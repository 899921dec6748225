import type { RequestRecord } from '../../base/observer.js';
import { certificateText } from '../../base/transport-info.js';
import type { AccessLogField } from '../../config/types.js';
import type { LineFormat } from '../batched-sink.js';
import { jsonString, shownTarget, UNSAFE_IN_JSON } from '../escape.js';
import { isoTime, threeDecimals } from '../timestamps.js';
import { Answers, Askers, attemptText, Beginning } from './json-pieces.js';

type Value = (record: RequestRecord, instance: string) => string;

/** Every field as JSON. */
const VALUES: { readonly [field in AccessLogField]: Value } = {
  ts: (record) => `"${isoTime(record.startedAt)}"`,
  request_id: (record) => jsonString(record.requestId),
  client: (record) => jsonString(record.clientAddress),
  method: (record) => jsonString(record.method),
  target: (record) => jsonString(shownTarget(record.target)),
  host: (record) => jsonString(record.host),
  protocol: (record) => `"${record.protocol}"`,
  route: (record) => jsonString(record.route),
  status: (record) => String(record.status),
  server: (record) => jsonString(record.server),
  attempts: (record) => String(record.attempts),
  tries: (record) => `[${record.tries.map(attemptText).join(',')}]`,
  duration_ms: (record) => threeDecimals(record.durationMs),
  queue_ms: (record) => threeDecimals(record.queueMs),
  connect_ms: (record) => threeDecimals(record.connectMs),
  first_byte_ms: firstByte,
  bytes_in: (record) => String(record.bytesIn),
  bytes_out: (record) => String(record.bytesOut),
  reason: (record) => `"${record.reason}"`,
  detail: (record) => jsonString(record.detail),
  user_agent: (record) => jsonString(record.userAgent),
  referer: (record) => jsonString(shownTarget(record.referer)),
  trace_id: (record) => `"${record.traceId}"`,
  span_id: (record) => `"${record.spanId}"`,
  tls_version: ({ transport }) => jsonString(transport.tls?.version ?? ''),
  cipher: ({ transport }) => jsonString(transport.tls?.cipher ?? ''),
  sni: ({ transport }) => jsonString(transport.sni ?? ''),
  client_cert: ({ transport }) => jsonString(certificateText(transport)),
  instance: (_record, instance) => jsonString(instance),
};

/**
 * One object per line in ASCII, always with the same keys in the same order; a request over TLS has three more. Times in ms, sizes in bytes of body.
 * `first_byte_ms` is null when no byte of a response came, `reason` and `detail` are empty for a success, and the
 * `result` of a try is the status of its response or the reason of its failure. Written by hand: a third of the time of
 * JSON.stringify.
 */
export function jsonLine(record: RequestRecord): string {
  const { requestId, userAgent, durationMs } = record;
  const target = shownTarget(record.target);
  if (UNSAFE_IN_JSON.test(target) || UNSAFE_IN_JSON.test(requestId) || !isPlainAgent(userAgent))
    return jsonObject(record.transport.tls === null ? DEFAULT_FIELDS : DEFAULT_FIELDS_OF_TLS, record);
  const duration = threeDecimals(durationMs);
  return (
    `${beginning.at(record.startedAt)}${requestId}${askers.of(record.clientAddress, record.method)}` +
    `${target}${answers.of(record, duration)},"duration_ms":${duration}${waits(record)}${firstByte(record)}` +
    `${bytes(record)}${reasonOf(record)}${userAgent}${record.transport.tls === null ? '"}\n' : `"${tlsOf(record)}}\n`}`
  );
}

const beginning = new Beginning();
const askers = new Askers();
const answers = new Answers();

/** Most requests come from the same program as the request before. */
let plainAgent = '';

/** Can the text stand between quotes without escapes? */
function isPlainAgent(userAgent: string): boolean {
  if (userAgent === plainAgent) return true;
  if (UNSAFE_IN_JSON.test(userAgent)) return false;
  plainAgent = userAgent;
  return true;
}

/** Lines with only the given fields, in this order. `instance`: what this balancer is called. */
export function jsonLineOf(fields: readonly AccessLogField[], instance: string): LineFormat {
  return (record) => jsonObject(fields, record, instance);
}

/** In a line of a request over TLS, after the others. */
const OF_TLS: readonly AccessLogField[] = ['tls_version', 'cipher', 'sni'];
const ON_DEMAND: readonly AccessLogField[] = [
  'referer',
  'trace_id',
  'span_id',
  ...OF_TLS,
  'client_cert',
  'instance',
];
const DEFAULT_FIELDS = (Object.keys(VALUES) as AccessLogField[]).filter(
  (field) => !ON_DEMAND.includes(field),
);

const DEFAULT_FIELDS_OF_TLS: readonly AccessLogField[] = [...DEFAULT_FIELDS, ...OF_TLS];

/** The fields that only a line of a request over TLS has. */
function tlsOf(record: RequestRecord): string {
  return OF_TLS.map((field) => `,"${field}":${VALUES[field](record, '')}`).join('');
}

function jsonObject(fields: readonly AccessLogField[], record: RequestRecord, instance = ''): string {
  let line = '';
  for (const field of fields)
    line += `${line === '' ? '{' : ','}"${field}":${VALUES[field](record, instance)}`;
  return `${line}}\n`;
}

function firstByte({ firstByteMs }: RequestRecord): string {
  return firstByteMs < 0 ? 'null' : threeDecimals(firstByteMs);
}

const NO_WAIT = ',"queue_ms":0.000,"connect_ms":0.000,"first_byte_ms":';
const NO_BODY = ',"bytes_in":0,"bytes_out":';
const NO_REASON = ',"reason":"","detail":"","user_agent":"';

/** Most requests do not wait. */
function waits({ queueMs, connectMs }: RequestRecord): string {
  if (queueMs === 0 && connectMs === 0) return NO_WAIT;
  return `,"queue_ms":${threeDecimals(queueMs)},"connect_ms":${threeDecimals(connectMs)},"first_byte_ms":`;
}

/** Most requests have no body. */
function bytes({ bytesIn, bytesOut }: RequestRecord): string {
  return bytesIn === 0 ? `${NO_BODY}${bytesOut}` : `,"bytes_in":${bytesIn},"bytes_out":${bytesOut}`;
}

/** Most requests succeed. */
function reasonOf({ reason, detail }: RequestRecord): string {
  if (reason === '' && detail === '') return NO_REASON;
  return `,"reason":"${reason}","detail":${jsonString(detail)},"user_agent":"`;
}
