import { hashText } from '../base/hash.js';
import { BY_VALUE } from '../servers/schedulers.js';
import type { Selection } from '../servers/selection.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Sticky } from './context.js';
import type { RequestFacts, RequestKey } from './request-key.js';
import type { StickyMemory } from './sticky-memory.js';

/** What values are looked up in. */
export interface StickyMemoryTerms {
  readonly memory: StickyMemory;
  /** Values that mean the same share it. */
  readonly scope: number;
  /** ms that a server is remembered for after it last served a value; 0: none is. */
  readonly expire: number;
}

/**
 * Binds clients by a value of their own that comes with each request. A new one goes where its hash says; from then on
 * to who served it last, also while that gets no new clients. What is forgotten goes by the hash again, which most
 * often means the same server.
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

  /** The client is told nothing: it is remembered here. */
  mark(context: RequestFacts, { hash }: Server): void {
    const value = this.#key.textOf(context);
    const { memory, scope, expire } = this.#remembering;
    if (value !== '' && expire > 0) memory.note(value, scope, hash);
  }
}
