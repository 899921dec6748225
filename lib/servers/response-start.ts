import { latin1 } from '../base/latin1.js';

/** What a response begins with, up to and including what stands behind its code. */
const STATUS_LINE = /^HTTP\/1\.[01] [1-5]\d\d[ \r]/;
const STATUS_LINE_BYTES = 13;
const PROTOCOL = 'HTTP/1.';

/** Is `buffer[start, end)` a response, where none may begin? Its first bytes must all be there. */
export function beginsResponse(buffer: Buffer, start: number, end: number): boolean {
  return STATUS_LINE.test(latin1(buffer, start, Math.min(end, start + STATUS_LINE_BYTES)));
}

/** May `buffer[start, end)` be the beginning of a response, as far as there are bytes? */
export function beginsLikeResponse(buffer: Buffer, start: number, end: number): boolean {
  const bytes = Math.min(end - start, PROTOCOL.length);
  return latin1(buffer, start, start + bytes) === PROTOCOL.slice(0, bytes);
}
