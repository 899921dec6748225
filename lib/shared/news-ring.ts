/** Word 0 of an entry is its number, plus 1, from when it has been written. */
const NUMBER = 0;
/** Before the entries: how many were claimed, and how many were read. */
const CLAIMED = 0;
const READ = 1;
export const RING_HEAD = 2;

/**
 * Entries in shared memory that threads leave for the control plane, which reads them now and then. It is bounded: a thread that finds it
 * half full leaves nothing, so that nobody writes what is being read.
 */
export class NewsRing {
  readonly #words: Int32Array;
  readonly #from: number;
  readonly #entries: number;
  readonly #entryWords: number;
  /** The number of an entry that the last `read` found claimed but not written; -1: none. */
  #late = -1;

  /** `entries`: a power of two. `from`: where it begins in `words`; it takes `RING_HEAD + entries * entryWords`. */
  constructor(words: Int32Array, from: number, entries: number, entryWords: number) {
    this.#words = words;
    this.#from = from;
    this.#entries = entries;
    this.#entryWords = entryWords;
  }

  /** The number of an entry to write, whose words are at `at`; `publish` follows. -1: there is no room now. */
  claim(): number {
    const words = this.#words;
    const claimed = words[this.#from + CLAIMED] as number;
    if ((claimed - (words[this.#from + READ] as number)) >>> 0 >= this.#entries / 2) return -1;
    return Atomics.add(words, this.#from + CLAIMED, 1) & 0x7fffffff;
  }

  /** Where the words of an entry are; the first is not the user's. */
  at(number: number): number {
    return this.#from + RING_HEAD + (number & (this.#entries - 1)) * this.#entryWords;
  }

  publish(number: number): void {
    Atomics.store(this.#words, this.at(number) + NUMBER, (number + 1) | 0);
  }

  /**
   * The positions of the entries that came since the last call; they stay until the generator has ended. An entry that
   * is still being written is left for the next call, with those after it; if it is not written by then, its thread has
   * ended, and it is skipped.
   */
  *read(): Generator<number> {
    const words = this.#words;
    const end = Atomics.load(words, this.#from + CLAIMED);
    let number = words[this.#from + READ] as number;
    for (; number !== end; number = (number + 1) | 0) {
      const plain = number & 0x7fffffff;
      const at = this.at(plain);
      if (Atomics.load(words, at + NUMBER) === ((plain + 1) | 0)) yield at;
      else if (this.#late !== plain) {
        this.#late = plain;
        break;
      }
    }
    Atomics.store(words, this.#from + READ, number);
  }
}
