import { HashedSets, type SetsShape } from './hashed-sets.js';
import type { Digest } from './keyed-hash.js';

/** 131,072 bindings, 2.2 MiB; 68 bytes each as long as there are less than 32,768. */
export const STICKY_BINDINGS: SetsShape = { sets: 1 << 14, ways: 8, entryWords: 4, perSet: 2 };
/** Offsets in an entry. */
const SERVER = 2;
const SERVED_AT = 3;

/** Which server last served a value that binds a client, and when. In a full set the one that was served longest ago gives way. */
export class StickyBindings {
  readonly #sets: HashedSets;

  constructor(memory: SharedArrayBuffer | null, thread: number) {
    this.#sets = new HashedSets(STICKY_BINDINGS, memory, thread);
  }

  /** The server (the hash of its name) that served the value at `since` or later, in whole seconds; -1: none did. */
  serverOf(value: Digest, since: number): number {
    const sets = this.#sets;
    if (sets.isUntouched) return -1;
    const set = sets.enter(value);
    const entry = sets.find(set, value);
    const { words } = sets;
    const isBound = entry !== -1 && (words[entry + SERVED_AT] as number) >= since;
    const server = isBound ? (words[entry + SERVER] as number) : -1;
    sets.leave(set);
    return server;
  }

  /** `now`: in whole seconds, the same in all threads. */
  note(value: Digest, server: number, now: number): void {
    const sets = this.#sets;
    let set = sets.enter(value);
    let entry = sets.find(set, value);
    if (entry === -1 && sets.canGrow && sets.isUsed(this.#leastNeeded(set))) {
      set = sets.makeRoom(set, value);
      entry = sets.find(set, value);
    }
    const { words } = sets;
    const isNew = entry === -1;
    if (isNew) {
      entry = this.#leastNeeded(set);
      sets.clear(entry);
    }
    words[entry + SERVER] = server;
    words[entry + SERVED_AT] = now;
    if (isNew) sets.mark(entry, value);
    sets.leave(set);
  }

  /** How many values `server` was the last to serve, after `since`. Looks at every entry. */
  countOf(server: number, since: number): number {
    const { words, shape } = this.#sets;
    let count = 0;
    for (const set of this.#sets.sets()) {
      const first = this.#sets.firstOf(set);
      for (let entry = first; entry < first + shape.ways * shape.entryWords; entry += shape.entryWords) {
        if (words[entry] === 0 || words[entry + SERVER] !== server) continue;
        if ((words[entry + SERVED_AT] as number) > since) count++;
      }
    }
    return count;
  }

  reclaim(thread: number): void {
    this.#sets.reclaim(thread);
  }

  #leastNeeded(set: number): number {
    const { words } = this.#sets;
    const { ways, entryWords } = STICKY_BINDINGS;
    const first = this.#sets.firstOf(set);
    let oldest = first;
    for (let entry = first; entry < first + ways * entryWords; entry += entryWords) {
      if (words[entry] === 0) return entry;
      if ((words[entry + SERVED_AT] as number) < (words[oldest + SERVED_AT] as number)) oldest = entry;
    }
    return oldest;
  }
}
