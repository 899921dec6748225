import type { Reason } from '../../base/observer.js';
import type { RouteConfig } from '../../config/types.js';
import type { Server } from '../../servers/server.js';

/** Answered by the balancer, or not at all, because something objects to the request. */
export interface Refused {
  readonly kind: 'refused';
  /** As the access line calls it. */
  readonly reason: Reason;
  readonly status: number;
  /** Which setting objected, or what is wrong with the head. */
  readonly detail: string;
  /** The connection is reset before a byte of the request is read: the client never sees `status`. */
  readonly atAccept: boolean;
  readonly route: RouteConfig | null;
}

/** Answered by its route: a redirect, or a reply that stands in the configuration. */
export interface Replied {
  readonly kind: 'replied';
  readonly status: number;
  /** Where a redirect leads; null without a Location. */
  readonly location: string | null;
  /** The response head, bytes as latin1. */
  readonly head: string;
  /** Bytes as latin1. */
  readonly body: string;
  readonly route: RouteConfig;
}

/** Sent to a server. */
export interface Forwarded {
  readonly kind: 'forwarded';
  /** In the order of the configuration. */
  readonly servers: readonly Server[];
  /** Whom the head is for. */
  readonly server: Server;
  /**
   * bound: the client is bound to it. settled: that follows from the request alone. open: it may be another as well, as
   * it depends on turns, on chance, or on what else is going on.
   */
  readonly choice: 'bound' | 'settled' | 'open';
  /** As it would go out, bytes as latin1. */
  readonly head: string;
  readonly route: RouteConfig;
}

/** Answered by the balancer, before it is anybody's: it asks at `readiness_path`. */
export interface ReadinessTold {
  readonly kind: 'readiness';
  /** Of one that runs and has a usable server. */
  readonly status: 200;
  readonly route: null;
}

/** What would become of a request. */
export type DryRunOutcome = Refused | Replied | Forwarded | ReadinessTold;
