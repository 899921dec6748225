import { FAILURES, type Failure } from '../base/failure.js';
import type { Reason } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import type { RetryConfig } from '../config/types.js';
import type { RequestHead, ResponseHead } from '../http/head.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import { BUDGET_MARK, BUDGET_USED, type RetryCounts, WINDOW_SECONDS } from '../shared/retry-counts.js';
import type { Replay } from './relay.js';
import type { RequestFacts } from './request-key.js';

/**
 * fresh: the same server on a new connection. other: `next` is the server. again: the same servers, after a moment. no:
 * there is no further attempt. denied: there would be one, but the retry budget is spent.
 */
export type NextStep = 'fresh' | 'other' | 'again' | 'no' | 'denied';

/** The facts about the last attempt that decide about the next. */
export interface LastAttempt {
  /** Has anything of an answer been sent to the client? */
  readonly sawResponse: boolean;
  readonly reused: boolean;
}

/** Quick failures of servers that may recover in a moment; a full queue or a timeout is not one of them. */
const PASSING: ReadonlySet<Reason> = new Set([
  'connect_refused',
  'connect_failed',
  'tls_failed',
  'out_of_resources',
  'reset_before_response',
]);

/** Failures of servers that are away, as while they restart; one that is slow or busy is not away. */
const AWAY: ReadonlySet<Reason> = new Set([
  'no_server',
  'connect_refused',
  'connect_timeout',
  'connect_failed',
  'server_gone',
  'reset_before_response',
  'reset_in_response',
]);

/** ms before the same server is asked again; doubled each time. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 250;

/** The servers of a route, and how one is picked. */
export interface RetryTargets {
  readonly group: Pick<ServerGroup, 'servers' | 'isUsable'>;
  pick(facts: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null;
}

/** Which servers were tried for one request, and which may be tried next. The object serves one request after the other. */
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

