import type { RequestRecord } from '../../base/observer.js';
import { escapeBare, escapeQuoted } from '../escape.js';
import { clfTime, seconds } from '../timestamps.js';

/**
 * nginx's `combined`, so that every log tool reads it, and three more fields behind: the seconds it took, the server
 * that answered and the request id.
 */
export function combinedLine(record: RequestRecord): string {
  const { method, target, protocol, referer, userAgent } = record;
  const request = method === '' ? '-' : `${escapeQuoted(method)} ${escapeQuoted(target)} ${protocol}`;
  return (
    `${escapeBare(record.clientAddress)} - - [${clfTime(record.startedAt)}] "${request}" ` +
    `${record.status} ${record.bytesOut} "${quotable(referer)}" "${quotable(userAgent)}" ` +
    `${seconds(record.durationMs)} ${escapeBare(record.server)} ${escapeBare(record.requestId)}\n`
  );
}

function quotable(text: string): string {
  return text === '' ? '-' : escapeQuoted(text);
}
