import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { LimitsConfig, TimeoutsConfig } from '../config/types.js';
import type { ClientPin, RequestHandler } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { Channel } from '../net/channel.js';
import type { ChallengeReply } from './challenge-reply.js';
import type { SlowReader } from './deadlines.js';
import type { ReadinessReply } from './readiness-reply.js';

/**
 * What the parts of this room see of each other: a connection (its socket and its end), what reads requests from it, and
 * one request. They are made from left to right, and none knows the class of one that stands left of it.
 *
 * HTTP/2 comes in here: a class beside `ClientInput`, chosen in the constructor of `ClientConnection` by what was agreed on
 * (`TransportInfo.alpn`), that reads frames and gives each stream a `RequestOwner` and a deadline of its own. TLS comes in
 * one step before: `ClientAcceptor.onAccept` gets an `Incoming` whose handshake is over.
 */

/** What requests need, the same for all of one balancer. All but the first and the last can change at any time. */
export interface RequestDeps {
  readonly wheel: TimerWheel;
  readonly timeouts: TimeoutsConfig;
  readonly limits: LimitsConfig;
  /** Null: readiness is answered on no path. */
  readonly readiness: ReadinessReply | null;
  /** Null: no challenge of ACME is open. */
  readonly challenges: ChallengeReply | null;
  /** Somebody to answer one request. */
  readonly handlers: { take(): RequestHandler };
}

/**
 * open: requests are read and answered. lingering: the last answer goes out, then FIN; what the client still sends is read
 * and dropped. finishing: the last answer goes out, then both ways are closed. cut: both ways are closed at once, as the
 * answer broke off or the client left. closed: the socket is gone.
 */
export type ClientConnectionState = 'open' | 'lingering' | 'finishing' | 'cut' | 'closed';

/** A client's connection, as what reads from it and its requests see it. */
export interface ConnectionControl {
  readonly state: ClientConnectionState;
  readonly channel: Channel;
  readonly deadline: Deadline;
  readonly deps: RequestDeps;
  readonly forwarded: ForwardedClient;
  /** See `ClientSide.pin`. */
  pin: ClientPin | null;
  /** The balancer is going away: the current request, or the next, is the last. */
  readonly isDraining: boolean;
  /** The client sends nothing more. */
  readonly peerEnded: boolean;
  /** Requests begun so far. */
  readonly requests: number;
  /** In the wheel's time: the first answer from then on is the last. */
  readonly endsAt: number;
  /** The client as somebody who does not take all it is sent. */
  readonly reader: SlowReader;
  /** Another request begins. */
  beginRequest(): void;
  /** Little of what the client sends after its answer is to be read: its request was not let in, or can't be read. */
  turnAway(): void;
  /** Sends what there is to send, then FIN, and reads on for a while so that the client gets to see it. */
  closePolitely(): void;
  /** Sends what there is to send, then closes both ways: the client has nothing more to say. */
  closeAtOnce(): void;
  /** The client has gone; what it has asked before may have an answer that is on its way. */
  abandon(): void;
  /** The answer broke off: closes with a reset, so that the client does not take it for whole. */
  cut(): void;
}

/** What reads requests from a connection, as each of its requests sees it. */
export interface RequestOwner {
  /** Are there bytes of another request? */
  readonly hasMore: boolean;
  /** The request is answered; `stays` when that leaves the connection open. */
  answered(stays: boolean): void;
  /** The rest of an answered request was read: it is over. */
  nextRequest(): void;
  /** The server takes no more of the request's body for now. */
  pauseForServer(): void;
  resumeForServer(): void;
  /** What came after the request's head, and what comes, is for its tunnel. */
  openTunnel(): void;
}
