import { BindingNews } from './binding-news.js';
import { HashedSets, type SetsShape } from './hashed-sets.js';
import type { Digest } from './keyed-hash.js';

/** 131,072 bindings, 2.2 MiB; 68 bytes each as long as there are less than 32,768. */
export const STICKY_BINDINGS: SetsShape = { sets: 1 << 14, ways: 8, entryWords: 4, perSet: 2 };
/** Offsets in an entry. */
const SERVER = 2;
const SERVED_AT = 3;

/** Seconds. */
const TELL_AGAIN = 60;

/** What a value was before it is bound: not there, or to be reported again; bound to another server; bound to this one. */
type Before = 0 | 1 | 2;
const NEW = 0;
const MOVED = 1;
const IN_USE = 2;

/** Which server last served a value that binds a client, and when. In a full set the one that was served longest ago gives way. */
export class StickyBindings {
  readonly #sets: HashedSets;
  readonly #news: BindingNews;

  /** `news`: what is reported to other nodes; by default nothing. */
  constructor(memory: SharedArrayBuffer | null, thread: number, news = new BindingNews(null)) {
    this.#news = news;
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

  /** Another node has reported it, so it is not reported again. `now`: in whole seconds. */
  adopt(value: Digest, server: number, now: number): void {
    this.#write(value, server, now);
  }

  /** `now` and `expire`: in whole seconds, those of the clock the same in all threads. */
  note(value: Digest, server: number, now: number, expire: number): void {
    const news = this.#news;
    // The digest is one that the next hash overwrites, and nothing is hashed in between.
    const before = this.#write(value, server, now);
    if (!news.isRead || expire === 0 || before === IN_USE) return;
    news.add(value, server, expire, before === MOVED);
  }

  /** What the value was before. */
  #write(value: Digest, server: number, now: number): Before {
    const sets = this.#sets;
    let set = sets.enter(value);
    let entry = sets.find(set, value);
    if (entry === -1 && sets.canGrow && sets.isUsed(this.#leastNeeded(set))) {
      set = sets.makeRoom(set, value);
      entry = sets.find(set, value);
    }
    const { words } = sets;
    const isNew = entry === -1;
    const before = isNew ? NEW : this.#before(entry, server, now);
    if (isNew) {
      entry = this.#leastNeeded(set);
      sets.clear(entry);
    }
    words[entry + SERVER] = server;
    words[entry + SERVED_AT] = now;
    if (isNew) sets.mark(entry, value);
    sets.leave(set);
    return before;
  }

  /** One that is used is reported again each minute, so that other nodes remember it. */
  #before(entry: number, server: number, now: number): Before {
    const { words } = this.#sets;
    if (words[entry + SERVER] !== server) return MOVED;
    const servedAt = words[entry + SERVED_AT] as number;
    return Math.floor(servedAt / TELL_AGAIN) === Math.floor(now / TELL_AGAIN) ? IN_USE : NEW;
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
