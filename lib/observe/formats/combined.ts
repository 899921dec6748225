import type { AttemptRecord, RequestRecord } from '../../base/observer.js';
import { certificateText } from '../../base/transport-info.js';
import type { AccessLogField } from '../../config/types.js';
import type { LineFormat } from '../batched-sink.js';
import { escapeBare, escapeQuoted, shownTarget } from '../escape.js';
import { clfTime, isoTime, seconds, threeDecimals } from '../timestamps.js';

type Value = (record: RequestRecord, instance: string) => string;

/** Every field, without spaces or in quotes; `-` stands for an empty field. */
const VALUES: { readonly [field in AccessLogField]: Value } = {
  ts: (record) => isoTime(record.startedAt),
  request_id: (record) => escapeBare(record.requestId),
  client: (record) => escapeBare(record.clientAddress),
  method: (record) => escapeBare(record.method),
  target: (record) => quoted(shownTarget(record.target)),
  host: (record) => escapeBare(record.host),
  protocol: (record) => record.protocol,
  route: (record) => escapeBare(record.route),
  status: (record) => String(record.status),
  server: (record) => escapeBare(record.server),
  attempts: (record) => String(record.attempts),
  tries: (record) => record.tries.map(attempt).join(',') || '-',
  duration_ms: (record) => threeDecimals(record.durationMs),
  queue_ms: (record) => threeDecimals(record.queueMs),
  connect_ms: (record) => threeDecimals(record.connectMs),
  first_byte_ms: (record) => (record.firstByteMs < 0 ? '-' : threeDecimals(record.firstByteMs)),
  bytes_in: (record) => String(record.bytesIn),
  bytes_out: (record) => String(record.bytesOut),
  reason: (record) => record.reason || '-',
  detail: (record) => quoted(record.detail),
  user_agent: (record) => quoted(record.userAgent),
  referer: (record) => quoted(shownTarget(record.referer)),
  trace_id: (record) => record.traceId || '-',
  span_id: (record) => record.spanId || '-',
  tls_version: ({ transport }) => transport.tls?.version ?? '-',
  cipher: ({ transport }) => transport.tls?.cipher ?? '-',
  sni: ({ transport }) => escapeBare(transport.sni ?? ''),
  client_cert: ({ transport }) => quoted(certificateText(transport)),
  instance: (_record, instance) => escapeBare(instance),
};

/**
 * The `combined` format of nginx, which every log tool reads, followed by three more fields: the duration in seconds,
 * the server that answered and the request id.
 */
export function combinedLine(record: RequestRecord): string {
  const { durationMs, server, requestId } = record;
  return `${common(record)} ${seconds(durationMs)} ${escapeBare(server)} ${escapeBare(requestId)}\n`;
}

/** The same, followed by the given fields. `instance`: what this balancer is called. */
export function combinedLineOf(fields: readonly AccessLogField[], instance: string): LineFormat {
  return (record) => {
    let line = common(record);
    for (const field of fields) line += ` ${VALUES[field](record, instance)}`;
    return `${line}\n`;
  };
}

function common(record: RequestRecord): string {
  const { method, target, protocol, referer, userAgent } = record;
  const request =
    method === '' ? '-' : `${escapeQuoted(method)} ${escapeQuoted(shownTarget(target))} ${protocol}`;
  return (
    `${escapeBare(record.clientAddress)} - - [${clfTime(record.startedAt)}] "${request}" ` +
    `${record.status} ${record.bytesOut} ${quoted(shownTarget(referer))} ${quoted(userAgent)}`
  );
}

/** In quotes; `"-"` when it is empty. */
export function quoted(text: string): string {
  return text === '' ? '"-"' : `"${escapeQuoted(text)}"`;
}

/** `mango-1:connect_refused:0.412:new`. */
function attempt({ server, reason, status, durationMs, reused }: AttemptRecord): string {
  const connection = reused ? 'reused' : 'new';
  return `${escapeBare(server)}:${reason || status}:${threeDecimals(durationMs)}:${connection}`;
}
