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

/** The bit of that field in `present`: without it no request authenticates its connection. */
const AUTHORIZATION = 1 << FIELD.authorization;

/** leasing: waits for a connection. asking: has one. over: neither. */
type State = 'leasing' | 'asking' | 'over';

/**
 * A request at one server, from the wait for a connection to the last byte of the answer. Used for one attempt after
 * the other.
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
  /** Leases asked for, to tell one from another that was asked for meanwhile. */
  #leases = 0;
  #sawInterim = false;
  /** Was a server blamed for this request already? One request that fails on three servers is one failure. */
  #blamed = false;
  /** Has the client been sent any of a final answer? */
  sawAnswer = false;

  constructor(owner: AttemptOwner, tools: AttemptDeps, timeouts: TimeoutsConfig) {
    this.#owner = owner;
    this.#context = tools.context;
    this.#deadline = tools.deadline;
    this.#recorder = tools.recorder;
    this.#wheel = tools.wheel;
    this.#timeouts = timeouts;
    this.relay = new Relay(tools.deadline, tools.replay, timeouts);
  }

  /** For another request. */
  open(client: ClientSide, timeouts: TimeoutsConfig): void {
    this.#client = client;
    this.#timeouts = timeouts;
    this.#sawInterim = false;
    this.#blamed = false;
    this.sawAnswer = false;
    this.relay.open(client, timeouts);
  }

  /** Has the client been sent anything at all, be it an interim response? */
  get sawResponse(): boolean {
    return this.sawAnswer || this.#sawInterim;
  }

  // Leasing.

  /** Asks `server`, at `now`. The owner is told how it ends, perhaps within this call. */
  begin(server: Server, now: number): void {
    const client = this.#client as ClientSide;
    this.#server = server;
    server.begin();
    this.#state = 'leasing';
    const lease = ++this.#leases;
    const { pin } = client;
    const connection = pin === null ? server.pool.lease(this) : leaseFor(pin, server, this);
    if (connection !== null) this.#ask(connection, now);
    else if (this.#state === 'leasing' && this.#leases === lease) this.#wait(server.pool.isFull);
  }

  /** One that is being opened for it has a deadline of its own: `timeouts.connect`. */
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
    // It is in no line any more: there is nothing to cancel.
    this.#state = 'over';
    if (isConnectFailure(failure)) this.#server?.noteConnectFailure(failure, detail);
    this.#fail(failure, detail);
  }

  #ask(connection: Lease, now: number): void {
    const client = this.#client as ClientSide;
    this.#state = 'asking';
    this.#recorder.reused = connection.pooled;
    (this.#server as Server).totals.requests++;
    connection.assign(this, client.head.method === 'HEAD');
    const head = this.#context.encodeRequest(client.head, client.forwarded, connection.address);
    this.relay.connect(connection, head, now);
  }

  // From the server.

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
    const edit = this.#context.editOfResponse(server);
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
    // Before the connection: a request that waits for it may be served at once, and must find this exchange done.
    client.endResponse();
    const server = this.#server as Server;
    const isAnybodys = (client.head.present & AUTHORIZATION) === 0 && server.pool.limits.sendProxy === null;
    if (isWhole && isAnybodys && client.pin === null) connection.release();
    else if (isWhole) giveBack(client, server, connection);
    else connection.discard();
    this.#leave(connection, kindOfAnswer(this.#recorder.attemptStatus), readAt);
    this.#owner.attemptDone('');
  }

  /** A server that keeps its connection reads on. A client that waits to be told to go on is about to send nothing. */
  #takesRest({ head, requestBytes }: ClientSide): boolean {
    return this.relay.serverKeeps && !(head.expectsContinue && requestBytes === 0);
  }

  /** The answer is whole before the request is: the server gets the rest of that, and is judged by what it has done. */
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

  /** The rest of the request was sent, or can't be. What of it is on its way goes out, as it would of a tunnel. */
  #endRest(isWhole: boolean): void {
    this.#deadline.disarm();
    const connection = this.relay.disconnect();
    if (isWhole) connection?.retire(REST_MS);
    else connection?.discard();
    this.#leave(connection, null);
    this.#owner.attemptDone('');
  }

  /**
   * The answer, of which nothing but its head has come, is not for the client. It is read to its end when that lets
   * the connection be used again.
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

  /** From the connection, which is closed already. */
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
    // A tunnel of which the client has everything, or is still reading it: only what it sent since is lost.
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
    // What the server had to do for it is done; how the tunnel ends says nothing of the server.
    noteOutcome(server, 'ok', head.status, this.#recorder.stopAttempt(now), true);
    this.relay.beginTunnel();
    client.switchProtocols(head, this.#context.bindingTo(server));
    return true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#recorder.bytesOut += end - start;
    this.relay.tunnelToClient(buffer, start, end);
  }

  onTunnelEnd(): void {
    if (this.relay.endFromServer()) this.#endTunnel();
  }

  /** The last byte of the request was handed over. */
  requestEnded(): void {
    const now = this.#wheel.clock.now();
    if (this.relay.isFinishing) {
      this.#endRest(true);
      return;
    }
    // How long the client took to send it says nothing of how fast the server is.
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

  /** Ends it, whatever it is at: the lease is cancelled, the connection closed. Nothing is told to the owner. */
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

  /**
   * The server has no part in it any more, from `now` on. `kind`: how it ended there; null: for reasons that are not
   * the server's.
   */
  #leave(connection: Lease | null, kind: OutcomeKind | null, now = this.#wheel.clock.now()): void {
    const server = this.#server as Server;
    const { totals } = server;
    const recorder = this.#recorder;
    this.#state = 'over';
    this.#server = null;
    server.end();
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
   * Does it count for the server's health that the attempt did not go well? A request that fails wherever it is sent is
   * likely to be the cause itself, so only the first server it failed on is blamed. Without a connection nothing was sent.
   */
  #isToBlame(kind: OutcomeKind): boolean {
    if (kind === 'connect') return true;
    const isFirst = !this.#blamed;
    this.#blamed = true;
    return isFirst;
  }

  /**
   * The same where the request as a whole has had its time. Whose turn it is to answer is to blame for that only if it had
   * half of that time: the rest was the client's, or went to servers before.
   */
  expire(): void {
    const { relay } = this;
    const kept = relay.waitsForServer && relay.turnMs * 2 >= this.#timeouts.total;
    if (kept) this.#server?.noteError();
    this.#drop(kept ? 'timeout' : null);
  }

  /** The request is over: holds nothing of it any more. */
  close(): void {
    this.#deadline.disarm();
    if (this.#server !== null) this.#drop(null);
    this.#client = null;
    this.relay.close();
  }
}

/** Whoever makes attempts, one after the other: told how each one ends. */
export interface AttemptOwner {
  /** May the request share a connection? */
  readonly isPipelinable: boolean;
  /** A final head came. True: it is not for the client; `decline` was called, and another attempt follows. */
  declines(head: ResponseHead): boolean;
  /** There is no answer, or no more of it. */
  attemptFailed(failure: Failure, detail: string): void;
  /** The client has the whole answer, or both sides of its tunnel have ended; `detail`: which one did so first. */
  attemptDone(detail: string): void;
}

/** What an attempt works with; all of it belongs to one exchange. */
export interface AttemptDeps {
  readonly context: RequestContext;
  readonly deadline: Deadline;
  readonly replay: Replay;
  readonly recorder: RequestRecorder;
  readonly wheel: TimerWheel;
}
