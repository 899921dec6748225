import type { Outlet } from './outlet.js';
import { copyOfRead, giveReadBuffer, sharedReadBuffer } from './read-buffer.js';

/** The buffer being read from right now, and whether a write took it over. */
let currentRead: Buffer | null = null;
let currentReadKept = false;

/** What was read into `buffer` is about to be dealt with. */
export function beginRead(buffer: Buffer): void {
  currentRead = buffer;
  currentReadKept = false;
}

/** It was dealt with. True: an unfinished write still refers to its bytes, and its buffer comes back with that. */
export function endRead(): boolean {
  currentRead = null;
  return currentReadKept;
}

/** Writes pieces of read buffers without copying them; a buffer that an unfinished write refers to stays as it is. */
export class Lending {
  /** Read buffers of other channels. */
  #lent: Buffer[] | null = null;

  /** Writes `text` and `buffer[start, end)` in one go. */
  write(outlet: Outlet, text: string, buffer: Buffer, start: number, end: number): void {
    const keeps = this.#mayKeep(buffer);
    const source = keeps ? buffer : copyOfRead(buffer, start, end);
    const bytes = keeps ? buffer.subarray(start, end) : source.subarray(0, end - start);
    if (text === '') outlet.writeBytes(bytes);
    else outlet.writeBoth(text, bytes);
    const lends = !keeps || source === currentRead;
    if (outlet.pending > 0) {
      if (lends) this.#lend(source);
    } else {
      // A stream tells of no drain when less than its high-water mark was waiting.
      this.giveBack();
      if (!keeps) giveReadBuffer(source);
    }
  }

  /**
   * The next read of any socket overwrites what lies in the shared buffer, and what was read in one go may be for
   * several channels: only one of them can keep the buffer.
   */
  #mayKeep(buffer: Buffer): boolean {
    if (buffer === sharedReadBuffer) return false;
    return buffer !== currentRead || !currentReadKept || this.#lent?.includes(buffer) === true;
  }

  #lend(buffer: Buffer): void {
    if (buffer === currentRead) currentReadKept = true;
    this.#lent ??= [];
    if (!this.#lent.includes(buffer)) this.#lent.push(buffer);
  }

  /** All writes are finished, or will never be. */
  giveBack(): void {
    if (this.#lent === null) return;
    for (const buffer of this.#lent) if (buffer !== currentRead) giveReadBuffer(buffer);
    // What is being read from right now goes back when it is dealt with.
    if (currentRead !== null && this.#lent.includes(currentRead)) currentReadKept = false;
    this.#lent = null;
  }
}
