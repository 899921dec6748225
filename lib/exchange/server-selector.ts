import type { HeadEdit } from '../http/head-edit.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { RequestFacts, RequestKey } from './request-key.js';

/** Who chooses for a route now: what is in flight from before a reload may find all its servers gone. */
export interface CurrentSelector {
  selector: ServerSelector | null;
}

/** Who serves the requests of a route: whom the client is bound to, else whom the algorithm of its servers picks. */
export class ServerSelector {
  readonly group: ServerGroup;
  /** null: the algorithm needs nothing of the request. */
  readonly #key: RequestKey | null;
  /** null: clients are bound to nobody. */
  readonly sticky: Sticky | null;
  readonly #route: CurrentSelector;

  /** `route` is shared with those that chose for it before. */
  constructor(
    group: ServerGroup,
    key: RequestKey | null,
    sticky: Sticky | null,
    route: CurrentSelector = { selector: null },
  ) {
    this.#route = route;
    this.group = group;
    this.#key = key;
    this.sticky = sticky;
  }

  /** What the algorithm goes by of this request; `NO_KEY` when it goes by none, or the request has nothing of the kind. */
  keyOf(context: RequestFacts): PickKey {
    return this.#key === null ? NO_KEY : this.#key.of(context);
  }

  /**
   * The server for the next attempt, none of `tried`; null when there is none left. `repeatable`: the request may be
   * sent twice.
   */
  pick(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null {
    if (this.sticky !== null) {
      const bound = this.sticky.serverFor(context, tried, repeatable);
      if (bound !== null) return bound;
    }
    const picked = this.group.pick(this.#key === null ? NO_KEY : this.keyOf(context), tried, repeatable);
    return picked ?? this.#pickOfSuccessor(context, tried, repeatable);
  }

  #pickOfSuccessor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null {
    const { selector } = this.#route;
    return selector === null || selector === this ? null : selector.pick(context, tried, repeatable);
  }
}

/** What keeps clients with their server. */
export interface Sticky {
  /** The server this client is to have, none of `tried`; null when it is bound to none that can serve it. */
  serverFor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null;
  /** Tells the client which server answered, in its final response, if it does not know. */
  mark(context: RequestFacts, server: Server, edit: HeadEdit): void;
}
