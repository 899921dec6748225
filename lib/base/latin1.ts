/**
 * Bytes as a string, one character per byte: what HTTP/1 heads are (RFC 9112, 2.2). Node's native slice, without the
 * option handling of `toString`, which costs as much as the copy for a short head.
 */
interface Latin1Sliceable {
  latin1Slice(start: number, end: number): string;
}

/** `buffer[start, end)` as latin1. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as unknown as Latin1Sliceable).latin1Slice(start, end);
}
