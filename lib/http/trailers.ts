import { GrowingBuffer, latin1 } from '../base/bytes.js';
import { FIELD, FieldNames, fieldId } from './fields.js';

const MAX_TRAILER_FIELDS = 64;

/**
 * Names that must not stand in a trailer section (RFC 9110, 6.5.1): framing, routing, request modifiers, authentication,
 * and how to read the content. A receiver that merges trailers into the head would obey them.
 */
const FORBIDDEN = new FieldNames([
  'age', 'cache-control', 'content-encoding', 'content-range', 'content-type', 'expires', 'if-match', 'if-modified-since',
  'if-none-match', 'if-range', 'if-unmodified-since', 'location', 'max-forwards', 'pragma', 'proxy-authenticate',
  'proxy-authorization', 'range', 'retry-after', 'set-cookie', 'vary', 'warning', 'www-authenticate',
]); // biome-ignore format: one table
/** Known fields that may pass: they control nothing. */
const HARMLESS: ReadonlySet<number> = new Set([FIELD.other, FIELD.userAgent, FIELD.referer]);

/** The trailer section after a chunked body, gathered until it is complete; the caller limits its size. */
export class TrailerSection {
  /** Counted from the first byte of the section. */
  readonly offsets = new Int32Array(MAX_TRAILER_FIELDS * 4);
  readonly #bytes = new GrowingBuffer();

  /** Bytes of the section so far. */
  get length(): number {
    return this.#bytes.length;
  }

  clear(): void {
    this.#bytes.clear();
  }

  append(buffer: Buffer, start: number, end: number): void {
    if (start < end) this.#bytes.append(buffer, start, end);
  }

  /** The lines that may be passed on, each with its CRLF: unchanged and in order. `dropped`: names that may not. */
  passable(fieldCount: number, dropped: FieldNames | null): string {
    if (this.length === 0) return '';
    const text = latin1(this.#bytes.bytes, 0, this.length);
    let lines = '';
    for (let i = 0; i < fieldCount; i++) {
      const start = this.offsets[i * 4] as number;
      const nameEnd = this.offsets[i * 4 + 1] as number;
      if (!HARMLESS.has(fieldId(text, start, nameEnd))) continue;
      if (FORBIDDEN.find(text, start, nameEnd) !== null) continue;
      if (dropped !== null && dropped.find(text, start, nameEnd) !== null) continue;
      lines += text.slice(start, i + 1 < fieldCount ? this.offsets[i * 4 + 4] : text.length - 2);
    }
    return lines;
  }
}

/** The end of a chunked body, after the line of its last chunk, with these trailers, each a line with its end. */
export function encodeTrailers(fields: string): Buffer {
  return Buffer.from(`${fields}\r\n`, 'latin1');
}
