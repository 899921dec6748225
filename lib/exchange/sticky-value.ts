import type { Backend } from '../backend/backend.js';
import type { Group } from '../backend/group.js';
import { ConsistentHash } from '../scheduler/consistent-hash.js';
import { RoundRobin } from '../scheduler/round-robin.js';
import { NO_KEY } from '../scheduler/scheduler.js';
import type { RequestContext } from './context.js';
import type { RequestKey } from './request-key.js';
import type { Sticky } from './sticky.js';

/**
 * Binds clients by a value of their own that comes with each request. Nothing is kept of them: the value alone says
 * which server it is, so a server that drains gives its clients away, and only those move.
 */
export class StickyValue implements Sticky {
  readonly #key: RequestKey;
  readonly #group: Group;
  readonly #hash = new ConsistentHash(new RoundRobin());

  constructor(key: RequestKey, group: Group) {
    this.#key = key;
    this.#group = group;
  }

  serverFor(context: RequestContext, tried: readonly Backend[], repeatable: boolean): Backend | null {
    const key = this.#key.of(context);
    return key === NO_KEY ? null : this.#group.pick(key, tried, repeatable, this.#hash);
  }

  mark(): void {}
}
