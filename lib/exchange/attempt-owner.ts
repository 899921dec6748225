import type { Failure } from '../base/failure.js';
import type { Deadline, TimerWheel } from '../base/timer-wheel.js';
import type { ResponseHead } from '../http/response-head.js';
import type { RequestContext } from './context.js';
import type { Replay } from './replay.js';
import type { RequestRecorder } from './request-recorder.js';

/** Whoever makes attempts, one after the other: told how each one ends. */
export interface AttemptOwner {
  /** May the request share a connection? */
  readonly isPipelinable: boolean;
  /** A final head came. True: it is not for the client; `decline` was called, and another attempt follows. */
  declines(head: ResponseHead): boolean;
  /** There is no answer, or no more of it. */
  attemptFailed(failure: Failure, detail: string): void;
  /** The client has the whole answer, or both sides of its tunnel have ended; `detail`: which one did so first. */
  attemptDone(detail: string): void;
}

/** What an attempt works with; all of it belongs to one exchange. */
export interface AttemptDeps {
  readonly context: RequestContext;
  readonly deadline: Deadline;
  readonly replay: Replay;
  readonly recorder: RequestRecorder;
  readonly wheel: TimerWheel;
}
