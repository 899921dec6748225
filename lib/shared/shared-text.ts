/** Text as bytes in memory that all threads see: to post it to another thread copies nothing. */
export type SharedText = Uint8Array;

/** Puts a text where all threads can see it. It is never changed afterwards. */
export function sharedText(text: string): SharedText {
  const memory = new SharedArrayBuffer(Buffer.byteLength(text));
  Buffer.from(memory).write(text, 'utf8');
  return new Uint8Array(memory);
}

/** The text, as a copy of this thread. */
export function textOf({ buffer, byteOffset, byteLength }: SharedText): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
}
