import type { Backend } from '../backend/backend.js';
import type { BackendConnection, ResponseReceiver } from '../backend/connection.js';
import type { LeaseRequester } from '../backend/lease.js';
import { FAILURES, type Failure } from '../base/failure.js';
import type { Deadline } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { BodyForm } from '../http/body-reader.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide } from '../http/flow.js';
import { UPGRADE_PROTOCOL } from '../http/hop.js';
import type { ResponseHead } from '../http/response-head.js';
import type { RequestContext } from './context.js';
import { Relay } from './relay.js';
import type { Replay } from './replay.js';
import type { Settlement } from './settlement.js';

/** Whoever makes attempts, one after the other: told how each one ends. */
export interface AttemptOwner {
  /** A final head came. True: it is not for the client, and another attempt has taken the place of this one. */
  declines(head: ResponseHead): boolean;
  /** There is no answer, or no more of it. */
  attemptFailed(failure: Failure, detail: string): void;
  /** The client has the whole answer, or both sides of its tunnel have ended. */
  attemptDone(): void;
}

/** What an attempt works with; all of it belongs to one exchange. */
export interface AttemptTools {
  readonly context: RequestContext;
  readonly deadline: Deadline;
  readonly replay: Replay;
  readonly settlement: Settlement;
}

/** leasing: waits for a connection. asking: has one. over: neither. */
type State = 'leasing' | 'asking' | 'over';

/**
 * A request at one server, from the wait for a connection to the last byte of the answer. Used for one attempt after
 * the other.
 */
export class Attempt implements LeaseRequester, ResponseReceiver {
  readonly relay: Relay;
  readonly #owner: AttemptOwner;
  readonly #context: RequestContext;
  readonly #deadline: Deadline;
  readonly #settlement: Settlement;
  #state: State = 'over';
  #client: ClientSide | null = null;
  #timeouts: TimeoutsConfig;
  #backend: Backend | null = null;
  /** Leases asked for, to tell one from another that was asked for meanwhile. */
  #leases = 0;
  #waits = false;
  #sawInterim = false;
  #sawAnswer = false;

  constructor(owner: AttemptOwner, tools: AttemptTools, timeouts: TimeoutsConfig) {
    this.#owner = owner;
    this.#context = tools.context;
    this.#deadline = tools.deadline;
    this.#settlement = tools.settlement;
    this.#timeouts = timeouts;
    this.relay = new Relay(tools.deadline, tools.replay, timeouts);
  }

  /** For another request. */
  open(client: ClientSide, timeouts: TimeoutsConfig): void {
    this.#client = client;
    this.#timeouts = timeouts;
    this.#sawInterim = false;
    this.#sawAnswer = false;
    this.relay.open(client, timeouts);
  }

  /** Has the client been sent any of a final answer? */
  get sawAnswer(): boolean {
    return this.#sawAnswer;
  }

  /** Has the client been sent anything at all, be it an interim response? */
  get sawResponse(): boolean {
    return this.#sawAnswer || this.#sawInterim;
  }

  // Leasing.

  /** Asks `backend`. The owner is told how it ends, perhaps within this call. */
  begin(backend: Backend): void {
    this.#backend = backend;
    backend.active++;
    this.#state = 'leasing';
    this.#deadline.disarm();
    const lease = ++this.#leases;
    const connection = backend.pool.lease(this);
    if (connection !== null) this.#ask(connection);
    else if (this.#state === 'leasing' && this.#leases === lease) this.#wait(backend.pool.isFull);
  }

  /** One that is being opened for it has a deadline of its own: `timeouts.connect`. */
  #wait(inLine: boolean): void {
    this.#waits = true;
    this.#settlement.beginWait(inLine);
    if (inLine) this.#deadline.arm(this.#timeouts.queue);
  }

