import type { Observer } from '../base/observer.js';
import type { NewFailures } from './failures.js';
import type { LineTerms } from './line-format.js';

/**
 * What an observer reads of requests that other threads serve. records: each one, by `requestSettled`. summaries: by
 * `requestsSummed`. failures: summaries that have failed requests too. lines: by `linesSettled`. nothing: none of these. A
 * record costs the main thread 1.5 µs and a line 0.2 µs; a summary costs nothing per request.
 */
export type ThreadReading = 'records' | 'summaries' | 'failures' | 'lines' | 'nothing';

/** An observer that does not need a record of each request that another thread serves. */
export interface ThreadReader extends Observer {
  /** May change when another configuration is in force. */
  readonly reads: ThreadReading;
  /** Called a few times per second while there are requests. */
  requestsSummed?(summary: RequestSummary): void;
  /** How its lines are written; read whenever `reads` is. */
  readonly lineTerms?: LineTerms | null;
  /** Whole lines, in the order of the requests of each connection. The bytes are valid during the call. */
  linesSettled?(lines: Buffer, count: number): void;
  /** This many lines were not written, because the main thread was busy for too long. */
  linesDropped?(count: number): void;
}

/** The requests that one thread has settled since its summary before. */
export interface RequestSummary {
  readonly requests: number;
  /** Those that failed, without those that failed by a fault of the client. */
  readonly errors: number;
  /** Pairs: a duration in ms, within 1/16, and how many requests lasted so long; without upgraded connections. */
  readonly latencies: readonly number[];
  /** Empty unless an observer reads failures. */
  readonly failures: readonly NewFailures[];
}

/** What `observer` reads of requests of other threads. */
export function readingOf(observer: Observer): ThreadReading {
  const { reads } = observer as Partial<ThreadReader>;
  return reads ?? (observer.requestSettled === undefined ? 'nothing' : 'records');
}
