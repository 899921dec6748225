import { HashedSets, type SetsShape } from './hashed-sets.js';
import { type Digest, KeyedHash } from './keyed-hash.js';

/** 65,536 names, 1 MiB. */
export const SCOPE_KEYS: SetsShape = { sets: 1 << 12, ways: 16, entryWords: 4, perSet: 4 };
const FIRST = 2;
const SECOND = 3;

/**
 * What the entries of one limit have in common, in all threads and after a reload: the hash of its clients. It follows
 * from the names of the limit's scope. A scope with several names keeps its hash when some of them are added or removed,
 * or their order changes: here is which names mean the same one. When there is no room for more names, those scopes begin
 * anew when their first name changes.
 */
export class ScopeKeys {
  readonly #seed: KeyedHash;
  readonly #sets: HashedSets;

  constructor(seed: KeyedHash, memory: SharedArrayBuffer | null, thread: number) {
    this.#seed = seed;
    this.#sets = new HashedSets(SCOPE_KEYS, memory, thread);
  }

  /** `purpose`: what is kept for the scope; another one has other entries. */
  hashFor(purpose: string, names: readonly string[]): KeyedHash {
    const [name = ''] = names;
    let key: KeyedHash | null = null;
    if (!this.#sets.isUntouched)
      for (let i = 0; i < names.length && key === null; i++) key = this.#known(purpose, names[i] as string);
    key ??= this.#seed.derive(`${purpose}\n${name}`);
    if (names.length > 1) for (const each of names) this.#add(purpose, each, key);
    return key;
  }

  reclaim(thread: number): void {
    this.#sets.reclaim(thread);
  }

  #known(purpose: string, name: string): KeyedHash | null {
    const sets = this.#sets;
    const digest = this.#digestOf(purpose, name);
    const set = sets.enter(digest);
    const entry = sets.find(set, digest);
    const found =
      entry === -1
        ? null
        : new KeyedHash(sets.words[entry + FIRST] as number, sets.words[entry + SECOND] as number);
    sets.leave(set);
    return found;
  }

  #add(purpose: string, name: string, key: KeyedHash): void {
    const sets = this.#sets;
    const digest = this.#digestOf(purpose, name);
    const set = sets.enter(digest);
    if (sets.find(set, digest) === -1) {
      const first = sets.firstOf(set);
      for (let way = 0; way < SCOPE_KEYS.ways; way++) {
        const entry = first + way * SCOPE_KEYS.entryWords;
        if (sets.isUsed(entry)) continue;
        key.write(sets.words, entry + FIRST);
        sets.mark(entry, digest);
        break;
      }
    }
    sets.leave(set);
  }

  #digestOf(purpose: string, name: string): Digest {
    return this.#seed.ofText(Buffer.from(`name of\n${purpose}\n${name}`).toString('latin1'));
  }
}