  #endWait(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#settlement.endWait();
  }

  onLease(connection: BackendConnection): void {
    this.#endWait();
    this.#ask(connection);
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    this.#endWait();
    if (failure.fault === 'server') this.#backend?.noteConnectFailure(failure, detail);
    this.#fail(failure, detail);
  }

  #ask(connection: BackendConnection): void {
    const client = this.#client as ClientSide;
    this.#state = 'asking';
    this.#settlement.noteConnection(connection.pooled);
    connection.assign(this, client.head.method === 'HEAD');
    this.relay.connect(connection, this.#context.encodeRequest(client, connection.pool.address));
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
    if (client.head.minorVersion === 0) return;
    this.#sawInterim = true;
    client.sendInterim(head);
    if (head.status === 100 && !client.requestComplete) this.relay.mayContinue();
  }

  onResponseHead(head: ResponseHead): BodyForm {
    if (this.#owner.declines(head)) return 'wire';
    this.#sawAnswer = true;
    this.#settlement.noteFirstByte(head.status);
    this.relay.beginAnswer();
    const edit = this.#context.editOfResponse(this.#backend as Backend);
    return (this.#client as ClientSide).sendHead(head, edit);
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    this.relay.answer(buffer, start, end);
  }

  onResponseEnd(): void {
    const client = this.#client as ClientSide;
    const connection = this.relay.disconnect() as BackendConnection;
    this.#settlement.bytesOut = connection.contentBytes;
    this.#backend?.noteOutcome(this.#settlement.outcome.answered(this.#settlement.serverStatus));
    // Before the connection: whoever waits for it may be served at once, and must find this exchange done.
    client.endResponse();
    if (client.requestComplete) connection.release();
    else connection.discard();
    this.#owner.attemptDone();
  }

  /** From the connection, which is closed already. */
  onFailed(failure: Failure, detail: string): void {
    this.#fail(failure, detail);
  }

  // After a 101.

  onSwitch(head: ResponseHead): boolean {
    const client = this.#client as ClientSide;
    if (!client.head.upgradesTo(UPGRADE_PROTOCOL)) return false;
    if (head.valueOf(FIELD.upgrade).toLowerCase() !== UPGRADE_PROTOCOL) return false;
    this.#sawAnswer = true;
    this.#settlement.noteFirstByte(head.status);
    this.#backend?.noteOutcome(this.#settlement.outcome.answered(head.status));
    this.relay.beginTunnel();
    client.switchProtocols(head);
    return true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#settlement.bytesOut += end - start;
    this.relay.tunnelToClient(buffer, start, end);
  }

  onTunnelEnd(): void {
    if (this.relay.endFromServer()) this.#endTunnel();
  }

  sendTunnel(buffer: Buffer, start: number, end: number): void {
    this.#settlement.tunnelBytesIn += end - start;
    this.relay.tunnelToServer(buffer, start, end);
  }

  /** The client half-closed its side of the tunnel. */
  clientEnded(): void {
    if (this.relay.endFromClient()) this.#endTunnel();
  }

  #endTunnel(): void {
    this.#client?.endTunnel();
    this.relay.disconnect()?.retire();
    this.#owner.attemptDone();
  }

  // Endings.

  deadlinePassed(): void {
    if (this.#state === 'leasing') {
      this.#fail(FAILURES.queue_timeout, '');
    } else if (this.relay.isTunnel) {
      this.#endTunnel();
    } else {
      const failure = this.relay.overdue();
      if (failure !== null) this.#fail(failure, '');
    }
  }

  #fail(failure: Failure, detail: string): void {
    const backend = this.#backend;
    const isTunnel = this.relay.isTunnel;
    this.abandon();
    const outcome = isTunnel ? null : this.#settlement.outcome.failed(failure, this.#settlement.reused);
    if (outcome !== null) backend?.noteOutcome(outcome);
    this.#owner.attemptFailed(failure, detail);
  }

  /** Ends it, whatever it is at: the lease is cancelled, the connection closed. Nothing is told to the owner. */
  abandon(): void {
    this.#deadline.disarm();
    const backend = this.#backend;
    if (backend === null) return;
    if (this.#state === 'leasing') {
      backend.pool.cancel(this);
      this.#endWait();
    }
    const answering = this.relay.isAnswering;
    const connection = this.relay.disconnect();
    if (connection !== null) {
      if (answering) this.#settlement.bytesOut = connection.contentBytes;
      connection.discard();
    }
    this.#state = 'over';
    this.#backend = null;
    backend.active--;
  }

  /** The request is over: holds nothing of it any more. */
  close(): void {
    this.abandon();
    this.#client = null;
    this.relay.close();
  }
}
