import { hashText, mixHashes } from '../base/hash.js';
import type { Clock } from '../base/timer-wheel.js';

/** 16,384 sets of 8 entries: in a full set the entry that was not used for longest is replaced. 2 MiB in all. */
const SETS = 1 << 14;
const WAYS = 8;
const ENTRIES = SETS * WAYS;
const SECOND_SEED = 0x2545f491;

/**
 * Which server last served a value that binds a client: so the client stays with a server that gets no new clients.
 * Stores two hashes of each value, 62 bits, so that clients are not confused, and the hash of the server's name, which is
 * the same after a reload. Made once for a balancer; takes no memory before it is used.
 */
export class StickyMemory {
  readonly #clock: Clock;
  #values = new Int32Array(0);
  #seconds = new Int32Array(0);
  #servers = new Int32Array(0);
  /** In s; 0: the entry is empty. */
  #servedAt = new Int32Array(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The hash of the server's name; -1 if no server served the value in the last `expire` ms. `scope`: the kind of value. */
  serverOf(value: string, scope: number, expire: number): number {
    if (this.#servedAt.length === 0) return -1;
    const entry = this.#find(mixHashes(hashText(value), scope), hashText(value, SECOND_SEED));
    if (entry === -1) return -1;
    const age = this.#now() - (this.#servedAt[entry] as number);
    return age * 1000 < expire ? (this.#servers[entry] as number) : -1;
  }

  /** A server has just answered a request with this value; `server` is the hash of its name. */
  note(value: string, scope: number, server: number): void {
    if (this.#servedAt.length === 0) this.#allocate();
    const first = mixHashes(hashText(value), scope);
    const second = hashText(value, SECOND_SEED);
    let entry = this.#find(first, second);
    if (entry === -1) {
      entry = this.#oldest(first);
      this.#values[entry] = first;
      this.#seconds[entry] = second;
    }
    this.#servers[entry] = server;
    this.#servedAt[entry] = this.#now();
  }

  /** How many values `server` was the last to serve, in the last `within` ms. Looks at every entry. */
  countOf(server: number, within: number): number {
    const since = this.#now() - within / 1000;
    let count = 0;
    for (let entry = 0; entry < this.#servedAt.length; entry++) {
      const servedAt = this.#servedAt[entry] as number;
      if (this.#servers[entry] === server && servedAt !== 0 && servedAt > since) count++;
    }
    return count;
  }

  /** Seconds of the clock, from 1 on: 0 marks an empty entry. */
  #now(): number {
    return Math.floor(this.#clock.now() / 1000) + 1;
  }

  #find(first: number, second: number): number {
    const start = (first & (SETS - 1)) * WAYS;
    for (let entry = start; entry < start + WAYS; entry++) {
      if (this.#values[entry] === first && this.#seconds[entry] === second && this.#servedAt[entry] !== 0)
        return entry;
    }
    return -1;
  }

  #oldest(first: number): number {
    const start = (first & (SETS - 1)) * WAYS;
    let oldest = start;
    for (let entry = start + 1; entry < start + WAYS; entry++)
      if ((this.#servedAt[entry] as number) < (this.#servedAt[oldest] as number)) oldest = entry;
    return oldest;
  }

  #allocate(): void {
    this.#values = new Int32Array(ENTRIES);
    this.#seconds = new Int32Array(ENTRIES);
    this.#servers = new Int32Array(ENTRIES);
    this.#servedAt = new Int32Array(ENTRIES);
  }
}
