import { copyOfRead, giveCopy, giveReadBuffer, isShared } from './read-buffer.js';
import type { SocketWriter } from './transport.js';

/**
 * The state of a read. taken: the kernel has taken everything that was written from it. waits: the kernel has not, and
 * the rest was copied. kept: the rest is still in the buffer, which now belongs to that write.
 */
export type BufferUse = 'taken' | 'waits' | 'kept';

/** The current read: set by channels, and used by writes during the read. */
export const currentRead: {
  /** Null between reads. */
  buffer: Buffer | null;
  /** The state of the last read so far. */
  use: BufferUse;
} = { buffer: null, use: 'taken' };

/** Writes pieces of read buffers without copying what the kernel takes at once; an unfinished write keeps its bytes. */
export class BorrowedWrite {
  /** Read buffers of other channels. */
  #lent: Buffer[] | null = null;
  /** Copies of what the kernel did not take at once. */
  #copies: Buffer[] | null = null;

  /** Writes `text` and `buffer[start, end)` together. */
  write(writer: SocketWriter, text: string, buffer: Buffer, start: number, end: number): void {
    if (this.#mayKeep(buffer)) {
      writeBoth(writer, text, buffer.subarray(start, end));
      if (writer.pending > 0 && buffer === currentRead.buffer) this.#lend(buffer);
    } else {
      this.#writeNow(writer, text, buffer, start, end);
    }
    // A stream does not report a drain when less than its high-water mark was waiting.
    if (writer.pending === 0) this.giveBack();
  }

  /**
   * The next read of any socket overwrites a shared buffer; and a read may be written to several channels, of which only
   * one can keep the buffer.
   */
  #mayKeep(buffer: Buffer): boolean {
    if (isShared(buffer)) return false;
    return (
      buffer !== currentRead.buffer || currentRead.use !== 'kept' || this.#lent?.includes(buffer) === true
    );
  }

  #lend(buffer: Buffer): void {
    currentRead.use = 'kept';
    this.#lent ??= [];
    if (!this.#lent.includes(buffer)) this.#lent.push(buffer);
  }

  /** Copies what the kernel does not take at once. */
  #writeNow(writer: SocketWriter, text: string, buffer: Buffer, start: number, end: number): void {
    const taken = writer.writeNow(text, buffer, start, end);
    const rest = start + Math.max(0, taken - text.length);
    if (rest === end) return;
    const copy = copyOfRead(buffer, rest, end);
    writeBoth(writer, text.slice(taken), copy.subarray(0, end - rest));
    this.#copies ??= [];
    this.#copies.push(copy);
    if (writer.pending > 0 && currentRead.use === 'taken') currentRead.use = 'waits';
  }

  /** All writes are finished, or will never be: releases their buffers. */
  giveBack(): void {
    if (this.#copies !== null) for (const copy of this.#copies) giveCopy(copy);
    this.#copies = null;
    if (this.#lent === null) return;
    for (const buffer of this.#lent) if (buffer !== currentRead.buffer) giveReadBuffer(buffer);
    // The buffer of the current read is released after the read has been processed.
    const { buffer } = currentRead;
    if (buffer !== null && this.#lent.includes(buffer)) currentRead.use = 'taken';
    this.#lent = null;
  }
}

function writeBoth(writer: SocketWriter, text: string, bytes: Buffer): void {
  if (text === '') writer.writeBytes(bytes);
  else writer.writeBoth(text, bytes);
}
