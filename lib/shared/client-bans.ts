import { IpAddress } from '../base/ip-address.js';
import { HashedSets, type SetsShape, USER_WORDS } from './hashed-sets.js';
import type { Digest, KeyedHash } from './keyed-hash.js';

/** 131,072 bans, 4.1 MiB; 264 bytes each as long as there are less than 16,384. */
export const CLIENT_BANS: SetsShape = { sets: 1 << 14, ways: 8, entryWords: 8, perSet: 1 };
/** Offsets in an entry. A listing selects entries by the first bits of the scope's hash; the digest then decides. */
const SCOPE = 2;
const VERSION = 3;
const ADDRESS = 4;
const UNTIL = 6;
/** Of the whole table: entries in use, at least; and how often one was made or removed. */
const COUNT = USER_WORDS;
const CHANGES = USER_WORDS + 1;

/** A ban as it is listed. */
export interface ListedBan {
  /** An `IpAddress.key`. */
  readonly client: string;
  /** Monotonic ms. */
  readonly until: number;
}

interface Standing extends ListedBan {
  readonly address: IpAddress;
  readonly low: number;
  readonly high: number;
}

/**
 * The bans of all scopes, each with the client's address. In a full set one that has ended gives way, else the one that
 * would end first. A ban is in force in all threads as soon as `add` has returned.
 */
export class ClientBans {
  readonly #sets: HashedSets;
  /** The entries that a listing found, by scope: asking for 10,000 scopes walks the table once. */
  #listed: ReadonlyMap<number, readonly Standing[]> = new Map();
  #listedAt = -1;

  constructor(memory: SharedArrayBuffer | null, thread: number) {
    this.#sets = new HashedSets(CLIENT_BANS, memory, thread);
  }

  /** Is there no entry? Then no look-up is needed. */
  get isEmpty(): boolean {
    return this.#sets.isUntouched || Atomics.load(this.#sets.words, COUNT) === 0;
  }

  isBanned(client: Digest, now: number): boolean {
    if (this.isEmpty) return false;
    const sets = this.#sets;
    const set = sets.enter(client);
    const entry = sets.find(set, client);
    const until = entry === -1 ? now : (sets.floats[(entry + UNTIL) >> 1] as number);
    if (entry !== -1 && until <= now) this.#remove(entry);
    sets.leave(set);
    return until > now;
  }

  /** Bans a client until a time; false if it is banned already. */
  add(hash: KeyedHash, address: IpAddress, until: number, now: number): boolean {
    const sets = this.#sets;
    const client = hash.ofClient(address);
    let set = sets.enter(client);
    let entry = sets.find(set, client);
    if (entry === -1 && sets.canGrow && this.#isStanding(this.#leastNeeded(set, now), now)) {
      set = sets.makeRoom(set, client);
      entry = sets.find(set, client);
    }
    const isNew = entry === -1 || (sets.floats[(entry + UNTIL) >> 1] as number) <= now;
    if (isNew) {
      if (entry === -1) entry = this.#leastNeeded(set, now);
      this.#write(entry, client, hash.scope, address, until);
    }
    sets.leave(set);
    return isNew;
  }

  /** Ends a ban; false if there is none. */
  lift(client: Digest, now: number): boolean {
    if (this.isEmpty) return false;
    const sets = this.#sets;
    const set = sets.enter(client);
    const entry = sets.find(set, client);
    const wasBanned = entry !== -1 && (sets.floats[(entry + UNTIL) >> 1] as number) > now;
    if (entry !== -1) this.#remove(entry);
    sets.leave(set);
    return wasBanned;
  }

