import type { Backend } from '../backend/backend.js';
import type { Group } from '../backend/group.js';
import { NO_KEY, type PickKey } from '../scheduler/scheduler.js';
import type { RequestContext } from './context.js';
import type { RequestKey } from './request-key.js';
import type { Sticky } from './sticky.js';

/** Who chooses for a route now: what is in flight from before a reload may find all its servers gone. */
export interface Incumbency {
  choice: Choice | null;
}

/** Who serves the requests of a route: whom the client is bound to, else whom the algorithm of its servers picks. */
export class Choice {
  readonly group: Group;
  /** null: the algorithm needs nothing of the request. */
  readonly #key: RequestKey | null;
  /** null: clients are bound to nobody. */
  readonly sticky: Sticky | null;
  readonly #route: Incumbency;

  /** `route` is shared with those that chose for it before. */
  constructor(
    group: Group,
    key: RequestKey | null,
    sticky: Sticky | null,
    route: Incumbency = { choice: null },
  ) {
    this.#route = route;
    this.group = group;
    this.#key = key;
    this.sticky = sticky;
  }

  /** What the algorithm goes by of this request; `NO_KEY` when it goes by none, or the request has nothing of the kind. */
  keyOf(context: RequestContext): PickKey {
    return this.#key === null ? NO_KEY : this.#key.of(context);
  }

  /**
   * The server for the next attempt, none of `tried`; null when there is none left. `repeatable`: the request may be
   * sent twice.
   */
  pick(context: RequestContext, tried: readonly Backend[], repeatable: boolean): Backend | null {
    if (this.sticky !== null) {
      const bound = this.sticky.serverFor(context, tried, repeatable);
      if (bound !== null) return bound;
    }
    const picked = this.group.pick(this.keyOf(context), tried, repeatable);
    return picked ?? this.#pickOfSuccessor(context, tried, repeatable);
  }

  #pickOfSuccessor(context: RequestContext, tried: readonly Backend[], repeatable: boolean): Backend | null {
    const { choice } = this.#route;
    return choice === null || choice === this ? null : choice.pick(context, tried, repeatable);
  }
}
