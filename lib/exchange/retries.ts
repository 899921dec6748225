import { FAILURES, type Failure } from '../base/failure.js';
import type { Reason } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { RetryConfig } from '../config/types.js';
import type { RequestHead, ResponseHead } from '../http/head.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Replay } from './relay.js';
import type { RequestFacts } from './request-key.js';

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
  'tls_failed',
  'out_of_resources',
  'reset_before_response',
]);

/** ms before the same server is asked again, twice that before the next time. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 250;

/** The servers of a route, and who picks of them. */
export interface RetryTargets {
  readonly group: Pick<ServerGroup, 'servers' | 'isUsable'>;
  pick(facts: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null;
}

/** Which servers were tried for one request, and what may be tried next. Used for one request after the other. */
export class Retries {
  readonly #replay: Replay;
  readonly #wheel: TimerWheel;
  readonly #context: RequestFacts;
  readonly #tried: Server[] = [];
  #selector: RetryTargets | null = null;
  #policy: RetryPolicy | null = null;
  #repeatable = false;
  #replacedStale = false;
  #attempts = 0;
  #pauses = 0;
  #next: Server | null = null;

  constructor(replay: Replay, wheel: TimerWheel, context: RequestFacts) {
    this.#replay = replay;
    this.#wheel = wheel;
    this.#context = context;
  }

  /** A request is about to be forwarded. */
  open(selector: RetryTargets, policy: RetryPolicy, head: RequestHead): void {
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
    // Where there was no connection nothing was sent: trying elsewhere repeats no work.
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
    return this.#charge(this.#stepOn(head.indexOfName('retry-after') === -1));
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

/** What a route allows. */
export interface RetryTerms {
  /** Attempts after the first. */
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  retriesStatus(status: number): boolean;
}

/** What a decision depends on besides. */
export interface AttemptState {
  /** Does sending the request twice do no more than sending it once? */
  readonly repeatable: boolean;
  /** Can its body be sent again from the first byte? */
  readonly replayable: boolean;
  /** Has the client seen any byte of an answer, an interim one included? */
  readonly clientSawResponse: boolean;
  /** Was the connection open before the request came? */
  readonly pooledConnection: boolean;
  /** Was a stale connection replaced for this request already? */
  readonly replacedStale: boolean;
  /** So far, the first included. */
  readonly attempts: number;
}

/**
 * `fresh`: the same server on a new connection, as the pooled one had gone stale; not an attempt of its own.
 * `retry`: another attempt.
 */
export type RetryDecision = 'fresh' | 'retry' | 'no';

/** May a request that failed be sent again, and how? Pure. */
export function decideRetry(failure: Failure, state: AttemptState, terms: RetryTerms): RetryDecision {
  if (state.clientSawResponse || failure.retry === 'never') return 'no';
  if (failure.retry === 'idempotent' && !(state.repeatable && state.replayable)) return 'no';
  // A server that refuses our certificate may do so when some of the body is on its way, which it does not read.
  if (failure.reason === 'tls_failed' && !state.replayable) return 'no';
  const isReset = failure.reason === 'reset_before_response';
  if (isReset && terms.onStale && state.pooledConnection && !state.replacedStale) return 'fresh';
  return isCovered(failure, state, terms) && state.attempts <= terms.attempts ? 'retry' : 'no';
}

/** May a request that was answered with this status be sent again, so that the client sees another answer? Pure. */
export function decideStatusRetry(status: number, state: AttemptState, terms: RetryTerms): boolean {
  if (state.clientSawResponse || !state.repeatable || !state.replayable) return false;
  return terms.retriesStatus(status) && state.attempts <= terms.attempts;
}

function isCovered(
  { reason, retry }: Failure,
  { pooledConnection }: AttemptState,
  terms: RetryTerms,
): boolean {
  if (retry === 'always') return terms.onConnect;
  if (reason === 'response_timeout') return terms.onTimeout;
  // In its head, as the client has seen nothing: no stale connection answers.
  if (reason === 'reset_in_response') return terms.onReset;
  // What replaced a stale connection may have been given back by another request, and be as stale.
  return terms.onReset || (terms.onStale && pooledConnection);
}

/** What a route says of retries, made ready. Made once per configuration. */
export class RetryPolicy implements RetryTerms {
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  /** Bytes of a request body kept to be sent again. */
  readonly buffer: number;
  /** Null: no limit. */
  readonly budget: RetryBudget | null;
  readonly #statuses: RetryConfig['statuses'];
  readonly #idempotencyKey: boolean;

  constructor(config: RetryConfig, budget: RetryBudget | null) {
    this.attempts = config.attempts;
    this.onConnect = config.causes.includes('connect');
    this.onStale = config.causes.includes('stale');
    this.onReset = config.causes.includes('reset');
    this.onTimeout = config.causes.includes('timeout');
    this.buffer = config.buffer;
    this.budget = budget;
    this.#statuses = config.statuses;
    this.#idempotencyKey = config.idempotencyKey;
  }

  retriesStatus(status: number): boolean {
    for (let i = 0; i < this.#statuses.length; i++) {
      const range = this.#statuses[i] as RetryConfig['statuses'][number];
      if (status >= range.from && status <= range.to) return true;
    }
    return false;
  }

  /** Does sending this request twice do no more than sending it once? */
  isRepeatable(head: RequestHead): boolean {
    if (head.isIdempotent) return true;
    return this.#idempotencyKey && head.indexOfName('idempotency-key') !== -1;
  }
}

const WINDOW_SECONDS = 10;
/** So that little traffic may be retried too. */
const FREE_PER_SECOND = 3;

/**
 * How much of the traffic to some servers may be retries: a share of the requests of the last 10 seconds, and 3 per
 * second beside it. Servers that fail all at once would else be sent a multiple of what they can't bear already. The
 * window slides by whole seconds as it is asked; the caller passes coarse time, in ms.
 */
export class RetryBudget {
  readonly #share: number;
  /** Per second of the window, at the second's number modulo its length. */
  readonly #requests = new Array<number>(WINDOW_SECONDS).fill(0);
  readonly #retries = new Array<number>(WINDOW_SECONDS).fill(0);
  #second = 0;
  /** Sums over the window. */
  #requestCount = 0;
  #retryCount = 0;

  /** `share`: of the requests, from 0 to 1. */
  constructor(share: number) {
    this.#share = share;
  }

  countRequest(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#forget(second);
    this.#requests[second % WINDOW_SECONDS]!++;
    this.#requestCount++;
  }

  /** Takes one retry; false when there is none left. */
  take(now: number): boolean {
    const slot = this.#slide(now);
    const allowed = this.#requestCount * this.#share + FREE_PER_SECOND * WINDOW_SECONDS;
    if (this.#retryCount + 1 > allowed) return false;
    this.#retries[slot] = (this.#retries[slot] as number) + 1;
    this.#retryCount++;
    return true;
  }

  /** Lets go of the seconds that have left the window; returns the index of the current one. */
  #slide(now: number): number {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#forget(second);
    return second % WINDOW_SECONDS;
  }

  #forget(second: number): void {
    // After a long silence every place is cleared once, not once per second of it.
    const from = Math.max(this.#second + 1, second - WINDOW_SECONDS + 1);
    for (let past = from; past <= second; past++) {
      const slot = past % WINDOW_SECONDS;
      this.#requestCount -= this.#requests[slot] as number;
      this.#retryCount -= this.#retries[slot] as number;
      this.#requests[slot] = 0;
      this.#retries[slot] = 0;
    }
    this.#second = second;
  }
}
