import type { Digest } from './keyed-hash.js';
import { lockWord, unlockWord } from './word-lock.js';

/** How a table is laid out. `sets` is a power of two, `entryWords` is even and at least 2. */
export interface SetsShape {
  readonly sets: number;
  /** Entries in a set. */
  readonly ways: number;
  /** 32-bit words of an entry, including the two of its digest. */
  readonly entryWords: number;
}

/** Words of the whole table that a user of the table may use: `words[0..15]`. */
export const HEAD_WORDS = 16;
/** Of each set: its lock, and a count of its uses. */
const SET_WORDS = 2;
/** Offsets in an entry. The second word of a digest is never 0, unless the entry is empty. */
const HIGH = 0;
const LOW = 1;

/**
 * A hash table of fixed size in shared memory: an entry is in the set that its digest selects, at any place in it. Whoever
 * reads or changes a set holds its lock (`enter` and `leave`). An entry is marked as used with the last word that is
 * written, and as empty with the first, so that a thread that ends in between leaves no half entry.
 */
export class HashedSets {
  readonly shape: SetsShape;
  /** Empty until the memory is there. */
  words: Int32Array = new Int32Array(0);
  /** The same memory, for entries that hold times. */
  floats: Float64Array = new Float64Array(0);
  readonly #holder: number;
  readonly #mask: number;
  readonly #stride: number;

  /** `memory`: null if it is to be made when it is first needed, by a thread that is alone. */
  constructor(shape: SetsShape, memory: SharedArrayBuffer | null, thread: number) {
    this.shape = shape;
    this.#holder = thread + 1;
    this.#mask = shape.sets - 1;
    this.#stride = SET_WORDS + shape.ways * shape.entryWords;
    if (memory !== null) this.#use(memory);
  }

  /** The system commits a page of it when it is first written. */
  static memory({ sets, ways, entryWords }: SetsShape): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (HEAD_WORDS + sets * (SET_WORDS + ways * entryWords)));
  }

  #use(memory: SharedArrayBuffer): void {
    this.words = new Int32Array(memory);
    this.floats = new Float64Array(memory);
  }

  get isUntouched(): boolean {
    return this.words.length === 0;
  }

  /** Locks the set of a digest; call `leave` with the result. */
  enter(digest: Digest): number {
    const set = this.setOf(digest[0] as number);
    lockWord(this.words, set, this.#holder);
    return set;
  }

  /** The set that some bits select. */
  setOf(bits: number): number {
    if (this.words.length === 0) this.#use(HashedSets.memory(this.shape));
    return HEAD_WORDS + (bits & this.#mask) * this.#stride;
  }

  lock(set: number): void {
    lockWord(this.words, set, this.#holder);
  }

  leave(set: number): void {
    unlockWord(this.words, set, this.#holder);
  }

  /** Where the entry of a digest begins in `set`; -1: there is none. */
  find(set: number, digest: Digest): number {
    const { words } = this;
    const { entryWords } = this.shape;
    const low = digest[0];
    const high = digest[1];
    const end = set + this.#stride;
    for (let entry = set + SET_WORDS; entry < end; entry += entryWords) {
      if (words[entry] === high && words[entry + LOW] === low) return entry;
    }
    return -1;
  }

  /** Where the first entry of a set begins; the others follow at a distance of `entryWords`. */
  firstOf(set: number): number {
    return set + SET_WORDS;
  }

  isUsed(entry: number): boolean {
    return this.words[entry] !== 0;
  }

  /** Before its values are written: until `mark` the entry is nobody's. */
  clear(entry: number): void {
    this.words[entry] = 0;
  }

  /** After its values were written: from now on it is the entry of `digest`. */
  mark(entry: number, digest: Digest): void {
    this.words[entry + LOW] = digest[0] as number;
    this.words[entry + HIGH] = digest[1] as number;
  }

  /** Uses of a set are counted, so that an entry can note its last one. */
  countUse(set: number): number {
    const uses = ((this.words[set + 1] as number) + 1) | 0;
    this.words[set + 1] = uses;
    return uses;
  }

  /** The sets, one after the other, without their locks. */
  *sets(): Generator<number> {
    for (let set = HEAD_WORDS; set < this.words.length; set += this.#stride) yield set;
  }

  /** Frees the locks of a thread that has ended. */
  reclaim(thread: number): void {
    const holder = thread + 1;
    const { words } = this;
    for (let set = HEAD_WORDS; set < words.length; set += this.#stride)
      if (words[set] === holder) unlockWord(words, set, holder);
  }
}
