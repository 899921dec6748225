import type { Digest } from './keyed-hash.js';
import { lockWord, unlockWord } from './word-lock.js';

/** How a table is laid out. */
export interface SetsShape {
  /** The most sets: a power of two, at least 8. */
  readonly sets: number;
  /** Entries in a set. */
  readonly ways: number;
  /** 32-bit words of an entry, including the two of its digest; even. */
  readonly entryWords: number;
  /** As long as there can be more sets, one is added when there are more than this many entries for each. */
  readonly perSet: number;
  /** 2: an entry is in the set that the first or that the second word of its digest selects; 1 by default. */
  readonly choices?: 1 | 2;
}

/** Sets that a table begins with, or all of a smaller one. */
const FIRST_SETS = 8;
/** Sets that are added at most so that one that is full is divided: this takes about a millisecond. */
const MOST_ADDED = 1024;
/** Words at the beginning of the table. A user of the table may use the rest of them, from `USER_WORDS` on. */
const HEAD_WORDS = 16;
const ADDED = 0;
const GROWING = 1;
const ENTRIES = 2;
export const USER_WORDS = 4;
/** Of each set: its lock, and a count of its uses. */
const SET_WORDS = 2;
/** Offsets in an entry. The second word of a digest is never 0, unless the entry is empty. */
const HIGH = 0;
const LOW = 1;

/**
 * A hash table in shared memory: an entry is in the set that its digest selects, at any place in it. A thread that reads or
 * changes a set holds its lock (`enter` and `leave`). An entry is marked as used with the last word that is written, and as
 * empty with the first, so that a thread that ends in between leaves no half entry.
 *
 * The memory is reserved once and as large as it may get; the table uses its first sets, and one more whenever it needs it
 * (linear hashing: the new set takes over about half the entries of one other). So it takes as much memory as its entries
 * need, and no request waits for more than one set to be divided.
 */
export class HashedSets {
  readonly shape: SetsShape;
  /** Empty until the memory is there. */
  words: Int32Array = new Int32Array(0);
  /** The same memory, for entries that hold times. */
  floats: Float64Array = new Float64Array(0);
  readonly #holder: number;
  readonly #first: number;
  readonly #stride: number;
  /** Does the table need another set? */
  #isDue = false;

