import { FAILURES, type Failure, isConnectFailure } from '../base/failure.js';
import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import { FIELD, type FieldNames } from '../http/fields.js';
import type { BodyForm, ClientSide } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import { type ResponseHead, switchesTo } from '../http/head.js';
import type { Lease, LeaseListener, OutcomeKind, ResponseListener } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';
import type { RequestContext } from './context.js';
import { giveBack, isPinned, leaseFor } from './pinned-connection.js';
import { REST_MS, Relay, type Replay } from './relay.js';
import {
  kindOfAnswer,
  kindOfFailure,
  noteAnswer,
  noteOutcome,
  type RequestRecorder,
} from './request-recorder.js';
import { ResponseDrain } from './response-drain.js';

/** The bit of Authorization in `present`: a request without it does not authenticate its connection. */
const AUTHORIZATION = 1 << FIELD.authorization;

/** leasing: waits for a connection. asking: has a connection. over: neither. */
type State = 'leasing' | 'asking' | 'over';

/**
 * A request at one server, from the wait for a connection to the last byte of the answer. The object serves one attempt
 * after the other.
 */
export class Attempt implements LeaseListener, ResponseListener {
  readonly relay: Relay;
  readonly #owner: AttemptOwner;
  readonly #context: RequestContext;
  readonly #deadline: Deadline;
  readonly #recorder: RequestRecorder;
  readonly #wheel: TimerWheel;
  #state: State = 'over';
  #client: ClientSide | null = null;
  #timeouts: TimeoutsConfig;
  #server: Server | null = null;
  /** The server's token for this request. */
  #trial = 0;
  /** Counts leases, to notice when another lease was asked for during the call that asked for one. */
  #leases = 0;
  #sawInterim = false;
  /** Was a server blamed for this request before? A request that fails on three servers counts as one failure. */
  #blamed = false;
  /** Has any of a final answer been sent to the client? */
  sawAnswer = false;
  /** Is the owner to be called when there is a connection? */
  #tellsLease = false;

  constructor(owner: AttemptOwner, tools: AttemptDeps, timeouts: TimeoutsConfig) {
    this.#owner = owner;
    this.#context = tools.context;
    this.#deadline = tools.deadline;
    this.#recorder = tools.recorder;
    this.#wheel = tools.wheel;
    this.#timeouts = timeouts;
    this.relay = new Relay(tools.deadline, tools.replay, timeouts);
  }

  /** Prepares for another request. */
  open(client: ClientSide, timeouts: TimeoutsConfig): void {
    this.#client = client;
    this.#timeouts = timeouts;
    this.#sawInterim = false;
    this.#blamed = false;
    this.sawAnswer = false;
    this.relay.open(client, timeouts);
  }

  /** Sets whether the owner is called when an attempt has a connection. */
  tellOfLease(tells: boolean): void {
    this.#tellsLease = tells;
  }

  /** Has anything been sent to the client, even if only an interim response? */
  get sawResponse(): boolean {
    return this.sawAnswer || this.#sawInterim;
  }

  // Leasing.

  /** Asks `server`, at `now`. The owner is called when the attempt ends, perhaps during this call. */
  begin(server: Server, now: number): void {
    const client = this.#client as ClientSide;
    this.#server = server;
    this.#trial = server.begin();
    this.#state = 'leasing';
    const lease = ++this.#leases;
    const { pin } = client;
    const connection = pin === null ? server.pool.lease(this) : leaseFor(pin, server, this);
    if (connection !== null) this.#ask(connection, now);
    else if (this.#state === 'leasing' && this.#leases === lease) this.#wait(server.pool.isFull);
  }

  /** A new connection that is being opened has a deadline of its own: `timeouts.connect`. */
  #wait(inLine: boolean): void {
    this.#recorder.beginWait(inLine);
    if (inLine) this.#deadline.arm(this.#timeouts.queue);
  }

  onLease(connection: Lease): void {
    const now = this.#wheel.clock.now();
    this.#recorder.endWait(now);
    this.#ask(connection, now);
  }

