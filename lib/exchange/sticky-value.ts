import { hashText } from '../base/hash.js';
import { BY_VALUE } from '../servers/schedulers.js';
import type { Selection } from '../servers/selection.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Sticky } from './context.js';
import type { RequestFacts, RequestKey } from './request-key.js';
import type { StickyMemory } from './sticky-memory.js';

/** Where values are looked up. */
export interface StickyMemoryTerms {
  readonly memory: StickyMemory;
  /** Routes whose values mean the same share a scope. */
  readonly scope: number;
  /** ms that a server is remembered after it last served a value; 0: servers are not remembered. */
  readonly expire: number;
}

/**
 * Binds clients by a value that comes with each request. A new value goes to the server that its hash selects, and from
 * then on to the server that served it last, even when that one gets no new clients. A forgotten value is selected by its
 * hash again, which usually picks the same server.
 */
export class StickyValue implements Sticky {
  readonly #key: RequestKey;
  readonly #group: ServerGroup;
  readonly #remembering: StickyMemoryTerms;
  readonly #hash: Selection;

  constructor(key: RequestKey, group: ServerGroup, remembering: StickyMemoryTerms) {
    this.#key = key;
    this.#group = group;
    this.#hash = group.selectionBy(BY_VALUE);
    this.#remembering = remembering;
  }

  serverFor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null {
    const value = this.#key.textOf(context);
    if (value === '') return null;
    const { memory, scope, expire } = this.#remembering;
    const bound = expire === 0 ? undefined : this.#group.byHash(memory.serverOf(value, scope, expire));
    if (bound !== undefined && this.#group.mayHold(bound, tried)) return bound;
    return this.#group.pick(hashText(value), tried, repeatable, this.#hash);
  }

  /** The client is told nothing: its server is remembered here. */
  mark(context: RequestFacts, { hash }: Server): void {
    const value = this.#key.textOf(context);
    const { memory, scope, expire } = this.#remembering;
    if (value !== '' && expire > 0) memory.note(value, scope, hash, expire);
  }
}