  /** Asks `server` first, if it belongs to the group. */
  startAt(server: Server): void {
    if (this.#selector?.group.servers.includes(server)) this.#next = server;
  }

  /** The request is over: releases everything of it. */
  close(): void {
    if (this.#selector === null) return;
    while (this.#tried.length > 0) this.#tried.pop();
    this.#next = null;
    this.#selector = null;
    this.#policy = null;
  }

  /**
   * May the request share a connection? Only if it can be repeated without loss when its connection fails. That happens
   * at most once: then the request gets its own connection.
   */
  isPipelinable(head: RequestHead): boolean {
    if (this.#attempts > 1 || this.#replacedStale || this.#policy?.onStale !== true) return false;
    if (head.authenticatesConnection) return false;
    return head.isIdempotent && head.framing === 'none' && !head.expectsContinue && !head.connection.upgrade;
  }

  /** Takes the server to ask now; null when there is none. */
  take(): Server | null {
    const server = this.#next ?? this.#pick();
    if (this.#next !== null) this.#next = null;
    if (server === null) return null;
    this.#tried.push(server);
    this.#attempts++;
    return server;
  }

  /** The server that was asked last. */
  get last(): Server {
    return this.#tried.at(-1) as Server;
  }

  afterFailure(failure: Failure, attempt: LastAttempt): NextStep {
    const policy = this.#policy as RetryPolicy;
    if (failure === FAILURES.server_gone) {
      // The request only waited there: another server for it is no retry, whatever the route allows.
      this.#attempts--;
      return this.#stepOn(true);
    }
    const decision = decideRetry(failure, this.#stateAfter(attempt), policy);
    if (decision === 'no') return 'no';
    if (decision === 'fresh') {
      this.#replacedStale = true;
      // A request that was cut because its server is down is not repeated on that server.
      if (this.last.isUp) return 'fresh';
    }
    const step = this.#stepOn(PASSING.has(failure.reason));
    // Without a connection nothing was sent: trying elsewhere repeats no work.
    return failure.retry === 'always' ? step : this.#charge(step);
  }

  /** May the request wait for a server to come back: was nothing of it processed, or may it be sent again as a whole? */
  mayHold(failure: Failure, { sawResponse }: LastAttempt): boolean {
    if (sawResponse || !AWAY.has(failure.reason)) return false;
    if (failure.retry === 'idempotent') return this.#repeatable && this.#replay.whole;
    return failure.retry === 'always' || failure === FAILURES.no_server;
  }

  /** The request has waited for a server: all may be asked, as often as at the beginning. */
  restart(): void {
    this.#forgetTried();
    this.#next = null;
    this.#attempts = 0;
    this.#pauses = 0;
  }

  /** Can an answer with this status lead to a retry? Few can. */
  mayDecline(status: number): boolean {
    return status >= 400 && (status === 408 || (this.#policy as RetryPolicy).retriesStatus(status));
  }

  /** `no` and `denied`: the client gets the answer. */
  afterAnswer(head: ResponseHead, attempt: LastAttempt): NextStep {
    const policy = this.#policy as RetryPolicy;
    if (this.#isForIdleConnection(head, attempt)) {
      this.#replacedStale = true;
      return 'fresh';
    }
    if (!decideStatusRetry(head.status, this.#stateAfter(attempt), policy)) return 'no';
    // A server that sends Retry-After is not asked again before that time.
    return this.#charge(this.#stepOn(head.indexOfName('retry-after') === -1));
  }

  /**
   * The server sent this 408 to the idle connection while the request was on its way: it may be sent again (RFC 9110,
   * 15.5.9).
   */
  #isForIdleConnection(head: ResponseHead, { sawResponse, reused }: LastAttempt): boolean {
    if (head.status !== 408 || head.keepsAlive || !reused || this.#replacedStale || sawResponse) return false;
    return (this.#policy as RetryPolicy).onStale && this.#repeatable && this.#replay.whole;
  }

  /**
   * ms to wait before the same servers are asked again: jittered, so that requests that failed together do not return
   * together.
   */
  pause(): number {
    // All servers may be asked once more.
    this.#forgetTried();
    const longest = Math.min(FIRST_PAUSE * 2 ** this.#pauses, LONGEST_PAUSE);
    this.#pauses++;
    return longest * (0.5 + Math.random() / 2);
  }

  /** Setting the length would call out of compiled code. */
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

  /** Tries another server first, if there is one. */
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

/** The retries that a route allows. */
export interface RetryTerms {
  /** Attempts after the first one. */
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  retriesStatus(status: number): boolean;
}

/** The state that a decision depends on, besides failure and terms. */
export interface AttemptState {
  /** Does sending the request twice have no more effect than sending it once? */
  readonly repeatable: boolean;
  /** Can its body be sent again from the first byte? */
  readonly replayable: boolean;
  /** Has any byte of an answer, even an interim one, been sent to the client? */
  readonly clientSawResponse: boolean;
  /** Had the connection been used before? */
  readonly pooledConnection: boolean;
  /** Has a stale connection been replaced for this request before? */
  readonly replacedStale: boolean;
  /** Attempts so far, including the first. */
  readonly attempts: number;
}

/**
 * `fresh`: the same server on a new connection, because the pooled one was stale; does not count as an attempt. `retry`:
 * another attempt.
 */
export type RetryDecision = 'fresh' | 'retry' | 'no';

/** May a failed request be sent again, and how? A pure function. */
export function decideRetry(failure: Failure, state: AttemptState, terms: RetryTerms): RetryDecision {
  if (state.clientSawResponse || failure.retry === 'never') return 'no';
  if (failure.retry === 'idempotent' && !(state.repeatable && state.replayable)) return 'no';
  // A server may refuse our certificate when a part of the body was sent already, which it does not read.
  if (failure.reason === 'tls_failed' && !state.replayable) return 'no';
  const isReset = failure.reason === 'reset_before_response';
  if (isReset && terms.onStale && state.pooledConnection && !state.replacedStale) return 'fresh';
  return isCovered(failure, state, terms) && state.attempts <= terms.attempts ? 'retry' : 'no';
}

/** May a request be sent again because of this status, so that the client gets another answer? A pure function. */
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
  // Cut within the head, as nothing was sent to the client. So the connection was not stale.
  if (reason === 'reset_in_response') return terms.onReset;
  // The connection that replaced a stale one may come from the pool too, and be stale too.
  return terms.onReset || (terms.onStale && pooledConnection);
}

/** The retry settings of a route, compiled. Made once per configuration. */
export class RetryPolicy implements RetryTerms {
  readonly attempts: number;
  readonly onConnect: boolean;
  readonly onStale: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  /** Bytes of a request body that are kept for sending it again. */
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

  /** Does sending this request twice have no more effect than sending it once? */
  isRepeatable(head: RequestHead): boolean {
    if (head.isIdempotent) return true;
    return this.#idempotencyKey && head.indexOfName('idempotency-key') !== -1;
  }
}

/** Allows retries when there is little traffic. */
const FREE_PER_SECOND = 3;

/**
 * Limits retries to a share of the requests to some servers in the last 10 seconds, plus 3 per second, in all threads
 * together. Without this limit, servers that all fail would get a multiple of a load that is too much already. The window
 * moves in whole seconds; the caller passes coarse time, in ms, the same in all threads.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #counts: RetryCounts;
  readonly #name: string;
  readonly #mark: number;
  /** Where the counts are: -1 before they are needed, and other ones when the place was lost to another budget. */
  #slot = -1;
  #words = new Int32Array(0) as Int32Array;
  #requests = 0;

  /** `share` of the requests, from 0 to 1. `name`: by which every thread and the next configuration find the same counts. */
  constructor(share: number, counts: RetryCounts, name: string) {
    this.#share = share;
    this.#counts = counts;
    this.#name = name;
    this.#mark = counts.markOf(name);
  }

  countRequest(now: number): void {
    const second = Math.floor(now / 1000);
    if (this.#words[this.#slot + BUDGET_MARK] !== this.#mark) this.#find(second);
    const words = this.#words;
    const cell = this.#requests + 2 * (second % WINDOW_SECONDS);
    if (words[cell] !== second) {
      words[cell + 1] = 0;
      words[cell] = second;
      words[this.#slot + BUDGET_USED] = second;
    }
    words[cell + 1]!++;
  }

  /** Takes one retry; false when none is left. */
  take(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (this.#words[this.#slot + BUDGET_MARK] !== this.#mark) this.#find(second);
    return this.#counts.take(this.#slot, second, this.#share, FREE_PER_SECOND * WINDOW_SECONDS);
  }

  #find(second: number): void {
    this.#words = this.#counts.words;
    this.#slot = this.#counts.slotOf(this.#name, second);
    this.#requests = this.#counts.requestsOf(this.#slot);
  }
}