  get client(): ForwardedClient {
    return (this.#client as ClientSide).forwarded;
  }

  get isPipelinable(): boolean {
    return this.#owner.isPipelinable;
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    this.#recorder.endWait(this.#wheel.clock.now());
    // The request waits in no queue any more: there is nothing to cancel.
    this.#state = 'over';
    if (isConnectFailure(failure)) this.#server?.noteConnectFailure(failure, detail);
    this.#fail(failure, detail);
  }

  #ask(connection: Lease, now: number): void {
    const client = this.#client as ClientSide;
    this.#state = 'asking';
    this.#recorder.reused = connection.pooled;
    (this.#server as Server).totals.requests++;
    if (this.#tellsLease) this.#owner.attemptAsks();
    connection.assign(this, client.head.method === 'HEAD');
    const head = this.#context.encodeRequest(client.head, client.forwarded, connection.address);
    if (this.#recorder.keepsServerHead) this.#recorder.serverHeadText = head;
    this.relay.connect(connection, head, now);
  }

  // Called by the server connection.

  onServerBlocked(): void {
    this.relay.pauseClient();
  }

  onServerDrain(): void {
    this.relay.serverDrained();
  }

  onInterim(head: ResponseHead): void {
    const client = this.#client as ClientSide;
    if (!client.takesInterim) return;
    this.#sawInterim = true;
    if (!client.sendInterim(head)) this.relay.pauseServer();
    if (head.status === 100 && !client.requestComplete) this.relay.mayContinue();
  }

  onResponseHead(head: ResponseHead): BodyForm {
    if (this.#owner.declines(head)) return 'wire';
    const server = this.#server as Server;
    const now = this.relay.readAt;
    this.sawAnswer = true;
    noteAnswer(server, head.status, this.#recorder.noteFirstByte(head.status, now));
    this.relay.beginAnswer(now);
    const edit = this.#context.editOfResponse(server, head.status);
    return (this.#client as ClientSide).sendHead(head, edit);
  }

  get droppedTrailers(): FieldNames | null {
    return this.#context.destination?.rules.responseNames ?? null;
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    this.relay.answer(buffer, start, end);
  }

  onTrailers(fields: string): void {
    (this.#client as ClientSide).sendTrailers(fields);
  }

  onResponseEnd(): void {
    const client = this.#client as ClientSide;
    const isWhole = client.requestComplete;
    if (!isWhole && this.#takesRest(client)) {
      this.#finish(client);
      return;
    }
    const { readAt } = this.relay;
    const connection = this.relay.disconnect() as Lease;
    this.#recorder.bytesOut = connection.contentBytes;
    // Before the connection is released: a request that waits for it may start at once, and must find this exchange
    // finished.
    client.endResponse();
    const server = this.#server as Server;
    const isAnybodys = (client.head.present & AUTHORIZATION) === 0 && server.pool.limits.sendProxy === null;
    if (isWhole && isAnybodys && client.pin === null) connection.release();
    else if (isWhole) giveBack(client, server, connection);
    else connection.discard();
    this.#leave(connection, kindOfAnswer(this.#recorder.attemptStatus), readAt);
    this.#owner.attemptDone('');
  }

  /** True if the server keeps its connection and so reads on, unless the client waits for a 100 and will send nothing. */
  #takesRest({ head, requestBytes }: ClientSide): boolean {
    return this.relay.serverKeeps && !(head.expectsContinue && requestBytes === 0);
  }

  /** The answer is complete before the request is: the rest of the request still goes to the server, which is judged now. */
  #finish(client: ClientSide): void {
    const server = this.#server as Server;
    const status = this.#recorder.attemptStatus;
    const kind = kindOfAnswer(status);
    this.#recorder.bytesOut = this.relay.contentBytes;
    client.endResponse();
    this.relay.finish();
    const isJudged = (kind === 'ok' && status < 400) || this.#isToBlame(kind);
    noteOutcome(server, kind, status, this.#recorder.stopAttempt(this.relay.readAt), isJudged);
  }

  /** The rest of the request was sent, or can't be. Bytes on their way are still delivered, as for a tunnel. */
  #endRest(isWhole: boolean): void {
    this.#deadline.disarm();
    const connection = this.relay.disconnect();
    if (isWhole) connection?.retire(REST_MS);
    else connection?.discard();
    this.#leave(connection, null);
    this.#owner.attemptDone('');
  }

  /**
   * The client does not get this answer, of which only the head was received. It is read to its end if the connection can
   * then be used again.
   */
  decline(head: ResponseHead): void {
    const server = this.#server as Server;
    const connection = this.relay.disconnect() as Lease;
    noteAnswer(server, head.status, this.#recorder.noteDeclined(head.status, this.#wheel.clock.now()));
    this.#deadline.disarm();
    this.#leave(connection, kindOfAnswer(head.status));
    const client = this.#client as ClientSide;
    const pays = client.requestComplete && ResponseDrain.pays(head) && !isPinned(client, connection);
    if (pays) new ResponseDrain(connection, this.#wheel);
    else connection.discard();
  }

  /** Called by the connection, which is closed already. */
  onFailed(failure: Failure, detail: string): void {
    if (this.relay.isFinishing) {
      this.#endRest(false);
      return;
    }
    if (isConnectFailure(failure)) this.#server?.noteConnectFailure(failure, detail);
    if (!this.relay.serverHasEnded) {
      this.#fail(failure, detail);
      return;
    }
    // The client has all bytes of the tunnel, or is still reading them: only what it sent since is lost.
    this.#client?.endTunnel();
    this.#leave(this.relay.disconnect(), null);
    this.#owner.attemptDone(this.relay.tunnelEnding);
  }

  // After a 101.

  onSwitch(head: ResponseHead): boolean {
    const client = this.#client as ClientSide;
    const offered = client.head.offeredProtocols;
    if (offered === '' || !switchesTo(head, offered)) return false;
    const server = this.#server as Server;
    this.sawAnswer = true;
    const now = this.relay.readAt;
    noteAnswer(server, head.status, this.#recorder.noteFirstByte(head.status, now));
    // The server has done its part; how the tunnel ends says nothing about the server.
    noteOutcome(server, 'ok', head.status, this.#recorder.stopAttempt(now), true);
    this.relay.beginTunnel();
    client.switchProtocols(head, this.#context.editOfResponse(server, head.status));
    return true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#recorder.bytesOut += end - start;
    this.relay.tunnelToClient(buffer, start, end);
  }

  onTunnelEnd(): void {
    if (this.relay.endFromServer()) this.#endTunnel();
  }

  /** The last byte of the request was passed to the connection. */
  requestEnded(): void {
    const now = this.#wheel.clock.now();
    if (this.relay.isFinishing) {
      this.#endRest(true);
      return;
    }
    // The time that the client took to send the body does not count as the server's.
    this.#recorder.noteAsked(now);
    this.relay.requestEnded(now);
  }

  sendTunnel(buffer: Buffer, start: number, end: number): void {
    this.#recorder.tunnelBytesIn += end - start;
    this.relay.tunnelToServer(buffer, start, end);
  }

  /** The client half-closed its side of the tunnel. */
  clientEnded(): void {
    if (this.relay.endFromClient()) this.#endTunnel();
  }

  #endTunnel(): void {
    this.#client?.endTunnel();
    const connection = this.relay.disconnect();
    connection?.retire(this.#timeouts.responseBody);
    this.#leave(connection, null);
    this.#owner.attemptDone(this.relay.tunnelEnding);
  }

  // Endings.

  deadlinePassed(): void {
    if (this.#state === 'leasing') {
      this.#fail(FAILURES.queue_timeout, '');
    } else if (this.relay.isTunnel) {
      this.#endTunnel();
    } else if (this.relay.isFinishing) {
      this.#endRest(false);
    } else {
      const failure = this.relay.overdue();
      if (failure !== null) this.#fail(failure, '');
    }
  }

  #fail(failure: Failure, detail: string): void {
    this.#drop(this.#kindOf(failure));
    this.#owner.attemptFailed(failure, detail);
  }

  #kindOf(failure: Failure): OutcomeKind | null {
    const { relay } = this;
    if (relay.isTunnel) return null;
    return kindOfFailure(failure, {
      reused: this.#recorder.reused,
      clientOwes: this.#client?.requestComplete === false,
      serverBlocked: relay.serverBlocked,
      clientHeldBack: relay.clientHeldBack,
    });
  }

  /** Ends the attempt in any state: cancels the lease, closes the connection. The owner is not called. */
  #drop(kind: OutcomeKind | null): void {
    this.#deadline.disarm();
    if (this.#server === null) return;
    if (this.#state === 'leasing') {
      this.#server.pool.cancel(this);
      this.#recorder.endWait(this.#wheel.clock.now());
    }
    const answering = this.relay.isAnswering;
    const connection = this.relay.disconnect();
    if (answering && connection !== null) this.#recorder.bytesOut = connection.contentBytes;
    this.#leave(connection, kind);
    connection?.discard();
  }

  /** Ends the server's part, at `now`. `kind` is the outcome; null when the reason was not the server. */
  #leave(connection: Lease | null, kind: OutcomeKind | null, now = this.#wheel.clock.now()): void {
    const server = this.#server as Server;
    const { totals } = server;
    const recorder = this.#recorder;
    this.#state = 'over';
    this.#server = null;
    server.end(this.#trial);
    if (connection !== null) {
      totals.bytesIn += (this.#client as ClientSide).requestBytes + recorder.tunnelBytesIn;
      totals.bytesOut += recorder.bytesOut;
    }
    const durationMs = recorder.stopAttempt(now);
    if (kind === null) return;
    const { attemptStatus: status } = recorder;
    const isJudged = (kind === 'ok' && status < 400) || this.#isToBlame(kind);
    noteOutcome(server, kind, status, durationMs, isJudged);
  }

  /**
   * Does this failure count against the server's health? A request that fails on every server is probably the cause
   * itself, so only the first of these servers is blamed. A failure to connect always counts: nothing of the request was
   * sent.
   */
  #isToBlame(kind: OutcomeKind): boolean {
    if (kind === 'connect') return true;
    const isFirst = !this.#blamed;
    this.#blamed = true;
    return isFirst;
  }

  /**
   * Like `#drop`, for `timeouts.total`. Counts as a timeout of the server only if the server had at least half of that
   * time to answer: the rest went to the client, or to earlier servers.
   */
  expire(): void {
    const { relay } = this;
    const kept = relay.waitsForServer && relay.waitedMs * 2 >= this.#timeouts.total;
    if (kept) this.#server?.noteError();
    this.#drop(kept ? 'timeout' : null);
  }

  /** The request is over: releases everything of it. */
  close(): void {
    this.#deadline.disarm();
    if (this.#server !== null) this.#drop(null);
    this.#client = null;
    this.relay.close();
  }
}

/** Makes attempts, one after the other, and is called when each one ends. */
export interface AttemptOwner {
  /** May the request share a connection? */
  readonly isPipelinable: boolean;
  /** A final head was received. True: the client does not get it; `decline` was called, and another attempt or an error page followed. */
  declines(head: ResponseHead): boolean;
  /** There is a connection to the server; called after `tellOfLease`. */
  attemptAsks(): void;
  /** There will be no answer, or no more of it. */
  attemptFailed(failure: Failure, detail: string): void;
  /** The client has the whole answer, or both sides of its tunnel have ended; `detail` names the side that ended first. */
  attemptDone(detail: string): void;
}

/** What an attempt needs; all of it belongs to one exchange. */
export interface AttemptDeps {
  readonly context: RequestContext;
  readonly deadline: Deadline;
  readonly replay: Replay;
  readonly recorder: RequestRecorder;
  readonly wheel: TimerWheel;
}
