import { FAILURES, type Failure } from '../base/failure.js';
import type { AttemptRecord, Reason, RequestRecord } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { TransportInfo } from '../base/transport-info.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide } from '../http/flow.js';
import type { MessageHead, RequestHead } from '../http/head.js';
import type { AttemptOutcome, OutcomeKind } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';

type AttemptResult = AttemptRecord['reason'];

/**
 * What observers are told of a request, what was tried for it, and how long each part took: gathered as it goes, read once
 * when it settles. Used for one request after the other: as long as the first attempt succeeds, nothing is allocated.
 */
export class RequestRecorder implements RequestRecord {
  readonly #wheel: TimerWheel;
  #client: ClientSide | null = null;
  #startedAt = 0;
  requestId = '';
  /** The peer's, until it is known whom a trusted peer speaks for. */
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
  /** Attempts that are over, in order; the last is added when the list is asked for. */
  readonly #tries: AttemptRecord[] = [];
  readonly #current: { -readonly [Key in keyof AttemptRecord]: AttemptRecord[Key] } = {
    server: '',
    reason: '',
    status: 0,
    durationMs: 0,
    reused: false,
  };
  /** The list where there was but one: a log asks for it on every request. */
  readonly #only: readonly AttemptRecord[] = [this.#current];
  /** Is the current attempt still to be added to the list? */
  #isUnlisted = false;
  #attemptStartedAt = 0;
  /** When the current attempt had its connection, and the last of the request went out. */
  #askedAt = 0;
  /** When it stopped; -1: it goes on, or there is none. */
  #stoppedAt = -1;
  /** -1: it has no need to wait for a connection. */
  #waitsSince = -1;
  #isInLine = false;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  open(client: ClientSide): void {
    this.#client = client;
    this.#startedAt = client.startedAt;
    this.requestId = '';
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

  /** `server` is asked, at `now`. The first attempt begins with the request, as far as a log can tell. */
  beginAttempt(server: string, now: number): void {
    this.attempts++;
    this.server = server;
    this.#begin(now);
  }

  /** The same server is asked again at `now`, on a fresh connection. */
  replaceStale(now: number): void {
    this.#begin(now);
  }

  #begin(now: number): void {
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

  /** It has no connection yet: it waits in line for one, or for one that is being opened. */
  beginWait(isInLine: boolean): void {
    this.#waitsSince = this.#wheel.clock.now();
    this.#isInLine = isInLine;
  }

  /** It has one at `now`, or will not get one; nothing when it did not wait. */
  endWait(now: number): void {
    if (this.#waitsSince === -1) return;
    if (this.#isInLine) this.queueMs += now - this.#waitsSince;
    else this.connectMs += now - this.#waitsSince;
    this.#waitsSince = -1;
    this.#askedAt = now;
  }

  /** Was the connection of the current attempt open before? */
  get reused(): boolean {
    return this.#current.reused;
  }

  set reused(reused: boolean) {
    this.#current.reused = reused;
  }

  /** The server of the current attempt has been sent the last byte of the request, at `now`. */
  noteAsked(now: number): void {
    this.#askedAt = now;
  }

  /** A final response head, or a 101, that goes to the client, came at `now`. Returns ms since the server was asked. */
  noteFirstByte(status: number, now: number): number {
    this.firstByteMs = now - this.#startedAt;
    this.#current.status = status;
    return now - this.#askedAt;
  }

  /** A final response head that the client does not get to see came at `now`. Returns ms since the server was asked. */
  noteDeclined(status: number, now: number): number {
    this.#current.status = status;
    return now - this.#askedAt;
  }

  /** What the server said in the current attempt; 0 if it said nothing. */
  get attemptStatus(): number {
    return this.#current.status;
  }

  /** The current attempt is over at `now`. Returns the ms it took. */
  stopAttempt(now: number): number {
    const durationMs = now - this.#attemptStartedAt;
    this.#stoppedAt = now;
    this.#current.durationMs = durationMs;
    return durationMs;
  }

  /** How it ended, if another attempt may follow. */
  attemptFailed(reason: AttemptResult): void {
    this.#current.reason = reason;
    this.#list();
    this.#stoppedAt = -1;
  }

  close(reason: Reason | '', detail: string): void {
    const now = this.#stoppedAt === -1 ? this.#wheel.clock.now() : this.#stoppedAt;
    this.durationMs = now - this.#startedAt;
    // One that a retry was denied to did answer: else it would be over.
    this.#current.reason = reason === 'retry_budget' ? '' : reason;
    this.reason = reason;
    this.detail = detail;
  }

  /** After the observers: holds nothing of the client any more. */
  release(): void {
    this.#client = null;
  }

  /** Everything tried so far, in order. */
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

  /** By the difference of the two clocks as it was at the last tick: asking the time once more is not free. */
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
    return traceIdOf(this.#head);
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

/** Version, trace, parent and flags (W3C Trace Context, 3.2); ids of zeros are none, what later versions append is theirs. */
const TRACE_PARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:$|-)/;

/**
 * The trace that a request belongs to; empty when it does not say, or not validly. `traceparent` and `tracestate` are
 * passed on as they came: only who tells a collector of a span of its own may put itself between the two.
 */
function traceIdOf(head: MessageHead): string {
  const index = head.indexOfName('traceparent');
  if (index === -1) return '';
  return TRACE_PARENT.exec(head.valueAt(index))?.[1] ?? '';
}

/** Told of and used again: an attempt that ends allocates nothing. */
const outcome: { -readonly [Key in keyof AttemptOutcome]: AttemptOutcome[Key] } = {
  kind: 'ok',
  status: 0,
  durationMs: 0,
};

/**
 * An attempt on `server` has ended in this way, `durationMs` after its beginning. `isJudged`: it counts for who judges
 * the server's health.
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

/** A final response head came, `ms` after the server was asked. */
export function noteAnswer(server: Server, status: number, ms: number): void {
  server.noteResponse(ms);
  if (status >= 500) server.noteError();
  const digit = Math.floor(status / 100);
  const { responses } = server.totals;
  responses[digit] = (responses[digit] as number) + 1;
}

/** Failures in which the server had no part: it was told nothing, and moves no request of its own to an error page. */
const NO_ERROR: ReadonlySet<Failure> = new Set([FAILURES.server_gone, FAILURES.out_of_resources]);

/**
 * An attempt on `server` has failed, and a fresh connection to it is no way out: that is one of its recent errors,
 * unless it was the client's doing. `status`: what it had answered by then; one of 5xx was counted when it came.
 */
export function noteFailedAttempt(server: Server, failure: Failure, status: number): void {
  if (failure.fault === 'client' || NO_ERROR.has(failure) || status >= 500) return;
  server.noteError();
}

/** What an answer says of its server. */
export function kindOfAnswer(status: number): OutcomeKind {
  return status >= 500 ? 'error_status' : 'ok';
}

/** What an attempt was at when it failed, as far as that tells whose doing the failure is. */
export interface AttemptCircumstances {
  /** Was the connection open before its request came? */
  readonly reused: boolean;
  /** Has the client not sent all of its request? */
  readonly clientOwes: boolean;
  /** Does the server take no more of the request for now? */
  readonly serverBlocked: boolean;
  /** Has the client made the server wait for long, by taking little of the answer? */
  readonly clientHeldBack: boolean;
}

/**
 * What a failure says of the server; null: nothing. That a connection from the pool had gone stale is no fault of the
 * server's, which may close what is idle. Nor is what a client can bring about by itself: a server may give up on one
 * that sends its body slowly, or not at all, or does not read.
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
      // It may be waiting for the body that the client, told to go on or not, does not send.
      return at.clientOwes && !at.serverBlocked ? null : 'timeout';
    case FAILURES.response_stalled:
      return 'timeout';
    default:
      return null;
  }
}
