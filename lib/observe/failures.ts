import { FAILURES, type Failure, type Reason } from '../base/failure.js';
import type { RequestRecord } from '../base/observer.js';

/** Kept for each reason separately, so that frequent failures do not push out rare ones. */
const KEPT = 10;
const LONGEST_TEXT = 200;
/** What texts are cut to where many reasons share an answer, one after the other. */
const SHORTER_TEXTS = [80, 32, 12] as const;

/** The text of a failure for people. */
type Explained = Pick<Failure, 'fault' | 'meaning' | 'remedy'>;

function explained({ fault, meaning, remedy }: Failure): Explained {
  return { fault, meaning, remedy };
}

/**
 * A 5xx from the server itself is forwarded and is not a failure of the balancer, but operators count it, so it is
 * counted here.
 */
const SERVER_ERROR = {
  fault: 'server',
  meaning: 'the server itself answered with a 5xx status',
  remedy: 'The request reached the server and was answered: see its log.',
} as const satisfies Explained;

type FailureReason = Reason | 'server_error';

/** A request that failed. */
export interface RecentFailure {
  /** ms since the epoch, when it ended. */
  readonly at: number;
  readonly requestId: string;
  readonly client: string;
  readonly method: string;
  readonly host: string;
  /** Without the query, which may hold secrets; cut when it is long. */
  readonly path: string;
  /** 0 when nothing was sent. */
  readonly status: number;
  readonly route: string;
  readonly server: string;
  readonly attempts: number;
  readonly durationMs: number;
  readonly detail: string;
}

/** One reason of failures: who is at fault, what it means, what to do, and the last requests that failed with it. */
export interface FailuresOfReason extends Explained {
  readonly reason: FailureReason;
  /** Since the start. */
  readonly count: number;
  /** When the last of them ended, in ms since the epoch. */
  readonly lastAt: number;
  /** Newest first. */
  readonly requests: readonly RecentFailure[];
}

interface ReasonFailures {
  count: number;
  /** Oldest first. */
  readonly requests: RecentFailure[];
}

/** What came to the failures of a reason since it was last taken. */
export interface NewFailures {
  readonly reason: FailureReason;
  readonly count: number;
  /** The last of them, oldest first. */
  readonly requests: readonly RecentFailure[];
}

/** The last failures by their reason, so that a person sees at once what goes wrong and what to do. */
export class Failures {
  readonly #byReason = new Map<FailureReason, ReasonFailures>();

  /** Called for every request; a successful one costs a comparison. */
  note(record: RequestRecord): void {
    if (record.reason === '' && record.status < 500) return;
    const entry = this.#of(record.reason || 'server_error');
    entry.count++;
    entry.requests.push(copy(record));
    if (entry.requests.length > KEPT) entry.requests.shift();
  }

  /** Returns all failures, for another thread, and forgets them. */
  take(): readonly NewFailures[] {
    const taken = [...this.#byReason].map(([reason, failures]) => ({ reason, ...failures }));
    this.#byReason.clear();
    return taken;
  }

  /** Adds the failures that another thread has taken. */
  include(failures: readonly NewFailures[]): void {
    for (const { reason, count, requests } of failures) {
      const entry = this.#of(reason);
      entry.count += count;
      for (const request of requests) entry.requests.push(request);
      // Threads report one after the other what happened at the same time.
      entry.requests.sort((one, other) => one.at - other.at);
      entry.requests.splice(0, Math.max(0, entry.requests.length - KEPT));
    }
  }

  #of(reason: FailureReason): ReasonFailures {
    let entry = this.#byReason.get(reason);
    if (entry === undefined) {
      entry = { count: 0, requests: [] };
      this.#byReason.set(reason, entry);
    }
    return entry;
  }

  /**
   * The reason that occurred last comes first. The requests of all reasons take about `mostBytes` as JSON: first the newest
   * of each reason, with its texts shortened if it does not fit, then the second of each, and so on.
   */
  list(mostBytes = Number.POSITIVE_INFINITY): readonly FailuresOfReason[] {
    const lists = [...this.#byReason].map(([reason, { count, requests }]) => ({
      reason,
      ...(reason === 'server_error' ? SERVER_ERROR : explained(FAILURES[reason])),
      count,
      lastAt: requests.at(-1)?.at ?? 0,
      requests: requests.toReversed(),
    }));
    lists.sort((one, other) => other.lastAt - one.lastAt);
    return mostBytes === Number.POSITIVE_INFINITY ? lists : withinBytes(lists, mostBytes);
  }

  /** All that is kept of one reason; empty if nothing failed with it. */
  listOf(reason: string): readonly FailuresOfReason[] {
    return this.list().filter((one) => one.reason === reason);
  }
}

function withinBytes(lists: readonly FailuresOfReason[], mostBytes: number): readonly FailuresOfReason[] {
  let left = mostBytes;
  const kept = lists.map(({ requests: [newest] }, index): RecentFailure[] => {
    if (newest === undefined) return [];
    const fitting = shortened(newest, left / (lists.length - index));
    left -= bytesOf(fitting);
    return [fitting];
  });
  for (let depth = 1; depth < KEPT && left >= 0; depth++) {
    for (const [index, { requests }] of lists.entries()) {
      const request = requests[depth];
      if (request === undefined) continue;
      left -= bytesOf(request);
      if (left >= 0) kept[index]?.push(request);
    }
  }
  return lists.map((list, index) => ({ ...list, requests: kept[index] ?? [] }));
}

function bytesOf(request: RecentFailure): number {
  return Buffer.byteLength(JSON.stringify(request)) + 4;
}

/** With texts cut until it takes `mostBytes`, or until they are short. */
function shortened(request: RecentFailure, mostBytes: number): RecentFailure {
  let short = request;
  for (const length of SHORTER_TEXTS) {
    if (bytesOf(short) <= mostBytes) break;
    short = {
      ...request,
      requestId: cut(request.requestId, length),
      method: cut(request.method, length),
      host: cut(request.host, length),
      path: cut(request.path, length),
      detail: cut(request.detail, length),
    };
  }
  return short;
}

function copy(record: RequestRecord): RecentFailure {
  const [path = ''] = record.target.split('?', 1);
  return Object.freeze({
    at: Math.round(record.startedAt + record.durationMs),
    requestId: keep(record.requestId),
    client: record.clientAddress,
    method: keep(record.method),
    host: keep(record.host),
    path: keep(path),
    status: record.status,
    route: record.route,
    server: record.server,
    attempts: record.attempts,
    durationMs: Math.round(record.durationMs * 1000) / 1000,
    detail: keep(record.detail),
  });
}

/** Cut when it is long, and copied: a substring of a head would keep the whole head in memory. */
function keep(text: string): string {
  return Buffer.from(cut(text, LONGEST_TEXT)).toString();
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Did it fail because of a server or of the balancer? Faults of clients are not errors here. */
export function isFailure({ status, reason }: RequestRecord): boolean {
  return reason === '' ? status >= 500 : FAILURES[reason].fault !== 'client';
}
