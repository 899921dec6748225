const PERIOD = 65_537;

/**
 * Bytes that differ with every stream and every position: a block that was lost, repeated, swapped, or taken from
 * another stream shows itself.
 */
export class Pattern {
  readonly #bytes: Buffer;

  constructor(seed: number) {
    const bytes = Buffer.alloc(PERIOD * 2);
    let state = (seed + 1) * 2_654_435_761;
    for (let i = 0; i < PERIOD; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      bytes[i] = state >>> 24;
    }
    bytes.copy(bytes, PERIOD, 0, PERIOD);
    this.#bytes = bytes;
  }

  /** `[start, end)` of the stream, in pieces. */
  *pieces(start: number, end: number): Generator<Buffer> {
    for (let at = start; at < end; ) {
      const offset = at % PERIOD;
      const length = Math.min(PERIOD, end - at);
      yield this.#bytes.subarray(offset, offset + length);
      at += length;
    }
  }

  /** Is `bytes` what belongs at `start`? */
  matches(bytes: Buffer, start: number): boolean {
    let at = 0;
    for (const piece of this.pieces(start, start + bytes.length)) {
      if (!piece.equals(bytes.subarray(at, at + piece.length))) return false;
      at += piece.length;
    }
    return true;
  }
}