  /** The bans of a scope. */
  *list(hash: KeyedHash, now: number): Generator<ListedBan> {
    if (this.isEmpty) return;
    const changes = Atomics.load(this.#sets.words, CHANGES);
    if (this.#listedAt !== changes) {
      this.#listed = this.#all();
      this.#listedAt = changes;
      // The listing is dropped after this tick: it may have a hundred thousand bans.
      setImmediate(() => {
        this.#listed = new Map();
        this.#listedAt = -1;
      });
    }
    for (const ban of this.#listed.get(hash.scope) ?? []) {
      const [low, high] = hash.ofClient(ban.address);
      if (ban.until > now && low === ban.low && high === ban.high) yield ban;
    }
  }

  /** Ends all bans of a scope. */
  clear(hash: KeyedHash): void {
    for (const { address } of this.#all().get(hash.scope) ?? []) this.lift(hash.ofClient(address), 0);
  }

  /** Bans in force. Looks at all of them. */
  countAt(now: number): number {
    let count = 0;
    for (const bans of this.#all().values()) for (const { until } of bans) if (until > now) count++;
    return count;
  }

  reclaim(thread: number): void {
    this.#sets.reclaim(thread);
  }

  #all(): Map<number, Standing[]> {
    const byScope = new Map<number, Standing[]>();
    const { words, floats, shape } = this.#sets;
    for (const set of this.#sets.sets()) {
      let isLocked = false;
      const first = this.#sets.firstOf(set);
      for (let entry = first; entry < first + shape.ways * shape.entryWords; entry += shape.entryWords) {
        if (words[entry] === 0) continue;
        if (!isLocked) this.#sets.lock(set);
        isLocked = true;
        if (words[entry] === 0) continue;
        const address = addressAt(words, entry);
        const scope = words[entry + SCOPE] as number;
        const bans = byScope.get(scope) ?? [];
        bans.push({
          address,
          low: words[entry + 1] as number,
          high: words[entry] as number,
          client: address.key,
          until: floats[(entry + UNTIL) >> 1] as number,
        });
        byScope.set(scope, bans);
      }
      if (isLocked) this.#sets.leave(set);
    }
    return byScope;
  }

  #write(entry: number, client: Digest, scope: number, address: IpAddress, until: number): void {
    const sets = this.#sets;
    const { words } = sets;
    if (sets.isUsed(entry)) this.#remove(entry);
    // Before the entry counts: a thread that sees no ban in the table looks no further.
    Atomics.add(words, COUNT, 1);
    const isV6 = address.version === 6;
    words[entry + SCOPE] = scope;
    words[entry + VERSION] = address.version;
    words[entry + ADDRESS] = address.word(isV6 ? 0 : 3);
    words[entry + ADDRESS + 1] = address.word(1);
    sets.floats[(entry + UNTIL) >> 1] = until;
    sets.mark(entry, client);
    Atomics.add(words, CHANGES, 1);
  }

  #remove(entry: number): void {
    this.#sets.clear(entry);
    Atomics.sub(this.#sets.words, COUNT, 1);
    Atomics.add(this.#sets.words, CHANGES, 1);
  }

  #isStanding(entry: number, now: number): boolean {
    return this.#sets.isUsed(entry) && (this.#sets.floats[(entry + UNTIL) >> 1] as number) > now;
  }

  #leastNeeded(set: number, now: number): number {
    const { floats } = this.#sets;
    const { ways, entryWords } = CLIENT_BANS;
    const first = this.#sets.firstOf(set);
    let soonest = first;
    for (let entry = first; entry < first + ways * entryWords; entry += entryWords) {
      if (!this.#isStanding(entry, now)) return entry;
      if ((floats[(entry + UNTIL) >> 1] as number) < (floats[(soonest + UNTIL) >> 1] as number))
        soonest = entry;
    }
    return soonest;
  }
}

function addressAt(words: Int32Array, entry: number): IpAddress {
  const first = (words[entry + ADDRESS] as number) >>> 0;
  const version = words[entry + VERSION];
  if (version === 4) return IpAddress.v4(first);
  if (version === 0) return IpAddress.unix;
  return IpAddress.v6(Uint32Array.of(first, words[entry + ADDRESS + 1] as number, 0, 0));
}
