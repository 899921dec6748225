/**
 * Bytes as a string, one character per byte, as in HTTP/1 heads (RFC 9112, 2.2). Uses Node's native slice without the
 * option handling of `toString`, which costs as much as the copy for a short head.
 */
interface Latin1Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, at: number): number;
}

/** `buffer[start, end)` as latin1. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as unknown as Latin1Buffer).latin1Slice(start, end);
}

/**
 * Writes `text` (latin1) into `buffer` from `at` on and returns the number of bytes; fewer when the buffer is too
 * short.
 */
export function writeLatin1(buffer: Buffer, text: string, at: number): number {
  return (buffer as unknown as Latin1Buffer).latin1Write(text, at);
}
