import { readAddress } from './ip-address.js';

/** A block of addresses as in a configuration; `first` and `last` belong to it. */
export interface AddressBlock {
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** Ranges in ascending order, none within another. */
export interface AddressRanges {
  readonly first: Uint32Array<ArrayBuffer>;
  readonly last: Uint32Array<ArrayBuffer>;
}

/** `wide`: added, although its address is not the first of its block, as in `10.0.0.1/8`. */
export type Added = 'added' | 'wide' | 'refused';

/** IPv4 addresses are stored as `::ffff:a.b.c.d`. */
const MAPPED = 0xffff;
const SLASH = 0x2f;
const ZERO = 0x30;
/**
 * Larger than any prefix length, so that an IPv4 block is one number: its first address times this, plus the length.
 */
const PREFIXES = 64;
/** Words of an IPv6 block: four of its first address, and its prefix length. */
const WORDS = 5;

/** The address that is being read. */
const words = new Uint32Array(4);

/**
 * Collects addresses and CIDR blocks for an `AddressSet`. They are kept as numbers because a list may have a million
 * lines: an object for each would take longer than reading them.
 */
export class AddressCollector {
  #v4 = new Float64Array(64);
  #countV4 = 0;
  #v6 = new Uint32Array(0);
  #countV6 = 0;

  /** Adds the text at `text[start, end)`: an address such as `192.0.2.1`, or a block such as `2001:db8::/32`. */
  add(text: string, start = 0, end = text.length): Added {
    let slash = start;
    while (slash < end && text.charCodeAt(slash) !== SLASH) slash++;
    const version = readAddress(text, start, slash, words);
    if (version === 0) return 'refused';
    const bits = version === 4 ? 32 : 128;
    const prefix = slash === end ? bits : readPrefix(text, slash + 1, end);
    if (prefix === -1 || prefix > bits) return 'refused';
    return this.#add(version === 4 ? prefix + 96 : prefix) ? 'wide' : 'added';
  }

  addBlock({ version, first, last }: AddressBlock): void {
    for (let i = 0; i < 4; i++) words[i] = Number((first >> BigInt(96 - 32 * i)) & 0xffff_ffffn);
    if (version === 4) words[2] = MAPPED;
    // A block of 2^n addresses.
    this.#add(128 - (last - first + 1n).toString(2).length + 1);
  }

  /** Sorted and merged. */
  rangesV4(): AddressRanges {
    const blocks = this.#v4.slice(0, this.#countV4).sort();
    const first = new Uint32Array(blocks.length);
    const last = new Uint32Array(blocks.length);
    let count = 0;
    for (const block of blocks) {
      const begin = Math.floor(block / PREFIXES);
      const end = begin + 2 ** (32 - (block % PREFIXES)) - 1;
      if (count > 0 && begin <= (last[count - 1] as number) + 1) {
        last[count - 1] = Math.max(last[count - 1] as number, end);
      } else {
        first[count] = begin;
        last[count] = end;
        count++;
      }
    }
    return { first: first.slice(0, count), last: last.slice(0, count) };
  }

