import { FAILURES, type Failure } from '../base/failure.js';
import type { AttemptRecord, Reason, RequestRecord, TraceRecord } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { TransportInfo } from '../base/transport-info.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { readTraceParent } from '../http/trace-context.js';
import type { AttemptOutcome, OutcomeKind } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';
import type { RequestTrace } from './request-trace.js';

type AttemptResult = AttemptRecord['reason'];

/**
 * What observers get to know of a request: its attempts, and how long each part took. Collected as it proceeds, read once
 * when the request is over. The object serves one request after the other; nothing is allocated while first attempts
 * succeed.
 */
export class RequestRecorder implements RequestRecord {
  readonly #wheel: TimerWheel;
  /** Does somebody read `serverHeadText`? */
  readonly keepsServerHead: boolean;
  #client: ClientSide | null = null;
  #startedAt = 0;
  requestId = '';
  serverHeadText = '';
  /** null: there is no `tracing`. */
  requestTrace: RequestTrace | null = null;
  /** The address of the peer, until the client is known that a trusted peer forwards for. */
  clientAddress = '';
  durationMs = 0;
  firstByteMs = -1;
  route = '';
  server = '';
  attempts = 0;
  bytesOut = 0;
  tunnelBytesIn = 0;
  reason: Reason | '' = '';
  detail = '';
  /** ms */
  queueMs = 0;
  /** ms */
  connectMs = 0;
  /** Attempts that are over, in order; the last one is added when the list is read. */
  readonly #tries: AttemptRecord[] = [];
  readonly #current: { -readonly [Key in keyof AttemptRecord]: AttemptRecord[Key] } = {
    server: '',
    reason: '',
    status: 0,
    durationMs: 0,
    reused: false,
  };
  /** The list for a request with only one attempt: a log reads it for every request. */
  readonly #only: readonly AttemptRecord[] = [this.#current];
  /** Must the current attempt still be added to the list? */
  #isUnlisted = false;
  #attemptStartedAt = 0;
  /** When the current attempt got its connection, or when the end of the request was sent. */
  #askedAt = 0;
  /** When the current attempt ended; -1: it has not, or there is none. */
  #stoppedAt = -1;
  /** -1: the attempt does not wait for a connection. */
  #waitsSince = -1;
  #isInLine = false;

  constructor(wheel: TimerWheel, keepsServerHead: boolean) {
    this.#wheel = wheel;
    this.keepsServerHead = keepsServerHead;
  }

  open(client: ClientSide): void {
    this.#client = client;
    this.#startedAt = client.startedAt;
    this.requestId = '';
    this.requestTrace = null;
    this.clientAddress = client.forwarded.address;
    this.firstByteMs = -1;
    this.route = '';
    this.server = '';
    this.attempts = 0;
    this.bytesOut = 0;
    this.tunnelBytesIn = 0;
    this.queueMs = 0;
    this.connectMs = 0;
    if (this.#tries.length > 0) this.#tries.length = 0;
    this.#isUnlisted = false;
    this.#stoppedAt = -1;
  }

  /** An attempt at `server` begins at `now`. The first attempt counts from the beginning of the request. */
  beginAttempt(server: Server, now: number): void {
    this.attempts++;
    this.server = server.name;
    this.#begin(server, now);
  }

  /** The same server is asked again at `now`, on a new connection. */
  replaceStale(server: Server, now: number): void {
    this.#begin(server, now);
  }

  #begin(server: Server, now: number): void {
    if (this.requestTrace !== null) this.requestTrace.beginAttempt(server, now - this.#startedAt);
    this.serverHeadText = '';
    const current = this.#current;
    current.server = this.server;
    current.reason = '';
    current.status = 0;
    current.reused = false;
    this.#attemptStartedAt = now;
    this.#askedAt = now;
    this.#stoppedAt = -1;
    this.#isUnlisted = true;
  }

  /** The attempt has no connection yet: it waits in the queue (`isInLine`), or for one that is being opened. */
  beginWait(isInLine: boolean): void {
    this.#waitsSince = this.#wheel.clock.now();
    this.#isInLine = isInLine;
  }

  /** The wait for a connection is over at `now`, with or without one; no effect if there was no wait. */
  endWait(now: number): void {
    if (this.#waitsSince === -1) return;
    if (this.#isInLine) this.queueMs += now - this.#waitsSince;
    else this.connectMs += now - this.#waitsSince;
    this.#waitsSince = -1;
    this.#askedAt = now;
  }

  /** Had the connection of the current attempt been used before? */
  get reused(): boolean {
    return this.#current.reused;
  }

  set reused(reused: boolean) {
    this.#current.reused = reused;
  }

  /** The last byte of the request was sent to the server of the current attempt, at `now`. */
  noteAsked(now: number): void {
    this.#askedAt = now;
  }

  /** A final response head or a 101 for the client was received at `now`. Returns the ms since the server was asked. */
  noteFirstByte(status: number, now: number): number {
    this.firstByteMs = now - this.#startedAt;
    this.#current.status = status;
    return now - this.#askedAt;
  }

  /** A final response head that the client does not get was received at `now`. Returns the ms since the server was asked. */
  noteDeclined(status: number, now: number): number {
    this.#current.status = status;
    return now - this.#askedAt;
  }

  /** The server's status in the current attempt; 0 if there is none. */
  get attemptStatus(): number {
    return this.#current.status;
  }

  /** The current attempt is over at `now`. Returns the ms that it took. */
  stopAttempt(now: number): number {
    const durationMs = now - this.#attemptStartedAt;
    this.#stoppedAt = now;
    this.#current.durationMs = durationMs;
    return durationMs;
  }

  /** Records why the current attempt failed; another one may follow. */
  attemptFailed(reason: AttemptResult): void {
    this.#current.reason = reason;
    this.#list();
    this.#stoppedAt = -1;
  }

  close(reason: Reason | '', detail: string): void {
    const now = this.#stoppedAt === -1 ? this.#wheel.clock.now() : this.#stoppedAt;
    this.durationMs = now - this.#startedAt;
    // On `retry_budget` the last attempt did get an answer, so it is recorded as successful.
    this.#current.reason = reason === 'retry_budget' ? '' : reason;
    this.reason = reason;
    this.detail = detail;
  }

  /** Called after the observers: releases the client. */
  release(): void {
    this.#client = null;
    // An idle connection keeps no head in memory.
    this.serverHeadText = '';
  }

  /** All attempts, in order. */
  get tries(): readonly AttemptRecord[] {
    if (this.#isUnlisted && this.#tries.length === 0) return this.#only;
    this.#list();
    return this.#tries;
  }

  #list(): void {
    if (!this.#isUnlisted) return;
    this.#isUnlisted = false;
    this.#tries.push({ ...this.#current });
  }

  /** Computed with the difference of the two clocks at the last tick: another look at the clock would cost time. */
  get startedAt(): number {
    return Math.floor(this.#startedAt + this.#wheel.wallOffset);
  }

  get #head(): RequestHead {
    return (this.#client as ClientSide).head;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get protocol(): string {
    return this.#head.protocol;
  }

  get host(): string {
    return this.#head.authority;
  }

  get userAgent(): string {
    return this.#head.valueOf(FIELD.userAgent);
  }

  get referer(): string {
    return this.#head.valueOf(FIELD.referer);
  }

  get traceId(): string {
    return this.requestTrace === null
      ? (readTraceParent(this.#head)?.traceId ?? '')
      : this.requestTrace.traceId;
  }

  get spanId(): string {
    return this.requestTrace === null ? '' : this.requestTrace.spanId;
  }

  get trace(): TraceRecord | null {
    return this.requestTrace?.isSampled === true ? this.requestTrace : null;
  }

  get status(): number {
    return (this.#client as ClientSide).status;
  }

  get bytesIn(): number {
    return (this.#client as ClientSide).requestBytes + this.tunnelBytesIn;
  }

  get transport(): TransportInfo {
    return (this.#client as ClientSide).forwarded.transport;
  }

  get requestHeadText(): string {
    return this.#head.text;
  }

  get responseHeadText(): string {
    return (this.#client as ClientSide).sentHead;
  }
}

/** Reused for each outcome, so that the end of an attempt allocates nothing. */
const outcome: { -readonly [Key in keyof AttemptOutcome]: AttemptOutcome[Key] } = {
  kind: 'ok',
  status: 0,
  durationMs: 0,
};

/**
 * Reports an attempt on `server` that ended with `kind`, `durationMs` after its beginning. `isJudged`: the outcome counts
 * for the server's health.
 */
export function noteOutcome(
  server: Server,
  kind: OutcomeKind,
  status: number,
  durationMs: number,
  isJudged: boolean,
): void {
  const { totals } = server;
  if (kind !== 'ok' && kind !== 'error_status') totals.failures++;
  if (kind === 'connect') totals.connectFailures++;
  else if (kind === 'reset') totals.resets++;
  if (!isJudged) return;
  outcome.kind = kind;
  outcome.status = status;
  outcome.durationMs = durationMs;
  server.noteOutcome(outcome);
}

/** Reports a final response head, received `ms` after the server was asked. */
export function noteAnswer(server: Server, status: number, ms: number): void {
  server.noteResponse(ms);
  if (status >= 500) server.noteError();
  const digit = Math.floor(status / 100);
  const { responses } = server.totals;
  responses[digit] = (responses[digit] as number) + 1;
}

/** Failures that are not errors of the server: nothing was sent to it. */
const NO_ERROR: ReadonlySet<Failure> = new Set([FAILURES.server_gone, FAILURES.out_of_resources]);

/**
 * Reports an attempt on `server` that failed and is not repeated on a new connection: one of the server's recent errors,
 * unless the client caused it. `status`: the server's status, if it had sent one; a 5xx was counted when it came.
 */
export function noteFailedAttempt(server: Server, failure: Failure, status: number): void {
  if (failure.fault === 'client' || NO_ERROR.has(failure) || status >= 500) return;
  server.noteError();
}

/** The outcome that an answer means for its server. */
export function kindOfAnswer(status: number): OutcomeKind {
  return status >= 500 ? 'error_status' : 'ok';
}

/** The circumstances of a failed attempt that show who caused the failure. */
export interface AttemptCircumstances {
  /** Had the connection been used before? */
  readonly reused: boolean;
  /** Is part of the request still missing? */
  readonly clientOwes: boolean;
  /** Does the server read no more of the request for now? */
  readonly serverBlocked: boolean;
  /** Has the client made the server wait for long, by reading little of the answer? */
  readonly clientHeldBack: boolean;
}

/**
 * The outcome that a failure means for the server; null: none. A stale connection of the pool is not the server's fault,
 * as servers may close idle connections. Nor is a failure that a client can cause: a server may give up on a client that
 * sends its body slowly or not at all, or does not read.
 */
export function kindOfFailure(failure: Failure, at: AttemptCircumstances): OutcomeKind | null {
  switch (failure) {
    case FAILURES.connect_refused:
    case FAILURES.connect_timeout:
    case FAILURES.connect_failed:
    case FAILURES.tls_failed:
      return 'connect';
    case FAILURES.reset_before_response:
      return at.reused || at.clientOwes ? null : 'reset';
    case FAILURES.reset_in_response:
      return at.clientOwes || at.clientHeldBack ? null : 'reset';
    case FAILURES.bad_response:
      return 'bad_response';
    case FAILURES.response_timeout:
      // The server may be waiting for the body, which the client does not send, whether it was told to continue or not.
      return at.clientOwes && !at.serverBlocked ? null : 'timeout';
    case FAILURES.response_stalled:
      return 'timeout';
    default:
      return null;
  }
}
