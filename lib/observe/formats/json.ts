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
  trace_id: (record) => `"${record.traceId}"`,
};

/**
 * One object per line in ASCII, always the same keys in the same order. Times in ms, sizes in bytes of body;
 * `first_byte_ms` is null when no response byte came, `reason` and `detail` empty when all went well, the `result` of
 * a try is the status it brought or the reason why it failed. Written by hand: a third of what JSON.stringify takes.
 */
export function jsonLine(record: RequestRecord): string {
  const { requestId, clientAddress, method, target, host, userAgent, detail } = record;
  const isPlain =
    !UNSAFE_IN_JSON.test(target) &&
    !UNSAFE_IN_JSON.test(host) &&
    !UNSAFE_IN_JSON.test(userAgent) &&
    !UNSAFE_IN_JSON.test(requestId) &&
    !UNSAFE_IN_JSON.test(clientAddress) &&
    !UNSAFE_IN_JSON.test(method) &&
    (detail === '' || !UNSAFE_IN_JSON.test(detail));
  if (!isPlain) return jsonObject(DEFAULT_FIELDS, record);
  return (
    `{"ts":"${isoTime(record.startedAt)}","request_id":"${requestId}","client":"${clientAddress}"` +
    `,"method":"${method}","target":"${target}","host":"${host}${answerOf(record)}` +
    `,"duration_ms":${threeDecimals(record.durationMs)}${waits(record)}${firstByte(record)}` +
    `,"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}` +
    `${record.reason === '' && detail === '' ? NO_REASON : `,"reason":"${record.reason}","detail":"${detail}"`}` +
    `,"user_agent":"${userAgent}"}\n`
  );
}

/** Lines of some of the fields, in the order given. */
export function jsonLineOf(fields: readonly AccessLogField[]): LineFormat {
  return (record) => jsonObject(fields, record);
}

const ON_DEMAND: readonly AccessLogField[] = ['referer', 'trace_id'];
const DEFAULT_FIELDS = (Object.keys(VALUES) as AccessLogField[]).filter(
  (field) => !ON_DEMAND.includes(field),
);

function jsonObject(fields: readonly AccessLogField[], record: RequestRecord): string {
  let line = '';
  for (const field of fields) line += `${line === '' ? '{' : ','}"${field}":${VALUES[field](record)}`;
  return `${line}}\n`;
}

function firstByte({ firstByteMs }: RequestRecord): string {
  return firstByteMs < 0 ? 'null' : threeDecimals(firstByteMs);
}

const NO_REASON = ',"reason":"","detail":""';
const NO_WAIT = ',"queue_ms":0.000,"connect_ms":0.000,"first_byte_ms":';

/** Most requests wait for nothing. */
function waits({ queueMs, connectMs }: RequestRecord): string {
  if (queueMs === 0 && connectMs === 0) return NO_WAIT;
  return `,"queue_ms":${threeDecimals(queueMs)},"connect_ms":${threeDecimals(connectMs)},"first_byte_ms":`;
}

/** What is the same for one request after the other to a server. */
interface Answer {
  readonly route: string;
  readonly status: number;
  readonly protocol: string;
  readonly text: string;
}

/** The last one of each server: a line of fewer pieces is put together in less time. */
const answers = new Map<string, Answer>();
const REMEMBERED = 4096;

/** From the quote behind the host to the end of `tries`. */
function answerOf(record: RequestRecord): string {
  const { tries, status, server } = record;
  const [first] = tries;
  if (
    first === undefined ||
    record.attempts !== 1 ||
    tries.length > 1 ||
    first.reason !== '' ||
    first.status !== status
  )
    return `${beforeTries(record)}${tries.map(attempt).join(',')}]`;
  const { route, protocol } = record;
  let answer = answers.get(server);
  if (
    answer === undefined ||
    answer.route !== route ||
    answer.status !== status ||
    answer.protocol !== protocol
  ) {
    const text = `${beforeTries(record)}{"server":${jsonString(server)},"result":"${status}","ms":`;
    answer = { route, status, protocol, text };
    if (answers.size >= REMEMBERED) answers.clear();
    answers.set(server, answer);
  }
  return `${answer.text}${threeDecimals(first.durationMs)}${first.reused ? ',"reused":true}]' : ',"reused":false}]'}`;
}

function beforeTries({ protocol, route, status, server, attempts }: RequestRecord): string {
  return (
    `","protocol":"${protocol}","route":${jsonString(route)},"status":${status}` +
    `,"server":${jsonString(server)},"attempts":${attempts},"tries":[`
  );
}

function attempt({ server, reason, status, durationMs, reused }: AttemptRecord): string {
  const result = reason || status;
  return `{"server":${jsonString(server)},"result":"${result}","ms":${threeDecimals(durationMs)},"reused":${reused}}`;
}
