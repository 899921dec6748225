import type { RequestRecord } from '../../base/observer.js';
import { jsonString } from '../escape.js';
import { isoTime, threeDecimals } from '../timestamps.js';

/**
 * One object per line, always the same keys in the same order. Times in ms, sizes in bytes of body; `first_byte_ms`
 * is null when no response byte came, `reason` and `detail` empty when all went well. Written by hand: half of what
 * JSON.stringify takes, and only what comes from outside is looked at for escapes.
 */
export function jsonLine(record: RequestRecord): string {
  const firstByte = record.firstByteMs < 0 ? 'null' : threeDecimals(record.firstByteMs);
  return (
    `{"ts":"${isoTime(record.startedAt)}","request_id":${jsonString(record.requestId)}` +
    `,"client":${jsonString(record.clientAddress)},"method":${jsonString(record.method)}` +
    `,"target":${jsonString(record.target)},"host":${jsonString(record.host)}` +
    `,"protocol":"${record.protocol}","status":${record.status},"server":${jsonString(record.server)}` +
    `,"attempts":${record.attempts},"duration_ms":${threeDecimals(record.durationMs)}` +
    `,"first_byte_ms":${firstByte},"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}` +
    `,"reason":"${record.reason}","detail":${jsonString(record.detail)}` +
    `,"user_agent":${jsonString(record.userAgent)}}\n`
  );
}
