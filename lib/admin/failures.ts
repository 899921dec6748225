import type { Reason, RequestRecord } from '../base/observer.js';
import { REASONS } from '../observe/reasons.js';

const KEPT = 50;
const LONGEST_TARGET = 200;

/** A request that did not end well. */
export interface RecentFailure {
  readonly id: number;
  /** ms since the epoch, when it ended. */
  readonly at: number;
  readonly request_id: string;
  readonly client: string;
  readonly method: string;
  readonly host: string;
  /** Without the query, which may hold what is nobody's business; cut when it is long. */
  readonly path: string;
  /** 0 when nothing was sent. */
  readonly status: number;
  readonly server: string;
  readonly attempts: number;
  readonly duration_ms: number;
  readonly reason: Reason;
  readonly detail: string;
}

/** The last failures, so that a person who looks sees at once what goes wrong, and what to do. */
export class Failures {
  readonly #kept: RecentFailure[] = [];
  #lastId = 0;

  note(record: RequestRecord): void {
    const { reason } = record;
    if (reason === '') return;
    const [path = ''] = record.target.split('?', 1);
    this.#kept.push(
      Object.freeze({
        id: ++this.#lastId,
        at: Math.round(record.startedAt + record.durationMs),
        request_id: record.requestId,
        client: record.clientAddress,
        method: record.method,
        host: record.host,
        path: path.length > LONGEST_TARGET ? `${path.slice(0, LONGEST_TARGET - 1)}…` : path,
        status: record.status,
        server: record.server,
        attempts: record.attempts,
        duration_ms: Math.round(record.durationMs * 1000) / 1000,
        reason,
        detail: record.detail,
      }),
    );
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  /** Newest first, each with what its reason means and what to do about it. */
  list(): readonly object[] {
    return this.#kept.toReversed().map((failure) => {
      const { fault, meaning, remedy } = REASONS[failure.reason];
      return { ...failure, fault, meaning, remedy };
    });
  }
}

/** Did it fail by the fault of a server or of the balancer? What a client brings on itself is no error of ours. */
export function isFailure({ status, reason }: RequestRecord): boolean {
  return reason === '' ? status >= 500 : REASONS[reason].fault !== 'client';
}
