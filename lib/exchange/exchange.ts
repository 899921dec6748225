import { randomUUID } from 'node:crypto';
import type { Backend } from '../backend/backend.js';
import type { Group } from '../backend/group.js';
import type { Lease, LeaseRequester, ResponseReceiver } from '../backend/lease.js';
import type { Address } from '../base/address.js';
import { FAILURES, type Failure } from '../base/failure.js';
import type { Reason } from '../base/observer.js';
import { Deadline, type DeadlineOwner } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { BodyForm } from '../http/body-reader.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide, RequestHandler } from '../http/flow.js';
import type { HeadEdit } from '../http/head-edit.js';
import { UPGRADE_PROTOCOL } from '../http/hop.js';
import type { Refusal } from '../http/refusal.js';
import { encodeRequestHead, receivedRequestId } from '../http/request-encoder.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Channel } from '../net/channel.js';
import type { RouteReply } from '../rules/route-reply.js';
import type { RouteRules } from '../rules/route-rules.js';
import { NO_KEY } from '../scheduler/scheduler.js';
import { RequestContext } from './context.js';
import type { Destination } from './destination.js';
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
  readonly #settlement: Settlement;
  readonly #tried: Backend[] = [];
  readonly #tunnel = new Tunnel();
  readonly #context = new RequestContext();
  #state: State = 'free';
  #client: ClientSide | null = null;
  #backend: Backend | null = null;
  #connection: Lease | null = null;
  #group: Group | null = null;
  #timeouts: TimeoutsConfig;
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
  /** No connection yet. */
  #waits = false;

  constructor(services: ExchangeServices) {
    this.#services = services;
    this.#settlement = new Settlement(services.clock);
    this.#timeouts = services.timeouts;
    this.#deadline = new Deadline(services.wheel, this);
    this.#replay = new Replay(services.replayBytes);
  }

  // Once per request.

  start(client: ClientSide): void {
    this.#open(client);
    const { head, forwarded } = client;
    const { pipeline } = this.#services;
    const context = this.#context;
    const requestId = receivedRequestId(head, forwarded) || randomUUID();
    this.#settlement.requestId = requestId;
    const address = pipeline.clientOf(client);
    this.#settlement.clientAddress = address.text;
    context.open(client, address, requestId);
    const objection = pipeline.decide(context);
    if (objection !== null) {
      client.reply(objection.status, undefined, objection.fields);
      this.#settle(objection.reason, objection.detail);
      return;
    }
    this.#follow(client, context.destination as Destination);
  }

  #follow(client: ClientSide, destination: Destination): void {
    const { head } = client;
    const { group, reply } = destination;
    this.#settlement.route = destination.name;
    this.#timeouts = destination.timeouts;
    if (reply !== null) {
      this.#replyFromRoute(client, reply, destination.rules);
    } else if (head.method === 'OPTIONS' && head.valueOf(FIELD.maxForwards) === '0') {
      // RFC 9110, 7.6.2: the last hop that may be asked answers itself.
      client.reply(200);
      this.#settle('', '');
    } else if (!client.useLimits(destination.bodyBytes, destination.timeouts.requestBody)) {
      client.reply(413);
      this.#settle('body_too_large', 'Content-Length is more than limits.body_bytes');
    } else {
      this.#group = group;
      this.#attempt();
    }
  }

  #replyFromRoute(client: ClientSide, reply: RouteReply, rules: RouteRules): void {
    const edit = this.#context.responseEdit;
    reply.edit(this.#context, edit);
    rules.editResponse(this.#context, edit);
    client.replyWith(reply.status, reply.body, edit);
    this.#settle('', '');
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
    this.#group = null;
    this.#timeouts = this.#services.timeouts;
    this.#settlement.open(client);
  }

  // Once per attempt.

  #attempt(): void {
    const backend = (this.#group as Group).pick(NO_KEY, this.#tried);
    if (backend === null) {
      this.#giveUp(this.#lastFailure ?? FAILURES.no_server, this.#lastDetail);
      return;
    }
    this.#tried.push(backend);
    this.#settlement.beginAttempt(backend.name);
    this.#lease(backend);
  }

  #lease(backend: Backend): void {
    this.#backend = backend;
    backend.active++;
    this.#state = 'leasing';
    this.#deadline.disarm();
    const { pool } = backend;
    const connection = pool.lease(this);
    if (connection !== null) {
      this.#ask(connection);
    } else if (this.#backend === backend) {
      const { isFull } = pool;
      this.#waits = true;
      this.#settlement.beginWait(isFull);
      // One that is being opened for it has a deadline of its own: `timeouts.connect`.
      if (isFull) this.#deadline.arm(this.#timeouts.queue);
    }
  }

  onLease(connection: Lease): void {
    this.#endWait();
    this.#ask(connection);
  }

  #endWait(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#settlement.endWait();
  }

  #ask(connection: Lease): void {
    const client = this.#client as ClientSide;
    const { head } = client;
    this.#connection = connection;
    this.#state = 'asking';
    this.#settlement.noteConnection(connection.pooled);
    connection.assign(this, head.method === 'HEAD');
    connection.channel.writeText(this.#encodeHead(client, connection.pool.address));
    for (const piece of this.#replay.pieces) connection.channel.write(piece, 0, piece.length);
    if (!head.isIdempotent) this.#replay.forget();
    this.#awaitServer(client);
    if (!this.#serverBlocked) client.resumeRequest();
  }

  /** Nothing is lost when it has to be sent again, which happens once at most: then it gets a connection of its own. */
  get isPipelinable(): boolean {
    const { head } = this.#client as ClientSide;
    if (this.#replacedStale || this.#settlement.attempts > 1 || !head.isIdempotent) return false;
    return head.framing === 'none' && !head.expectsContinue && !head.connection.upgrade;
  }

  #encodeHead({ head, forwarded }: ClientSide, address: Address): string {
    const context = this.#context;
    const { rules } = context.destination as Destination;
    const edit = rules.editsRequests ? context.requestEdit : null;
    return encodeRequestHead(head, forwarded, context.requestId, rules.hostFor(context, address), edit);
  }

  onLeaseFailed(failure: Failure, detail: string): void {
    this.#endWait();
    if (failure.fault === 'server') this.#backend?.noteConnectFailure(failure, detail);
    this.#onAttemptFailed(failure, detail, false);
  }

  /** From the connection, which is closed already. */
  onFailed(failure: Failure, detail: string): void {
    const connection = this.#connection as Lease;
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
    this.#settlement.attemptFailed(decision === 'fresh' ? 'stale' : failure.reason);
    if (decision === 'other') {
      this.#attempt();
    } else if (decision === 'fresh') {
      this.#replacedStale = true;
      this.#settlement.replaceStale();
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
    if (client.requestComplete || waitsForContinue) this.#deadline.arm(this.#timeouts.responseHeader);
    else this.#deadline.disarm();
  }

  onRequestEnd(): void {
    if (this.#state === 'asking' && !this.#serverBlocked) this.#deadline.arm(this.#timeouts.responseHeader);
  }

  onRequestFailed(failure: Failure, detail: string): void {
    // An observer that is told of the end may stop the balancer, which would end this once more.
    if (this.#state === 'free') return;
    this.#giveUp(failure, detail);
  }

  onClientGone(): void {
    this.#settle(this.#state === 'tunnelling' ? '' : 'client_abort', '');
  }

  onClientDrain(): void {
    if (!this.#clientBlocked) return;
    this.#clientBlocked = false;
    this.#connection?.channel.resume();
    if (this.#state === 'answering') this.#deadline.arm(this.#timeouts.responseBody);
  }

  /** The server reads slower than the client writes: it has until `responseHeader` to take something. */
  #blockClient(): void {
    this.#serverBlocked = true;
    this.#client?.pauseRequest();
    if (this.#state === 'asking') this.#deadline.arm(this.#timeouts.responseHeader);
  }

  // From the server.

  onServerBlocked(): void {
    this.#blockClient();
  }

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
    if (head.status === 408 && this.#isStale(head)) {
      this.#connection?.discard();
      this.#connection = null;
      this.#onAttemptFailed(FAILURES.reset_before_response, 'status 408 on an idle connection', true);
      return 'wire';
    }
    this.#state = 'answering';
    this.#settlement.noteFirstByte(head.status);
    this.#deadline.arm(this.#timeouts.responseBody);
    return (this.#client as ClientSide).sendHead(head, this.#responseEdit());
  }

  #responseEdit(): HeadEdit | null {
    const context = this.#context;
    const { rules } = context.destination as Destination;
    if (!rules.editsResponses) return null;
    context.server = this.#backend?.name ?? '';
    rules.editResponse(context, context.responseEdit);
    return context.responseEdit;
  }

  /** A 408 meant for the idle connection crossed with this request, which may be sent again (RFC 9110, 15.5.9). */
  #isStale(head: ResponseHead): boolean {
    const { head: request } = this.#client as ClientSide;
    return (
      this.#connection?.pooled === true &&
      !head.keepsAlive &&
      !this.#replacedStale &&
      !this.#sawInterim &&
      request.isIdempotent &&
      this.#replay.whole
    );
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#timeouts.responseBody);
    if (!(this.#client as ClientSide).sendBody(buffer, start, end)) this.#blockServer();
  }

  onResponseEnd(): void {
    const client = this.#client as ClientSide;
    const connection = this.#connection as Lease;
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

  onClientBlocked(): void {
    this.#blockServer();
  }

  #blockServer(): void {
    this.#clientBlocked = true;
    this.#connection?.channel.pause();
  }

  // After a 101.

  onSwitch(head: ResponseHead, channel: Channel): boolean {
    const client = this.#client as ClientSide;
    if (!client.head.upgradesTo(UPGRADE_PROTOCOL)) return false;
    if (head.valueOf(FIELD.upgrade).toLowerCase() !== UPGRADE_PROTOCOL) return false;
    this.#state = 'tunnelling';
    this.#settlement.noteFirstByte(head.status);
    this.#deadline.arm(this.#timeouts.tunnel);
    this.#tunnel.open(client, channel);
    client.switchProtocols(head);
    return true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#timeouts.tunnel);
    this.#settlement.bytesOut += end - start;
    if (!this.#tunnel.toClient(buffer, start, end)) this.#blockServer();
  }

  onTunnelEnd(): void {
    if (this.#tunnel.serverEnded()) this.#settleTunnel();
  }

  onClientTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#deadline.arm(this.#timeouts.tunnel);
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
        else if (this.#client?.takesAnswers()) this.#deadline.arm(this.#timeouts.responseBody);
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
      this.#endWait();
    }
    this.#leaveBackend();
    this.#state = 'free';
    this.#settlement.close(reason, detail);
    this.#context.close(this.#context.isCounted ? this.#settlement.status : 0);
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
