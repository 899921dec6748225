import { randomUUID } from 'node:crypto';
import type { Backend } from '../backend/backend.js';
import type { BackendConnection, ResponseReceiver } from '../backend/connection.js';
import type { LeaseRequester } from '../backend/lease.js';
import { FAILURES, type Failure } from '../base/failure.js';
import type { Reason } from '../base/observer.js';
import { Deadline, type DeadlineOwner } from '../base/timer-wheel.js';
import type { BodyForm } from '../http/body-reader.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide, RequestHandler } from '../http/flow.js';
import { UPGRADE_PROTOCOL } from '../http/hop.js';
import type { Refusal } from '../http/refusal.js';
import { encodeRequestHead, receivedRequestId } from '../http/request-encoder.js';
import type { ResponseHead } from '../http/response-head.js';
import { Replay } from './replay.js';
import { decideRetry } from './retry.js';
import type { ExchangeServices } from './services.js';
import { Settlement } from './settlement.js';
import { Tunnel } from './tunnel.js';

/**
 * free: on the shelf. leasing: waits for a connection. asking: the request is going out, no final response head yet.
 * answering: the response is going to the client. tunnelling: after a 101.
 */
type State = 'free' | 'leasing' | 'asking' | 'answering' | 'tunnelling';

/**
 * One request's life after routing: attempts, bytes both ways with each side pausing the other, deadlines, and one
 * ending. The object is used again for another request; its connection and its lease are detached first, so nothing
 * of an old request can reach it.
 */
export class Exchange implements RequestHandler, ResponseReceiver, LeaseRequester, DeadlineOwner {
  readonly #services: ExchangeServices;
  readonly #deadline: Deadline;
  readonly #replay: Replay;
  readonly #settlement = new Settlement();
  readonly #tried: Backend[] = [];
  readonly #tunnel = new Tunnel();
  #state: State = 'free';
  #client: ClientSide | null = null;
  #backend: Backend | null = null;
  #connection: BackendConnection | null = null;
  #requestId = '';
  #lastFailure: Failure | null = null;
  #lastDetail = '';
  #replacedStale = false;
  #sawInterim = false;
  /** The server said 100: the client, if it waited for that, may send its body. */
  #continued = false;
  /** The server takes no more for now; the client is paused. */
  #serverBlocked = false;
  /** The client takes no more for now; the server is paused. */
  #clientBlocked = false;
  /** In the client's own read, which flushes when it is done. */
  #inRequestRead = false;

  constructor(services: ExchangeServices) {
    this.#services = services;
    this.#deadline = new Deadline(services.wheel, this);
    this.#replay = new Replay(services.replayBytes);
  }

  // Once per request.

  start(client: ClientSide): void {
    this.#open(client);
    const { head } = client;
    this.#requestId = receivedRequestId(head, client.forwarded) || randomUUID();
    this.#settlement.requestId = this.#requestId;
    // RFC 9110, 7.6.2: the last hop that may be asked answers itself.
    if (head.method === 'OPTIONS' && head.valueOf(FIELD.maxForwards) === '0') {
      client.reply(200);
      this.#settle('', '');
      return;
    }
    this.#inRequestRead = true;
    this.#attempt();
    this.#inRequestRead = false;
  }

  refuse(client: ClientSide, refusal: Refusal): void {
    this.#open(client);
    client.reply(refusal.status);
    this.#settle(refusal.reason, refusal.detail);
  }

