import { randomBytes } from 'node:crypto';
import { FAILURES, type Failure } from '../base/failure.js';
import { maskedAddress } from '../base/masked-address.js';
import type { Observer, Reason } from '../base/observer.js';
import { type Clock, Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { FieldNames } from '../http/fields.js';
import type { ClientSide, RequestHandler } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { RequestHead, ResponseHead } from '../http/head.js';
import type { HeadEdit } from '../http/head-edit.js';
import { fieldsWithoutBody, receivedRequestId } from '../http/head-encoder.js';
import { statusOfError } from '../http/proxy-status.js';
import type { Refusal } from '../http/refusal.js';
import { encodeTrailers } from '../http/trailers.js';
import type { ErrorPage } from '../rules/error-pages.js';
import { httpsRedirect } from '../rules/https-redirect.js';
import type { RouteReply } from '../rules/route-reply.js';
import { outlivesBody, type RouteRules } from '../rules/route-rules.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { type CompiledRoute, RequestContext, type RequestStages, type ServerSelector } from './context.js';
import type { HeldRequest, HoldLine } from './hold-line.js';
import { pinnedServer } from './pinned-connection.js';
import { Replay } from './relay.js';
import { noteFailedAttempt, RequestRecorder } from './request-recorder.js';
import { RequestTrace, type Tracer } from './request-trace.js';
import { type LastAttempt, type NextStep, Retries } from './retries.js';

/**
 * One request after parsing: the decision about it, attempts at servers, and one ending. The object serves another
 * request afterwards; its attempt is closed first, so that nothing of an old request can reach the new one.
 */
export class Exchange implements RequestHandler, AttemptOwner, DeadlineOwner, HeldRequest {
  readonly #services: ExchangeDeps;
  readonly #deadline: Deadline;
  /** For the request as a whole. */
  readonly #total: Deadline;
  readonly #replay: Replay;
  readonly #recorder: RequestRecorder;
  readonly #context = new RequestContext();
  readonly #attempt: Attempt;
  readonly #retries: Retries;
  /** Null while the exchange is in the object pool, or about to be. */
  #client: ClientSide | null = null;
  #lastFailure: Failure | null = null;
  #lastDetail = '';
  /** Set while the exchange waits before it asks the same servers again. */
  #pauses = false;
  /** The failure that the retry budget kept from being retried; empty when there is none. */
  #denied = '';
  // Of the line of requests that wait for a server.
  before: HeldRequest | null = null;
  after: HeldRequest | null = null;
  heldUntil = 0;
  #holding: Holding = 'no';
  /** Made for the first request that is traced. */
  #ownTrace: RequestTrace | null = null;

  constructor(services: ExchangeDeps) {
    this.#services = services;
    this.#deadline = new Deadline(services.wheel, this);
    this.#total = new Deadline(services.wheel, { onDeadline: () => this.#expire() });
    this.#replay = new Replay();
    this.#retries = new Retries(this.#replay, services.wheel, this.#context);
    this.#recorder = new RequestRecorder(services.wheel, services.observer.readsServerHeads === true);
    const tools = {
      context: this.#context,
      deadline: this.#deadline,
      replay: this.#replay,
      recorder: this.#recorder,
      wheel: services.wheel,
    };
    this.#attempt = new Attempt(this, tools, services.timeouts);
  }

  // Called once per request.

  start(client: ClientSide, head: RequestHead, forwarded: ForwardedClient): void {
    this.#open(client);
    const { pipeline } = this.#services;
    const context = this.#context;
    const requestId = (forwarded.trusted && receivedRequestId(head, forwarded)) || nextRequestId();
    this.#recorder.requestId = requestId;
    const address = pipeline.clientOf(client);
    this.#recorder.clientAddress = pipeline.masksAddresses ? maskedAddress(address) : address.text;
    context.open(head, forwarded, address, requestId);
    context.proxyName = pipeline.proxyName;
    if (pipeline.tracer !== null) this.#trace(pipeline.tracer, client);
    if (forwarded.listener.httpsPort !== 0 && context.view.scheme === 'http') {
      this.#redirectToHttps(client, head, forwarded.listener.httpsPort);
      return;
    }
    const objection = pipeline.decide(context);
    // Set even when a guard of the route refuses the request.
    this.#recorder.route = context.destination === null ? '' : context.destination.name;
    if (objection !== null) {
      const { status, reason, detail, fields } = objection;
      // Uploads of clients that did nothing wrong are read to their end, so that the answer reaches them.
      if (reason !== 'no_route' && reason !== 'maintenance') client.turnAway();
      this.#settle(reason, detail, this.#reply(client, status, reason, undefined, fields));
      return;
    }
    this.#forward(client, head, context.destination as CompiledRoute);
  }

  /** Begins or continues the trace of the request. */
  #trace(tracer: Tracer, client: ClientSide): void {
    this.#ownTrace ??= new RequestTrace();
    const trace = this.#ownTrace;
    trace.startedAt = client.startedAt + this.#services.wheel.wallOffset;
    tracer.begin(trace, client.head, client.forwarded.trusted);
    this.#recorder.requestTrace = trace;
    this.#context.trace = trace;
  }

  /** Before routes and guards: nothing but the URL depends on the request. */
  #redirectToHttps(client: ClientSide, head: RequestHead, port: number): void {
    const context = this.#context;
    context.lostRules = this.#services.pipeline.lostRules;
    if (context.view.host === '') {
      client.turnAway();
      this.#settle('bad_request', 'no Host to redirect to https', this.#reply(client, 400, 'bad_request'));
      return;
    }
    this.#replyFromRoute(client, httpsRedirect(port, head.method), context.lostRules, 'redirect to https');
  }

  #forward(client: ClientSide, head: RequestHead, destination: CompiledRoute): void {
    const { selector, reply, retry } = destination;
    if (reply !== null) {
      this.#replyFromRoute(client, reply, destination.rules);
    } else if (head.method === 'OPTIONS' && head.endsHere) {
      // The last hop that Max-Forwards allows answers itself.
      this.#settle('', '', client.reply(200, this.#context.editOfLocalReply(200)));
    } else if (
      !client.useLimits(destination.bodyBytes, destination.timeouts.requestBody, destination.bodyRate)
    ) {
      this.#settle(
        'body_too_large',
        'Content-Length is more than limits.body_bytes',
        this.#reply(client, 413, 'body_too_large'),
      );
    } else {
      this.#retries.open(selector as ServerSelector, retry, head);
      const { pin } = client;
      const pinned = pin === null ? null : pinnedServer(pin);
      if (pinned !== null) this.#retries.startAt(pinned);
      this.#attempt.open(client, destination.timeouts);
      if (destination.timeouts.total > 0) this.#total.arm(destination.timeouts.total);
      // Requests that wait already come first.
      if (destination.hold !== null && destination.hold.size > 0 && this.#hold(destination.hold)) return;
      this.#tryNext(client.startedAt);
    }
  }

  #replyFromRoute(client: ClientSide, reply: RouteReply, rules: RouteRules, detail = ''): void {
    const edit = this.#context.responseEdit;
    reply.edit(this.#context, edit);
    rules.editRouteReply(this.#context, edit, reply.status);
    this.#settle('', detail, client.replyWith(reply.status, reply.body, edit));
  }

  /** Answers an error, with the page that is set for it. Returns the bytes of the body. */
  #reply(client: ClientSide, status: number, reason: Reason, text?: string, fields = ''): number {
    const context = this.#context;
    const edit = context.editOfLocalReply(status);
    const page = context.pageFor(status, false);
    const name = this.#services.pipeline.proxyName;
    const told = name === '' ? fields : `${fields}Proxy-Status: ${statusOfError(name, reason)}\r\n`;
    return page === null
      ? client.reply(status, edit, text, told)
      : this.#replyWithPage(client, status, page, edit, reason, told);
  }

  #replyWithPage(
    client: ClientSide,
    status: number,
    page: ErrorPage,
    edit: HeadEdit | null,
    reason: Reason | '',
    fields: string,
  ): number {
    const body = page.render({ status, reason, requestId: this.#context.requestId });
    const vary = page.varies ? 'Vary: Accept\r\n' : '';
    return client.reply(status, edit, body, fields + vary, page.contentType);
  }

  /** Answers with an error page in place of a server's response, of which only the head was read. False: there is none. */
  #replace(head: ResponseHead): boolean {
    const context = this.#context;
    const { status } = head;
    const page = context.pageFor(status, true);
    if (page === null) return false;
    const client = this.#client as ClientSide;
    const fields = fieldsWithoutBody(head, outlivesBody);
    this.#recorder.noteFirstByte(status, this.#services.clock.now());
    this.#attempt.decline(head);
    const edit = context.editOfReplaced(this.#retries.last, status);
    const bytes = this.#replyWithPage(client, status, page, edit, '', fields);
    this.#settle(this.#denied === '' ? '' : 'retry_budget', this.#denied, bytes);
    return true;
  }

  refuse(client: ClientSide, refusal: Refusal): void {
    this.#open(client);
    client.turnAway();
    const { pipeline } = this.#services;
    const context = this.#context;
    // If the head was refused after it was parsed, its fields are known.
    const address = pipeline.clientOf(client);
    this.#recorder.clientAddress = pipeline.masksAddresses ? maskedAddress(address) : address.text;
    context.open(client.head, client.forwarded, address, '');
    if (pipeline.tracer !== null) this.#trace(pipeline.tracer, client);
    context.lostRules = pipeline.lostRules;
    pipeline.noteUnreadable(context);
    this.#settle(refusal.reason, refusal.detail, this.#reply(client, refusal.status, refusal.reason));
  }

  #open(client: ClientSide): void {
    this.#client = client;
    this.#lastFailure = null;
    this.#lastDetail = '';
    this.#pauses = false;
    this.#denied = '';
    this.heldUntil = 0;
    this.#recorder.open(client);
  }

  // Called once per attempt.

  #tryNext(now: number): void {
    const server = this.#retries.take();
    if (server === null) {
      const failure = this.#lastFailure ?? FAILURES.no_server;
      if (this.#mayHold(failure)) return;
      const detail = this.#isEmpty ? 'no source has reported a server' : this.#lastDetail;
      this.#giveUp(this.#asTold(failure), detail);
      return;
    }
    const recorder = this.#recorder;
    recorder.beginAttempt(server, now);
    this.#context.attempt = recorder.attempts;
    if (recorder.attempts > 1) server.totals.retries++;
    this.#attempt.begin(server, now);
  }

  get #lastAttempt(): LastAttempt {
    return { sawResponse: this.#attempt.sawResponse, reused: this.#recorder.reused };
  }

  attemptFailed(failure: Failure, detail: string): void {
    this.#lastFailure = failure;
    this.#lastDetail = detail;
    const step = this.#retries.afterFailure(failure, this.#lastAttempt);
    if (step !== 'fresh') noteFailedAttempt(this.#retries.last, failure, this.#recorder.attemptStatus);
    this.#recorder.attemptFailed(step === 'fresh' ? 'stale' : failure.reason);
    if (step === 'denied') this.#denied = withDetail(failure.reason, detail);
    if (this.#follow(step) || this.#mayHold(failure)) return;
    this.#giveUp(this.#asTold(failure), detail);
  }

  /** The failure as the client learns it: when its server has gone, or after a wait, that no server is left. */
  #asTold(failure: Failure): Failure {
    const isAway = failure === FAILURES.server_gone || (this.heldUntil !== 0 && failure.retry === 'always');
    return isAway ? FAILURES.no_server : failure;
  }

  /** Waits for a server to come back, if the route and the failure allow it; false when not. */
  #mayHold(failure: Failure): boolean {
    const hold = this.#context.destination?.hold ?? null;
    if (hold === null || !this.#retries.mayHold(failure, this.#lastAttempt)) return false;
    if (this.#hold(hold)) return true;
    // It was never in the line: that has as many as it may have.
    if (this.heldUntil === 0) hold.counts.note('refused');
    return false;
  }

  #hold(line: HoldLine): boolean {
    const hasPlace = this.#holding === 'out';
    if (hasPlace) line.lost();
    this.#holding = 'no';
    this.#attempt.tellOfLease(false);
    if (!line.enter(this, this.#services.wheel, hasPlace)) return false;
    this.#holding = 'in line';
    this.#denied = '';
    this.#recorder.beginWait(true);
    return true;
  }

  /** Called by the line: tries again, as at the beginning. */
  resume(): void {
    const now = this.#services.clock.now();
    this.#holding = 'out';
    this.#attempt.tellOfLease(true);
    this.#recorder.endWait(now);
    this.#retries.restart();
    this.#tryNext(now);
  }

  /** Called by the line: no server has come back in time. */
  giveUp(): void {
    this.#holding = 'no';
    this.#recorder.endWait(this.#services.clock.now());
    this.#giveUp(FAILURES.no_server, this.#lastDetail);
  }

  attemptAsks(): void {
    this.#attempt.tellOfLease(false);
    if (this.#holding !== 'out') return;
    this.#holding = 'no';
    // When its connection fails it is a request like any other, that may wait for what is left of its time.
    (this.#context.destination as CompiledRoute).hold?.reached();
  }

  /** The request is over, wherever it is. */
  #endHold(): void {
    const { hold } = this.#context.destination as CompiledRoute;
    this.#attempt.tellOfLease(false);
    if (this.#holding === 'in line') {
      hold?.leave(this);
      this.#recorder.endWait(this.#services.clock.now());
    } else if (this.#holding === 'out') hold?.drop();
    this.#holding = 'no';
  }

  declines(head: ResponseHead): boolean {
    const isError = head.status >= 400;
    if (!this.#retries.mayDecline(head.status)) return isError && this.#replace(head);
    const step = this.#retries.afterAnswer(head, this.#lastAttempt);
    if (step === 'denied') this.#denied = `status ${head.status}`;
    if (step === 'denied' || step === 'no') return isError && this.#replace(head);
    this.#attempt.decline(head);
    this.#recorder.attemptFailed(step === 'fresh' ? 'stale' : '');
    return this.#follow(step);
  }

  /** Takes the next step; false when there is none. */
  #follow(step: NextStep): boolean {
    switch (step) {
      case 'other':
        this.#tryNext(this.#services.clock.now());
        return true;
      case 'fresh':
        this.#replaceStale();
        return true;
      case 'again':
        this.#pauses = true;
        this.#deadline.arm(this.#retries.pause());
        return true;
      case 'no':
      case 'denied':
        return false;
    }
  }

  get isPipelinable(): boolean {
    return this.#retries.isPipelinable((this.#client as ClientSide).head);
  }

  #replaceStale(): void {
    const server = this.#retries.last;
    const now = this.#services.clock.now();
    this.#recorder.replaceStale(server, now);
    // The other idle connections were opened before the same restart or idle timeout.
    server.pool.closeIdle();
    this.#attempt.begin(server, now);
  }

  // Called by the client's side.

  get droppedTrailers(): FieldNames | null {
    return this.#context.destination?.rules.requestNames ?? null;
  }

  onRequestBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#attempt.relay.isConnected) {
      this.#attempt.relay.send(buffer, start, end);
    } else {
      this.#replay.keep(buffer, start, end);
      // Reading continues while little is kept: only by reading can a client that leaves the queue be noticed.
      if (this.#replay.isFull && this.#client?.requestComplete === false) this.#client.pauseRequest();
    }
  }

  /** Servers get HTTP/1.1, where trailers are bytes after the last chunk. */
  onRequestTrailers(fields: string): void {
    const end = encodeTrailers(fields);
    this.onRequestBytes(end, 0, end.length);
  }

  onRequestEnd(): void {
    if (this.#attempt.relay.isConnected) this.#attempt.requestEnded();
    else this.#client?.resumeRequest();
  }

  onRequestFailed(failure: Failure, detail: string): void {
    // An observer that is called about the end may stop the balancer, which would end this exchange again.
    if (this.#client === null) return;
    if (failure !== FAILURES.body_too_large) this.#client.turnAway();
    this.#giveUp(failure, detail);
  }

  onClientGone(): void {
    const { isTunnel, isFinishing } = this.#attempt.relay;
    // A client that leaves while the rest of its upload is sent has the whole answer.
    this.#settle(isTunnel || isFinishing ? '' : 'client_abort', '');
  }

  onClientBlocked(): void {
    this.#attempt.relay.pauseServer();
  }

  onClientDrain(): void {
    this.#attempt.relay.clientDrained();
  }

  onClientTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#attempt.sendTunnel(buffer, start, end);
  }

  onClientTunnelEnd(): void {
    this.#attempt.clientEnded();
  }

  // Endings.

  onDeadline(): void {
    if (this.#pauses) {
      this.#pauses = false;
      this.#tryNext(this.#services.clock.now());
    } else {
      this.#attempt.deadlinePassed();
    }
  }

  /** `timeouts.total` has passed. It does not apply to tunnels. */
  #expire(): void {
    if (this.#attempt.relay.isTunnel) return;
    if (!this.#attempt.relay.isFinishing) this.#attempt.expire();
    this.#giveUp(FAILURES.total_timeout, '');
  }

  attemptDone(detail: string): void {
    this.#settle(this.#denied === '' ? '' : 'retry_budget', this.#denied || detail);
  }

  get #isEmpty(): boolean {
    return this.#context.destination?.selector?.group.servers.length === 0;
  }

  /** Servers that come by themselves, such as a container that is replaced, may be there in a moment. */
  get #returnFields(): string {
    return this.#isEmpty ? 'Retry-After: 1\r\n' : '';
  }

  /** There is no further attempt: a local reply if no answer has begun, else the client's connection is cut. */
  #giveUp(failure: Failure, detail: string): void {
    const client = this.#client as ClientSide;
    if (this.#attempt.relay.isFinishing) {
      // The request is answered: only the rest of its body is given up.
      this.#settle('', '');
      return;
    }
    let ownBytes = 0;
    const { sawAnswer } = this.#attempt;
    const isOpen = failure.status !== 0 && (!sawAnswer || client.takeBack());
    if (sawAnswer && isOpen) this.#recorder.bytesOut = 0;
    if (!isOpen) client.cut();
    else if (failure === FAILURES.no_server)
      ownBytes = this.#reply(client, 503, 'no_server', 'No backend servers available.', this.#returnFields);
    else ownBytes = this.#reply(client, failure.status, failure.reason);
    if (this.#denied !== '') this.#settle('retry_budget', this.#denied, ownBytes);
    else this.#settle(failure.reason, detail, ownBytes);
  }

  /**
   * The only ending: the lease is released or cancelled, observers are called once, then the client's side. `ownBytes`:
   * body bytes of a local reply.
   */
  #settle(reason: Reason | '', detail: string, ownBytes = 0): void {
    const client = this.#client as ClientSide;
    this.#client = null;
    if (this.#total.armed) this.#total.disarm();
    if (this.heldUntil !== 0) this.#endHold();
    this.#attempt.close();
    if (ownBytes > 0) this.#recorder.bytesOut = ownBytes;
    this.#recorder.close(reason, detail);
    this.#context.close(client.status);
    try {
      this.#services.observer.requestSettled?.(this.#recorder);
    } finally {
      // The client's connection continues or closes even if an observer throws.
      this.#recorder.release();
      this.#retries.close();
      this.#replay.reset();
      this.#services.objectPool.put(this);
      client.settled();
    }
  }
}

/** in line: it waits. out: it has left the line, and has not reached a server yet. no: neither. */
type Holding = 'no' | 'in line' | 'out';

function withDetail(reason: Reason, detail: string): string {
  return detail === '' ? reason : `${reason} ${detail}`;
}

/** What an exchange needs, the same for all exchanges of a balancer. */
export interface ExchangeDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** In force until a route has its own. */
  readonly timeouts: TimeoutsConfig;
  readonly observer: Observer;
  /** Takes back an exchange that is over. */
  readonly objectPool: { put(exchange: RequestHandler): void };
  /** Decides about requests; replaced by a reload. */
  pipeline: RequestStages;
}

/** Random, so that ids of different processes differ. */
const START = randomBytes(10).toString('hex');
const LOW = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

let count = 0;
/** All but the last two digits, the same for 256 requests. */
let begun = '';

/** 32 hexadecimal digits that no other request has. A count, as a random UUID takes six times as long (200 ns). */
function nextRequestId(): string {
  const low = count % 256;
  if (low === 0)
    begun =
      START +
      Math.floor(count / 256)
        .toString(16)
        .padStart(10, '0');
  count++;
  return begun + (LOW[low] as string);
}
