import { FAILURES, type Failure } from '../base/failure.js';
import type { Reason } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { RequestHead } from '../http/request-head.js';
import type { ResponseHead } from '../http/response-head.js';
import type { Server } from '../servers/server.js';
import type { RequestContext } from './context.js';
import { indexOfField } from './named-field.js';
import type { Replay } from './replay.js';
import { type AttemptState, decideRetry, decideStatusRetry } from './retry.js';
import type { RetryPolicy } from './retry-policy.js';
import type { ServerSelector } from './server-selector.js';

/**
 * fresh: the same server on a fresh connection. other: `next` is the server. again: the same servers, after a moment.
 * no: that was the last attempt. denied: there would be another, but the budget for retries is spent.
 */
export type NextStep = 'fresh' | 'other' | 'again' | 'no' | 'denied';

/** What of the last attempt counts for the next. */
export interface LastAttempt {
  /** Has the client been sent anything of an answer? */
  readonly sawResponse: boolean;
  readonly reused: boolean;
}

/** The server was quick to fail: it may be well again in a moment. Not so one that is full or says nothing. */
const PASSING: ReadonlySet<Reason> = new Set([
  'connect_refused',
  'connect_failed',
  'out_of_resources',
  'reset_before_response',
]);

/** ms before the same server is asked again, twice that before the next time. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 250;

/** Which servers were tried for one request, and what may be tried next. Used for one request after the other. */
export class Retries {
  readonly #replay: Replay;
  readonly #wheel: TimerWheel;
  readonly #context: RequestContext;
  readonly #tried: Server[] = [];
  #selector: ServerSelector | null = null;
  #policy: RetryPolicy | null = null;
  #repeatable = false;
  #replacedStale = false;
  #attempts = 0;
  #pauses = 0;
  #next: Server | null = null;

  constructor(replay: Replay, wheel: TimerWheel, context: RequestContext) {
    this.#replay = replay;
    this.#wheel = wheel;
    this.#context = context;
  }

  /** A request is about to be forwarded. */
  open(selector: ServerSelector, policy: RetryPolicy, head: RequestHead): void {
    this.#selector = selector;
    this.#policy = policy;
    this.#repeatable = policy.isRepeatable(head);
    this.#replacedStale = false;
    this.#attempts = 0;
    this.#pauses = 0;
    this.#replay.begin(policy.buffer, this.#repeatable);
    if (policy.budget !== null) policy.budget.countRequest(this.#wheel.now);
  }

  /** Let `server` be asked first, if it is one that may be. */
  startAt(server: Server): void {
    if (this.#selector?.group.servers.includes(server)) this.#next = server;
  }

  /** The request is over: holds nothing of it any more. */
  close(): void {
    if (this.#selector === null) return;
    while (this.#tried.length > 0) this.#tried.pop();
    this.#next = null;
    this.#selector = null;
    this.#policy = null;
  }

  /**
   * May the request share a connection? Nothing may be lost when it has to leave it, which happens once at most: then
   * it gets a connection of its own.
   */
  isPipelinable(head: RequestHead): boolean {
    if (this.#attempts > 1 || this.#replacedStale || this.#policy?.onStale !== true) return false;
    if (head.authenticatesConnection) return false;
    return head.isIdempotent && head.framing === 'none' && !head.expectsContinue && !head.connection.upgrade;
  }

  /** The server to ask now; null when there is none. */
  take(): Server | null {
    const server = this.#next ?? this.#pick();
    if (this.#next !== null) this.#next = null;
    if (server === null) return null;
    this.#tried.push(server);
    this.#attempts++;
    return server;
  }

  /** The server asked last. */
  get last(): Server {
    return this.#tried.at(-1) as Server;
  }

  afterFailure(failure: Failure, attempt: LastAttempt): NextStep {
    const policy = this.#policy as RetryPolicy;
    if (failure === FAILURES.server_gone) {
      // It waited, and was not tried: whom it goes to now is no retry, whatever the route allows of these.
      this.#attempts--;
      return this.#stepOn(true);
    }
    const decision = decideRetry(failure, this.#stateAfter(attempt), policy);
    if (decision === 'no') return 'no';
    if (decision === 'fresh') {
      this.#replacedStale = true;
      // What was cut because its server is down is not replaced there.
      if (this.last.isUp) return 'fresh';
    }
    const step = this.#stepOn(PASSING.has(failure.reason));
    // Where there was no connection nothing was sent: trying elsewhere burdens nobody twice.
    return failure.retry === 'always' ? step : this.#charge(step);
  }

  /** Is an answer with this status worth a question? Nearly none is. */
  mayDecline(status: number): boolean {
    return status >= 400 && (status === 408 || (this.#policy as RetryPolicy).retriesStatus(status));
  }

  /** `no` and `denied`: the answer is for the client. */
  afterAnswer(head: ResponseHead, attempt: LastAttempt): NextStep {
    const policy = this.#policy as RetryPolicy;
    if (this.#isForIdleConnection(head, attempt)) {
      this.#replacedStale = true;
      return 'fresh';
    }
    if (!decideStatusRetry(head.status, this.#stateAfter(attempt), policy)) return 'no';
    // Whoever says when it is to be asked again means not before.
    return this.#charge(this.#stepOn(indexOfField(head, 'retry-after') === -1));
  }

  /** A 408 meant for the idle connection crossed with this request, which may be sent again (RFC 9110, 15.5.9). */
  #isForIdleConnection(head: ResponseHead, { sawResponse, reused }: LastAttempt): boolean {
    if (head.status !== 408 || head.keepsAlive || !reused || this.#replacedStale || sawResponse) return false;
    return (this.#policy as RetryPolicy).onStale && this.#repeatable && this.#replay.whole;
  }

  /** ms to wait before the same servers are asked again: jittered, so that those who failed together come apart. */
  pause(): number {
    // They may all be asked once more.
    this.#forgetTried();
    const longest = Math.min(FIRST_PAUSE * 2 ** this.#pauses, LONGEST_PAUSE);
    this.#pauses++;
    return longest * (0.5 + Math.random() / 2);
  }

  /** Not by setting the length, which is a call out of compiled code. */
  #forgetTried(): void {
    while (this.#tried.length > 0) this.#tried.pop();
  }

  #stateAfter({ sawResponse, reused }: LastAttempt): AttemptState {
    return {
      repeatable: this.#repeatable,
      replayable: this.#replay.whole,
      clientSawResponse: sawResponse,
      pooledConnection: reused,
      replacedStale: this.#replacedStale,
      attempts: this.#attempts,
    };
  }

  /** Always another server first. */
  #stepOn(mayAskAgain: boolean): NextStep {
    this.#next = this.#pick();
    if (this.#next !== null) return 'other';
    return mayAskAgain && this.#selector?.group.isUsable === true ? 'again' : 'no';
  }

  #charge(step: NextStep): NextStep {
    if (step === 'no') return 'no';
    const { budget } = this.#policy as RetryPolicy;
    return budget === null || budget.take(this.#wheel.now) ? step : 'denied';
  }

  #pick(): Server | null {
    return this.#selector?.pick(this.#context, this.#tried, this.#repeatable) ?? null;
  }
}