  #open(client: ClientSide): void {
    this.#client = client;
    this.#state = 'leasing';
    this.#lastFailure = null;
    this.#lastDetail = '';
    this.#replacedStale = false;
    this.#sawInterim = false;
    this.#continued = false;
    this.#serverBlocked = false;
    this.#clientBlocked = false;
    this.#settlement.open(client, this.#services.clock);
  }

  // Once per attempt.

  #attempt(): void {
    const backend = this.#services.group.pick(this.#tried);
    if (backend === null) {
      this.#giveUp(this.#lastFailure ?? FAILURES.no_server, this.#lastDetail);
      return;
    }
    this.#tried.push(backend);
    this.#settlement.attempts++;
    this.#lease(backend);
  }

  #lease(backend: Backend): void {
    this.#backend = backend;
    backend.active++;
    this.#state = 'leasing';
    this.#settlement.server = backend.name;
    this.#deadline.disarm();
    const { pool } = backend;
    const connection = pool.lease(this);
    if (connection !== null) this.onLease(connection);
    // One that is being opened for it has a deadline of its own: `timeouts.connect`.
    else if (this.#backend === backend && pool.isFull) this.#deadline.arm(this.#services.timeouts.queue);
  }

  onLease(connection: BackendConnection): void {
    const client = this.#client as ClientSide;
    const { head } = client;
    this.#connection = connection;
    this.#state = 'asking';
    connection.assign(this, head.method === 'HEAD');
    const host = head.authority === '' ? connection.pool.address.text : '';
    connection.channel.hold(encodeRequestHead(head, client.forwarded, this.#requestId, host));
    for (const piece of this.#replay.pieces) connection.channel.write(piece, 0, piece.length);
    if (!head.isIdempotent) this.#replay.forget();
    this.#awaitServer(client);
    if (!this.#inRequestRead) this.#flushToServer(connection);
    if (!this.#serverBlocked) client.resumeRequest();
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    if (failure.fault === 'server') this.#backend?.noteConnectFailure(failure, detail);
    this.#onAttemptFailed(failure, detail, false);
  }

  /** From the connection, which is closed already. */
  onFailed(failure: Failure, detail: string): void {
    const connection = this.#connection as BackendConnection;
    const { pooled } = connection;
    this.#connection = null;
    if (this.#state === 'answering') this.#settlement.bytesOut = connection.contentBytes;
    if (this.#state === 'tunnelling') this.#giveUp(failure, detail);
    else this.#onAttemptFailed(failure, detail, pooled);
  }

  #onAttemptFailed(failure: Failure, detail: string, pooledConnection: boolean): void {
    const backend = this.#backend as Backend;
    this.#leaveBackend();
    this.#lastFailure = failure;
    this.#lastDetail = detail;
    const decision = decideRetry({
      failure,
      idempotent: this.#client?.head.isIdempotent === true,
      replayable: this.#replay.whole,
      clientSawResponse: this.#sawInterim || this.#state === 'answering',
      pooledConnection,
      replacedStale: this.#replacedStale,
      attempts: this.#settlement.attempts,
      maxAttempts: this.#services.maxAttempts,
    });
    this.#serverBlocked = false;
    if (decision === 'other') {
      this.#attempt();
    } else if (decision === 'fresh') {
      this.#replacedStale = true;
      // The others were opened before the same restart or idle timeout.
      backend.pool.closeIdle();
      this.#lease(backend);
    } else {
      this.#giveUp(failure, detail);
    }
  }

  #leaveBackend(): void {
    if (this.#backend === null) return;
    this.#backend.active--;
    this.#backend = null;
  }

  // From the client.

  onRequestBytes(buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection === null) {
      this.#replay.keep(buffer, start, end);
      this.#client?.pauseRequest();
      return;
    }
    const { head } = this.#client as ClientSide;
    if (head.isIdempotent) this.#replay.keepSent(buffer, start, end);
    else this.#replay.whole = false;
    // A body that came without waiting for the 100.
    if (head.expectsContinue && !this.#continued && this.#state === 'asking') this.#deadline.disarm();
    if (!connection.channel.write(buffer, start, end)) this.#blockClient();
  }

  /** Starts the server's time to answer if it is the server's turn; while the client owes a body, it has its own. */
  #awaitServer(client: ClientSide): void {
    const waitsForContinue = client.head.expectsContinue && !this.#continued && client.requestBytes === 0;
    if (client.requestComplete || waitsForContinue)
      this.#deadline.arm(this.#services.timeouts.responseHeader);
    else this.#deadline.disarm();
  }

  onRequestEnd(): void {
    if (this.#state === 'asking' && !this.#serverBlocked)
      this.#deadline.arm(this.#services.timeouts.responseHeader);
  }

  onRequestReadDone(): void {
    if (this.#connection !== null) this.#flushToServer(this.#connection);
  }

  onRequestFailed(failure: Failure, detail: string): void {
    this.#giveUp(failure, detail);
  }

  onClientGone(): void {
    this.#settle(this.#state === 'tunnelling' ? '' : 'client_abort', '');
  }

  onClientDrain(): void {
    if (!this.#clientBlocked) return;
    this.#clientBlocked = false;
    this.#connection?.channel.resume();
    if (this.#state === 'answering') this.#deadline.arm(this.#services.timeouts.responseBody);
  }

  #flushToServer(connection: BackendConnection): void {
    if (!connection.channel.flush()) this.#blockClient();
  }

  /** The server reads slower than the client writes: it has until `responseHeader` to take something. */
  #blockClient(): void {
    this.#serverBlocked = true;
    this.#client?.pauseRequest();
    if (this.#state === 'asking') this.#deadline.arm(this.#services.timeouts.responseHeader);
  }

  // From the server.

  onServerDrain(): void {
    if (!this.#serverBlocked) return;
    this.#serverBlocked = false;
    const client = this.#client as ClientSide;
    if (this.#state === 'asking') this.#awaitServer(client);
    client.resumeRequest();
  }

  onInterim(head: ResponseHead): void {
    const client = this.#client as ClientSide;
    if (client.head.minorVersion === 0) return;
    this.#sawInterim = true;
    client.sendInterim(head);
    if (head.status !== 100 || client.requestComplete) return;
    this.#continued = true;
    if (!this.#serverBlocked) this.#deadline.disarm();
  }

  onResponseHead(head: ResponseHead): BodyForm {
    this.#state = 'answering';
    this.#settlement.noteFirstByte(this.#services.clock);
    this.#deadline.arm(this.#services.timeouts.responseBody);
    return (this.#client as ClientSide).sendHead(head);
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#services.timeouts.responseBody);
    if (!(this.#client as ClientSide).sendBody(buffer, start, end)) this.#blockServer();
  }

  onResponseEnd(): void {
    const client = this.#client as ClientSide;
    const connection = this.#connection as BackendConnection;
    this.#settlement.bytesOut = connection.contentBytes;
    this.#connection = null;
    // Before the connection: whoever waits for it may be served at once, and must find this exchange done.
    client.endResponse();
    // It may have been paused for this very piece, and is read again only by whoever gets it next.
    if (this.#clientBlocked) connection.channel.resume();
    if (client.requestComplete) connection.release();
    else connection.discard();
    this.#settle('', '');
  }

  onReadDone(): void {
    if (!(this.#client as ClientSide).flush()) this.#blockServer();
  }

  #blockServer(): void {
    this.#clientBlocked = true;
    this.#connection?.channel.pause();
  }

  // After a 101.

  onSwitch(head: ResponseHead): boolean {
    const client = this.#client as ClientSide;
    if (!client.head.upgradesTo(UPGRADE_PROTOCOL)) return false;
    if (head.valueOf(FIELD.upgrade).toLowerCase() !== UPGRADE_PROTOCOL) return false;
    this.#state = 'tunnelling';
    this.#settlement.noteFirstByte(this.#services.clock);
    this.#deadline.arm(this.#services.timeouts.tunnel);
    this.#tunnel.open(client, (this.#connection as BackendConnection).channel);
    client.switchProtocols(head);
    return true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#services.timeouts.tunnel);
    this.#settlement.bytesOut += end - start;
    if (!this.#tunnel.toClient(buffer, start, end)) this.#blockServer();
  }

  onTunnelEnd(): void {
    if (this.#tunnel.serverEnded()) this.#settleTunnel();
  }

  onClientTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#services.timeouts.tunnel);
    this.#settlement.tunnelBytesIn += end - start;
    if (!this.#tunnel.toServer(buffer, start, end)) this.#blockClient();
  }

  onClientTunnelEnd(): void {
    if (this.#tunnel.clientEnded()) this.#settleTunnel();
  }

  #settleTunnel(): void {
    this.#client?.endTunnel();
    this.#connection?.retire();
    this.#connection = null;
    this.#settle('', '');
  }

  // Endings.

  onDeadline(): void {
    switch (this.#state) {
      case 'leasing':
        this.#giveUp(FAILURES.queue_timeout, '');
        break;
      case 'asking':
        this.#giveUp(FAILURES.response_timeout, '');
        break;
      case 'answering':
        if (!this.#clientBlocked) this.#giveUp(FAILURES.response_stalled, '');
        else if (this.#client?.takesAnswers()) this.#deadline.arm(this.#services.timeouts.responseBody);
        else this.#giveUp(FAILURES.client_stalled, '');
        break;
      case 'tunnelling':
        this.#settleTunnel();
        break;
      case 'free':
        break;
    }
  }

  /** No further attempt: an answer of our own as long as none has begun, else the client's connection is cut. */
  #giveUp(failure: Failure, detail: string): void {
    const client = this.#client as ClientSide;
    if (this.#state === 'answering' || this.#state === 'tunnelling' || failure.status === 0) client.cut();
    else if (failure === FAILURES.no_server) client.reply(503, 'No backend servers available.');
    else client.reply(failure.status);
    this.#settle(failure.reason, detail);
  }

  /** The only ending: lease back or cancelled, observers told once, the client told last. */
  #settle(reason: Reason | '', detail: string): void {
    const client = this.#client as ClientSide;
    this.#deadline.disarm();
    if (this.#connection !== null) {
      this.#settlement.bytesOut ||= this.#connection.contentBytes;
      this.#connection.discard();
      this.#connection = null;
    } else if (this.#state === 'leasing') {
      this.#backend?.pool.cancel(this);
    }
    this.#leaveBackend();
    this.#state = 'free';
    this.#settlement.close(reason, detail, this.#services.clock);
    this.#services.observer.requestSettled?.(this.#settlement);
    this.#settlement.release();
    this.#client = null;
    this.#tried.length = 0;
    this.#replay.reset();
    this.#tunnel.close();
    this.#services.shelf.put(this);
    client.settled();
  }
}
