import { hashText, mixHashes } from '../base/hash.js';
import type { Clock } from '../base/timer-wheel.js';

/** 16,384 sets of 8: of those that share a set, the one that was not asked for longest makes room. 2 MiB in all. */
const SETS = 1 << 14;
const WAYS = 8;
const ENTRIES = SETS * WAYS;
const SECOND_SEED = 0x2545f491;

/**
 * Which server a value that binds was served by last: by which it stays with a server that gets no new clients. It
 * holds two hashes of each value, 62 bits, so that no client is taken for another; and of the server that of its name,
 * so that it means the same after a reload. It is made once for a balancer, and takes no memory before it is used.
 */
export class StickyMemory {
  readonly #clock: Clock;
  #values = new Int32Array(0);
  #seconds = new Int32Array(0);
  #servers = new Int32Array(0);
  /** In s; 0: there is nothing. */
  #servedAt = new Int32Array(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The hash of the name of the server; -1 if none served the value in the last `expire` ms. `scope`: what the value is of. */
  serverOf(value: string, scope: number, expire: number): number {
    if (this.#servedAt.length === 0) return -1;
    const entry = this.#find(mixHashes(hashText(value), scope), hashText(value, SECOND_SEED));
    if (entry === -1) return -1;
    const age = this.#now() - (this.#servedAt[entry] as number);
    return age * 1000 < expire ? (this.#servers[entry] as number) : -1;
  }

  /** `server`, the hash of its name, has just answered a request with this value. */
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

  /** From 1 on. */
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
