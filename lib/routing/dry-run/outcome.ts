import type { Reason } from '../../base/observer.js';
import type { RouteConfig } from '../../config/types.js';
import type { Server } from '../../servers/server.js';

/** Refused: the balancer answers itself, or closes the connection without an answer. */
export interface Refused {
  readonly kind: 'refused';
  /** The reason word of the access log. */
  readonly reason: Reason;
  readonly status: number;
  /** The setting that refused the request, or the fault of its head. */
  readonly detail: string;
  /** The connection is reset before a byte of the request is read: the client never sees `status`. */
  readonly atAccept: boolean;
  readonly route: RouteConfig | null;
}

/** Answered by its route, with a redirect or a reply that stands in the configuration; or redirected by its listener. */
export interface Replied {
  readonly kind: 'replied';
  readonly status: number;
  /** The target of a redirect; null without Location. */
  readonly location: string | null;
  /** The response head, bytes as latin1. */
  readonly head: string;
  /** Bytes as latin1. */
  readonly body: string;
  /** null: by its listener. */
  readonly route: RouteConfig | null;
}

/** Sent to a server. */
export interface Forwarded {
  readonly kind: 'forwarded';
  /** In the order of the configuration. */
  readonly servers: readonly Server[];
  /** The server that the head is written for. */
  readonly server: Server;
  /**
   * bound: the client is bound to the server. settled: the request alone determines it. open: it may be another one,
   * depending on round robin, on chance, or on other traffic.
   */
  readonly choice: 'bound' | 'settled' | 'open';
  /** As it would be sent, bytes as latin1. */
  readonly head: string;
  readonly route: RouteConfig;
}

/** Answered by the balancer at `readiness_path`, before routing. */
export interface ReadinessReplied {
  readonly kind: 'readiness';
  /** The status while the balancer runs and has a usable server. */
  readonly status: 200;
  readonly route: null;
}

/** The outcome of a request. */
export type DryRunOutcome = Refused | Replied | Forwarded | ReadinessReplied;