  /** `memory`: null if it is to be made when it is first needed, by a thread that is alone. */
  constructor(shape: SetsShape, memory: SharedArrayBuffer | null, thread: number) {
    this.shape = shape;
    this.#holder = thread + 1;
    this.#first = Math.min(FIRST_SETS, shape.sets);
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

  /** Sets in use. */
  get setCount(): number {
    return this.isUntouched ? 0 : this.#first + Atomics.load(this.words, ADDED);
  }

  /** Locks the set of a digest; call `leave` with the result. */
  enter(digest: Digest): number {
    if (this.#isDue) this.#addSet();
    const bits = digest[0] as number;
    for (;;) {
      const set = this.setOf(bits);
      lockWord(this.words, set, this.#holder);
      // The entry may have moved to a new set meanwhile.
      if (this.setOf(bits) === set) return set;
      this.leave(set);
    }
  }

  /** The set that some bits select, as long as none is added. */
  setOf(bits: number): number {
    if (this.words.length === 0) this.#use(HashedSets.memory(this.shape));
    const index = selected(bits, this.#first + Atomics.load(this.words, ADDED));
    return HEAD_WORDS + index * this.#stride;
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

  /** Before its values are written: until `mark` nothing finds the entry. */
  clear(entry: number): void {
    if (this.words[entry] === 0) return;
    this.words[entry] = 0;
    Atomics.sub(this.words, ENTRIES, 1);
  }

  /** After its values were written: from now on it is the entry of `digest`. */
  mark(entry: number, digest: Digest): void {
    const { words } = this;
    words[entry + LOW] = digest[0] as number;
    words[entry + HIGH] = digest[1] as number;
    const entries = Atomics.add(words, ENTRIES, 1) + 1;
    this.#isDue = entries > this.shape.perSet * (this.#first + (words[ADDED] as number));
  }

  usesOf(set: number): number {
    return this.words[set + 1] as number;
  }

  /** Uses of a set are counted, so that an entry can note its last one. */
  countUse(set: number): number {
    const uses = ((this.words[set + 1] as number) + 1) | 0;
    this.words[set + 1] = uses;
    return uses;
  }

  /** Adds a set if one was missing at the last `mark`; to be called without any lock. */
  growIfDue(): void {
    if (this.#isDue) this.#addSet();
  }

  get canGrow(): boolean {
    return this.setCount < this.shape.sets;
  }

  /** Adds sets until `set` has been divided, or the table cannot grow; to be called without any lock. */
  divide(set: number): void {
    const index = (set - HEAD_WORDS) / this.#stride;
    for (let i = 0; i < MOST_ADDED && this.canGrow; i++) {
      const next = this.setCount;
      this.#addSet();
      if (originOf(next) === index) return;
    }
  }

  /** `set` is locked and full: lets the table grow, and returns the set of the digest, which is locked. */
  makeRoom(set: number, digest: Digest): number {
    this.leave(set);
    this.divide(set);
    return this.enter(digest);
  }

  /**
   * The sets in use, one after the other, without their locks, and those that are added meanwhile: as entries only move
   * to later sets, none is passed over.
   */
  *sets(): Generator<number> {
    for (let index = 0; index < this.setCount; index++) yield HEAD_WORDS + index * this.#stride;
  }

  /** Frees the locks of a thread that has ended. */
  reclaim(thread: number): void {
    const holder = thread + 1;
    const { words } = this;
    if (this.isUntouched) return;
    if (words[GROWING] === holder) this.#tidyOrigin();
    // One more than are in use: it may have been about to be added.
    const end = Math.min(words.length, HEAD_WORDS + (this.setCount + 1) * this.#stride);
    for (let set = HEAD_WORDS; set < end; set += this.#stride)
      if (words[set] === holder) unlockWord(words, set, holder);
    unlockWord(words, GROWING, holder);
  }

  /**
   * Divides the entries of one set between it and a new one. First they are copied, then the set is in use, then they are
   * removed where they were: a thread that ends in between loses none.
   */
  #addSet(): void {
    this.#isDue = false;
    const { words } = this;
    const count = this.setCount;
    if (count === this.shape.sets) return;
    lockWord(words, GROWING, this.#holder);
    // Another thread may have added this one.
    if (this.setCount === count) {
      const origin = HEAD_WORDS + originOf(count) * this.#stride;
      const added = HEAD_WORDS + count * this.#stride;
      lockWord(words, origin, this.#holder);
      lockWord(words, added, this.#holder);
      this.#copyMoving(origin, added, count + 1);
      Atomics.store(words, ADDED, count + 1 - this.#first);
      this.#removeMoved(origin, count + 1);
      this.leave(added);
      this.leave(origin);
    }
    unlockWord(words, GROWING, this.#holder);
  }

  #copyMoving(origin: number, added: number, count: number): void {
    const { words, shape } = this;
    // What a thread left here that ended before the set was in use.
    words.fill(0, added + SET_WORDS, added + this.#stride);
    words[added + 1] = words[origin + 1] as number;
    let target = added + SET_WORDS;
    for (let entry = origin + SET_WORDS; entry < origin + this.#stride; entry += shape.entryWords) {
      if (words[entry] === 0 || this.#belongs(entry, origin, count)) continue;
      words.copyWithin(target, entry, entry + shape.entryWords);
      target += shape.entryWords;
    }
  }

  #removeMoved(origin: number, count: number): void {
    const { words, shape } = this;
    for (let entry = origin + SET_WORDS; entry < origin + this.#stride; entry += shape.entryWords)
      if (words[entry] !== 0 && !this.#belongs(entry, origin, count)) words[entry] = 0;
  }

  /** A thread has ended while it added a set: what it copied may still be where it was. */
  #tidyOrigin(): void {
    const count = this.setCount;
    if (count > this.#first) this.#removeMoved(HEAD_WORDS + originOf(count - 1) * this.#stride, count);
  }

  /** Does the entry's digest select `set` when there are `count` sets? */
  #belongs(entry: number, set: number, count: number): boolean {
    const { words, shape } = this;
    const index = (set - HEAD_WORDS) / this.#stride;
    if (selected(words[entry + LOW] as number, count) === index) return true;
    return shape.choices === 2 && selected((words[entry + HIGH] as number) >> 1, count) === index;
  }
}

/** The index of the set that bits select among `count`: as many of the lowest bits as are needed, or one less. */
function selected(bits: number, count: number): number {
  const mask = (1 << (32 - Math.clz32(count - 1))) - 1;
  const index = bits & mask;
  return index < count ? index : index & (mask >> 1);
}

/** The set of which set number `index` takes over entries. */
function originOf(index: number): number {
  return index - (1 << (31 - Math.clz32(index)));
}