  /** Sorted, four words for each address; blocks within another are left out. */
  rangesV6(): AddressRanges {
    const blocks = this.#v6;
    const first = new Uint32Array(4 * this.#countV6);
    const last = new Uint32Array(4 * this.#countV6);
    let count = 0;
    const order = sortedBlocks(blocks, this.#countV6);
    for (let block = 0; block < order.length; block++) {
      const at = WORDS * (order[block] as number);
      // Two blocks are nested or disjoint: a block that does not begin after the end of the one before is within it.
      if (count > 0 && compareWords(blocks, at, last, 4 * (count - 1)) <= 0) continue;
      const prefix = blocks[at + 4] as number;
      for (let i = 0; i < 4; i++) {
        const word = blocks[at + i] as number;
        first[4 * count + i] = word;
        last[4 * count + i] = prefix === 128 ? word : word | hostMask(prefix, i);
      }
      count++;
    }
    return { first: first.slice(0, 4 * count), last: last.slice(0, 4 * count) };
  }

  /**
   * Adds the block around the address in `words`, with a prefix of at most 128 bits. True when the address is not the
   * first of the block.
   */
  #add(prefix: number): boolean {
    if (prefix === 128 && words[2] !== MAPPED) {
      this.#addV6(prefix);
      return false;
    }
    let wide = false;
    const isV4 = words[0] === 0 && words[1] === 0 && words[2] === MAPPED && prefix >= 96;
    for (let i = 0; i < 4; i++) {
      const mask = hostMask(prefix, i);
      if (((words[i] as number) & mask) !== 0) wide = true;
      words[i] = (words[i] as number) & ~mask;
    }
    if (isV4) this.#addV4((words[3] as number) * PREFIXES + prefix - 96);
    else this.#addV6(prefix);
    return wide;
  }

  #addV4(block: number): void {
    if (this.#countV4 === this.#v4.length) {
      const larger = new Float64Array(2 * this.#v4.length);
      larger.set(this.#v4);
      this.#v4 = larger;
    }
    this.#v4[this.#countV4++] = block;
  }

  #addV6(prefix: number): void {
    const at = WORDS * this.#countV6;
    if (at === this.#v6.length) {
      const larger = new Uint32Array(Math.max(16 * WORDS, 2 * this.#v6.length));
      larger.set(this.#v6);
      this.#v6 = larger;
    }
    const blocks = this.#v6;
    for (let i = 0; i < 4; i++) blocks[at + i] = words[i] as number;
    blocks[at + 4] = prefix;
    this.#countV6++;
  }
}

/** The index of the upper half of a 64-bit number, in words. */
const UPPER = new Uint32Array(BigUint64Array.of(1n).buffer)[0] === 1 ? 1 : 0;
/** Groups up to this size with the same beginning are sorted by comparing. */
const FEW = 24;

/**
 * Their indices in ascending order, the wider of two with the same beginning first. Lists are mostly sorted already;
 * otherwise they are sorted by their first words, in numbers that hold the index too: the native sort of numbers takes
 * a tenth of the time of comparing a million blocks. Blocks with the same first word are then sorted by their next
 * words.
 */
function sortedBlocks(blocks: Uint32Array, count: number): Uint32Array {
  const indices = new Uint32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  if (!isSorted(blocks, count)) sortByWord(blocks, indices, 0, count, 0);
  return indices;
}

function sortByWord(blocks: Uint32Array, indices: Uint32Array, from: number, to: number, word: number): void {
  if (to - from <= FEW) {
    insertionSort(blocks, indices, from, to);
    return;
  }
  const keys = new BigUint64Array(to - from);
  const halves = new Uint32Array(keys.buffer);
  for (let i = from; i < to; i++) {
    const index = indices[i] as number;
    halves[2 * (i - from) + UPPER] = blocks[WORDS * index + word] as number;
    halves[2 * (i - from) + 1 - UPPER] = index;
  }
  keys.sort();
  let start = from;
  let current = -1;
  for (let i = from; i < to; i++) {
    const value = halves[2 * (i - from) + UPPER] as number;
    indices[i] = halves[2 * (i - from) + 1 - UPPER] as number;
    if (value === current) continue;
    if (i - start > 1 && word + 1 < WORDS) sortByWord(blocks, indices, start, i, word + 1);
    start = i;
    current = value;
  }
  if (to - start > 1 && word + 1 < WORDS) sortByWord(blocks, indices, start, to, word + 1);
}

function insertionSort(blocks: Uint32Array, indices: Uint32Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const index = indices[i] as number;
    let at = i;
    while (at > from && compareBlocks(blocks, indices[at - 1] as number, index) > 0) {
      indices[at] = indices[at - 1] as number;
      at--;
    }
    indices[at] = index;
  }
}

/** Compares first addresses, then prefix lengths. */
function compareBlocks(blocks: Uint32Array, one: number, other: number): number {
  for (let i = 0; i < WORDS; i++) {
    const difference = (blocks[WORDS * one + i] as number) - (blocks[WORDS * other + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isSorted(blocks: Uint32Array, count: number): boolean {
  for (let i = 1; i < count; i++) if (compareBlocks(blocks, i - 1, i) > 0) return false;
  return true;
}

function compareWords(one: Uint32Array, at: number, other: Uint32Array, otherAt: number): number {
  for (let i = 0; i < 4; i++) {
    const difference = (one[at + i] as number) - (other[otherAt + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The bits of word `index` after a prefix of `prefix` bits. */
function hostMask(prefix: number, index: number): number {
  const kept = prefix - 32 * index;
  if (kept <= 0) return 0xffff_ffff;
  return kept >= 32 ? 0 : 0xffff_ffff >>> kept;
}

/** One to three digits; -1 for anything else. */
function readPrefix(text: string, start: number, end: number): number {
  if (end - start < 1 || end - start > 3) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
