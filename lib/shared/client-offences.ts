import { HashedSets, type SetsShape } from './hashed-sets.js';
import type { Digest } from './keyed-hash.js';

/** Times in a record: 4, 8, 16 and so on, as powers of two. */
const SMALLEST = 2;
const LARGEST = 14;
/** The most that settings may say. */
const MOST_COUNT = 10_000;
const WAYS = 8;
/** Records of one size: 16,384, or as many as fit into 9 MiB: 4,096 of 256 times, 64 of 10,000. */
const MOST_SETS = 1 << 11;
const MOST_BYTES = 9 << 20;
/** Offsets in an entry. */
const LAST_USE = 2;
const NOTED = 3;
const TIMES = 4;
/** Counts of offences begin anew before they leave 31 bits. */
const NOTED_AT_MOST = 1 << 30;

/** What counts as too many. */
export interface OffenceTerms {
  /** This many offences within `within` ms; at most 10,000. */
  readonly count: number;
  readonly within: number;
}

/** The shapes of the tables for the sizes of records. */
export function offenceShapes(): readonly SetsShape[] {
  const shapes: SetsShape[] = [];
  for (let size = SMALLEST; size <= LARGEST; size++) {
    const entryWords = TIMES + 2 * Math.min(2 ** size, MOST_COUNT);
    const fitting = MOST_BYTES / (4 * WAYS * entryWords);
    shapes.push({
      sets: Math.min(MOST_SETS, 2 ** Math.floor(Math.log2(fitting))),
      ways: WAYS,
      entryWords,
      perSet: 2,
    });
  }
  return shapes;
}

/**
 * The times of clients' last offences, as many for each as lead to a ban: exact, whichever threads they were noted in. There
 * is a table for each size of records. In a full set the record gives way that was not added to for longest: its client
 * begins with none.
 */
export class ClientOffences {
  readonly #tables: readonly HashedSets[];

  constructor(memory: readonly SharedArrayBuffer[] | null, thread: number) {
    this.#tables = offenceShapes().map((shape, i) => new HashedSets(shape, memory?.[i] ?? null, thread));
  }

  /** Notes an offence; true if there are too many now, and then the record is removed. `now`: monotonic ms. */
  note(client: Digest, terms: OffenceTerms, now: number): boolean {
    const { count, within } = terms;
    const sets = this.#tableFor(count);
    let set = sets.enter(client);
    let entry = sets.find(set, client);
    if (entry === -1 && sets.canGrow && sets.isUsed(leastNeeded(sets, set))) {
      set = sets.makeRoom(set, client);
      entry = sets.find(set, client);
    }
    const use = sets.countUse(set);
    if (entry === -1) {
      entry = leastNeeded(sets, set);
      sets.clear(entry);
      sets.words[entry + NOTED] = 0;
      sets.mark(entry, client);
    }
    sets.words[entry + LAST_USE] = use;
    const times = (entry + TIMES) >> 1;
    const noted = sets.words[entry + NOTED] as number;
    // In place of the oldest.
    sets.floats[times + (noted % count)] = now;
    sets.words[entry + NOTED] = noted + 1 < NOTED_AT_MOST ? noted + 1 : count + ((noted + 1) % count);
    // The next one is the oldest of the last `count`: it and all later ones are too many if it is recent enough.
    const oldest = sets.floats[times + ((noted + 1) % count)] as number;
    const areTooMany = noted + 1 >= count && now - oldest <= within;
    if (areTooMany) sets.clear(entry);
    sets.leave(set);
    return areTooMany;
  }

  /** Removes the record of a client. `count`: as it was noted with. */
  forget(client: Digest, { count }: OffenceTerms): void {
    const sets = this.#tableFor(count);
    if (sets.isUntouched) return;
    const set = sets.enter(client);
    const entry = sets.find(set, client);
    if (entry !== -1) sets.clear(entry);
    sets.leave(set);
  }

  /** Records. Looks at all of them. */
  get size(): number {
    let size = 0;
    for (const sets of this.#tables) {
      const { ways, entryWords } = sets.shape;
      for (const set of sets.sets())
        for (let way = 0; way < ways; way++) if (sets.isUsed(sets.firstOf(set) + way * entryWords)) size++;
    }
    return size;
  }

  reclaim(thread: number): void {
    for (const sets of this.#tables) sets.reclaim(thread);
  }

  #tableFor(count: number): HashedSets {
    const size = Math.max(SMALLEST, Math.ceil(Math.log2(count)));
    return this.#tables[size - SMALLEST] as HashedSets;
  }
}

function leastNeeded(sets: HashedSets, set: number): number {
  const { ways, entryWords } = sets.shape;
  const first = sets.firstOf(set);
  let oldest = first;
  let age = -1;
  for (let entry = first; entry < first + ways * entryWords; entry += entryWords) {
    if (!sets.isUsed(entry)) return entry;
    const unused = (sets.usesOf(set) - (sets.words[entry + LAST_USE] as number)) >>> 0;
    if (unused > age) {
      age = unused;
      oldest = entry;
    }
  }
  return oldest;
}
