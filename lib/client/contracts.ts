import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { LimitsConfig, TimeoutsConfig } from '../config/types.js';
import type { ClientPin, RequestHandler } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { Channel } from '../net/channel.js';
import type { ChallengeReply } from './challenge-reply.js';
import type { SlowReader } from './deadlines.js';
import type { ReadinessReply } from './readiness-reply.js';

/**
 * The interfaces between the parts of this room: a connection (its socket and its end), the reader of its requests, and
 * one request. They are made in this order, and none imports the class of an earlier one.
 *
 * HTTP/2 would be added here: a class beside `ClientInput`, chosen in the constructor of `ClientConnection` by the
 * negotiated protocol (`TransportInfo.alpn`), that reads frames and gives each stream a `RequestOwner` and a deadline of
 * its own. TLS comes one step before: `ClientAcceptor.onAccept` gets an `Incoming` whose handshake is over.
 */

/** What requests need, the same for all of one balancer. All but the first and the last can change at any time. */
export interface RequestDeps {
  readonly wheel: TimerWheel;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** Null: there is no readiness path. */
  readonly readiness: ReadinessReply | null;
  /** Null: no challenge of ACME is open. */
  readonly challenges: ChallengeReply | null;
  /** Provides a handler for each request. */
  readonly handlers: { take(): RequestHandler };
}

/**
 * open: requests are read and answered. lingering: the last answer is sent, then FIN; further input is read and dropped.
 * finishing: the last answer is sent, then both directions are closed. cut: both directions are closed at once, because
 * the answer broke off or the client left. closed: the socket is gone.
 */
export type ClientConnectionState = 'open' | 'lingering' | 'finishing' | 'cut' | 'closed';

/** A client's connection, for the reader of its requests and for the requests. */
export interface ConnectionControl {
  readonly state: ClientConnectionState;
  readonly channel: Channel;
  readonly deadline: Deadline;
  readonly deps: RequestDeps;
  readonly forwarded: ForwardedClient;
  /** See `ClientSide.pin`. */
  pin: ClientPin | null;
  /** Shutdown: the current request, or the next, is the last. */
  readonly isDraining: boolean;
  /** Has the client sent its FIN? */
  readonly peerEnded: boolean;
  /** Requests begun so far. */
  readonly requests: number;
  /** In the wheel's time: the first answer after it is the last. */
  readonly endsAt: number;
  /** Watches a client that does not read all it is sent. */
  readonly reader: SlowReader;
  /** Another request begins. */
  beginRequest(): void;
  /** Little of the client's input after the answer is to be read: its request was refused, or can't be parsed. */
  turnAway(): void;
  /** Sends what is unsent, then FIN, and reads on for a while so that the client gets it. */
  closePolitely(): void;
  /** Sends what is unsent, then closes both directions: the client has said that it sends nothing more. */
  closeAtOnce(): void;
  /** The client has left; answers to its earlier requests may still be on their way. */
  abandon(): void;
  /** The answer broke off: closes with a reset, so that the client does not take it for complete. */
  cut(): void;
}

/** The reader of a connection's requests, for each of its requests. */
export interface RequestOwner {
  /** Are there bytes of another request? */
  readonly hasMore: boolean;
  /** The request is answered; `stays`: the connection can stay open. */
  answered(stays: boolean): void;
  /** The rest of an answered request was read: it is over. */
  nextRequest(): void;
  /** The server reads no more of the request's body for now. */
  pauseForServer(): void;
  resumeForServer(): void;
  /** All bytes after the head, already received or not, go to the tunnel. */
  openTunnel(): void;
}
