import type { Clock } from '../base/timer-wheel.js';
import type { ClientTables } from '../shared/client-tables.js';
import type { KeyedHash } from '../shared/keyed-hash.js';
import { SharedMemory } from '../shared/shared-memory.js';
import type { StickyBindings } from '../shared/sticky-bindings.js';

/**
 * Which server last served a value that binds a client, in any thread: so the client stays with a server that gets no new
 * clients. What is stored is the hash of the server's name, which is the same after a reload. Made once for a balancer.
 */
export class StickyMemory {
  readonly #clock: Clock;
  readonly #bindings: StickyBindings;
  readonly #hash: KeyedHash;

  constructor(clock: Clock, { bindings, scopes }: ClientTables = SharedMemory.create().clients) {
    this.#clock = clock;
    this.#bindings = bindings;
    this.#hash = scopes.hashFor('sticky', []);
  }

  /** The hash of the server's name; -1 if no server served the value in the last `expire` ms. `scope`: the kind of value. */
  serverOf(value: string, scope: number, expire: number): number {
    // Less than `expire` ago, in whole seconds.
    const since = this.#now() - Math.ceil(expire / 1000) + 1;
    return this.#bindings.serverOf(this.#hash.ofText(value, scope), since);
  }

  /**
   * A server has just answered a request with this value; `server` is the hash of its name. `expire`: how long other
   * nodes are to remember it, in ms; they remember it a minute longer, because they are told once a minute.
   */
  note(value: string, scope: number, server: number, expire = 0): void {
    const seconds = expire === 0 ? 0 : Math.ceil(expire / 1000) + 60;
    this.#bindings.note(this.#hash.ofText(value, scope), server, this.#now(), seconds);
  }

  /** How many values `server` was the last to serve, in the last `within` ms. Looks at every entry. */
  countOf(server: number, within: number): number {
    return this.#bindings.countOf(server, this.#now() - within / 1000);
  }

  /** Seconds of the clock. */
  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
