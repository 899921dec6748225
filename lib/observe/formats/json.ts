import type { AttemptRecord, RequestRecord } from '../../base/observer.js';
import type { AccessLogField } from '../../config/types.js';
import type { LineFormat } from '../access-log.js';
import { jsonString, UNSAFE_IN_JSON } from '../escape.js';
import { isoTime, threeDecimals } from '../timestamps.js';

type Value = (record: RequestRecord) => string;

/** Every field there is, as JSON. */
const VALUES: { readonly [field in AccessLogField]: Value } = {
  ts: (record) => `"${isoTime(record.startedAt)}"`,
  request_id: (record) => jsonString(record.requestId),
  client: (record) => jsonString(record.clientAddress),
  method: (record) => jsonString(record.method),
  target: (record) => jsonString(record.target),
  host: (record) => jsonString(record.host),
  protocol: (record) => `"${record.protocol}"`,
  route: (record) => jsonString(record.route),
  status: (record) => String(record.status),
  server: (record) => jsonString(record.server),
  attempts: (record) => String(record.attempts),
  tries: (record) => `[${record.tries.map(attempt).join(',')}]`,
  duration_ms: (record) => threeDecimals(record.durationMs),
  queue_ms: (record) => threeDecimals(record.queueMs),
  connect_ms: (record) => threeDecimals(record.connectMs),
  first_byte_ms: firstByte,
  bytes_in: (record) => String(record.bytesIn),
  bytes_out: (record) => String(record.bytesOut),
  reason: (record) => `"${record.reason}"`,
  detail: (record) => jsonString(record.detail),
  user_agent: (record) => jsonString(record.userAgent),
  referer: (record) => jsonString(record.referer),
};

/**
 * One object per line in ASCII, always the same keys in the same order. Times in ms, sizes in bytes of body;
 * `first_byte_ms` is null when no response byte came, `reason` and `detail` empty when all went well, the `result` of
 * a try is the status it brought or the reason why it failed. Written by hand: a third of what JSON.stringify takes.
 */
export function jsonLine(record: RequestRecord): string {
  const { requestId, clientAddress, method, target, host, route, server, detail, userAgent } = record;
  const isPlain =
    !UNSAFE_IN_JSON.test(target) &&
    !UNSAFE_IN_JSON.test(host) &&
    !UNSAFE_IN_JSON.test(userAgent) &&
    !UNSAFE_IN_JSON.test(requestId) &&
    (detail === '' || !UNSAFE_IN_JSON.test(detail)) &&
    !UNSAFE_IN_JSON.test(method) &&
    !UNSAFE_IN_JSON.test(clientAddress) &&
    isPlainName(route) &&
    isPlainName(server);
  if (!isPlain) return jsonObject(DEFAULT_FIELDS, record);
  return (
    `{"ts":"${isoTime(record.startedAt)}","request_id":"${requestId}","client":"${clientAddress}"` +
    `,"method":"${method}","target":"${target}","host":"${host}","protocol":"${record.protocol}"` +
    `,"route":"${route}","status":${record.status},"server":"${server}","attempts":${record.attempts}` +
    `,"tries":[${attempts(record)}],"duration_ms":${threeDecimals(record.durationMs)}${waits(record)}` +
    `,"first_byte_ms":${firstByte(record)},"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}` +
    `,"reason":"${record.reason}","detail":"${detail}","user_agent":"${userAgent}"}\n`
  );
}

/** Lines of some of the fields, in the order given. */
export function jsonLineOf(fields: readonly AccessLogField[]): LineFormat {
  return (record) => jsonObject(fields, record);
}

const DEFAULT_FIELDS = (Object.keys(VALUES) as AccessLogField[]).filter((field) => field !== 'referer');

function jsonObject(fields: readonly AccessLogField[], record: RequestRecord): string {
  let line = '';
  for (const field of fields) line += `${line === '' ? '{' : ','}"${field}":${VALUES[field](record)}`;
  return `${line}}\n`;
}

function firstByte({ firstByteMs }: RequestRecord): string {
  return firstByteMs < 0 ? 'null' : threeDecimals(firstByteMs);
}

/** Most requests wait for nothing. */
function waits({ queueMs, connectMs }: RequestRecord): string {
  if (queueMs === 0 && connectMs === 0) return ',"queue_ms":0.000,"connect_ms":0.000';
  return `,"queue_ms":${threeDecimals(queueMs)},"connect_ms":${threeDecimals(connectMs)}`;
}

function attempts({ tries }: RequestRecord): string {
  const [first] = tries;
  if (first === undefined) return '';
  return tries.length === 1 ? attempt(first) : tries.map(attempt).join(',');
}

function attempt({ server, reason, status, durationMs, reused }: AttemptRecord): string {
  const name = isPlainName(server) ? `"${server}"` : jsonString(server);
  return `{"server":${name},"result":"${reason || status}","ms":${threeDecimals(durationMs)},"reused":${reused}}`;
}

/** Names of routes and servers, which nobody outside chooses: looked at once each. */
const plainNames = new Set<string>();
const REMEMBERED = 4096;

function isPlainName(name: string): boolean {
  if (plainNames.has(name)) return true;
  if (UNSAFE_IN_JSON.test(name)) return false;
  if (plainNames.size >= REMEMBERED) plainNames.clear();
  plainNames.add(name);
  return true;
}
