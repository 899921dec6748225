import type { BodyListener } from './flow.js';

/**
 * A run at least this long begins a piece of its own: to hand on a piece costs its receiver about 1 µs, to move a run of
 * 16 KiB as much.
 */
const LONG_RUN = 4096;
/** Up to so many bytes a loop is faster than `copyWithin`, which is a call into Node. */
const BYTEWISE = 24;

/**
 * What of one read is handed on. The runs of bytes between those that are left out are moved together, within the read
 * buffer, so that ten thousand short runs are one piece: one call, and one write.
 */
export class KeptRuns {
  /** `[piece, write)` is put together and not handed on yet. */
  #piece = 0;
  write = 0;
  /** Where the open run begins; -1 while there is none. */
  from = -1;

  /** For another read, which begins at `start`. */
  begin(start: number): void {
    this.#piece = start;
    this.write = start;
    this.from = -1;
  }

  /** Bytes from `at` on are kept. */
  open(at: number): void {
    this.from = at;
  }

  /** Bytes from `at` on are left out. Hands on what came before a long run, if some was left out in between. */
  close(buffer: Buffer, at: number, receiver: BodyListener): void {
    const from = this.from;
    if (from === -1) return;
    this.from = -1;
    if (this.write === from) {
      this.write = at;
    } else if (at - from < LONG_RUN) {
      this.write = moveDown(buffer, this.write, from, at);
    } else {
      this.flush(buffer, receiver);
      this.#piece = from;
      this.write = at;
    }
  }

  /** Hands on what is left. */
  flush(buffer: Buffer, receiver: BodyListener): void {
    const piece = this.#piece;
    this.#piece = this.write;
    if (this.write > piece) receiver.onBodyBytes(buffer, piece, this.write);
  }
}

/** Moves `buffer[from, to)` to `at`, which is further down; gives the position behind it there. */
function moveDown(buffer: Buffer, at: number, from: number, to: number): number {
  if (to - from > BYTEWISE) {
    buffer.copyWithin(at, from, to);
    return at + to - from;
  }
  let write = at;
  for (let i = from; i < to; i++) buffer[write++] = buffer[i] as number;
  return write;
}
