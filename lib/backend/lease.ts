import type { Failure } from '../base/failure.js';
import type { BackendConnection } from './connection.js';

/** Whoever waits for a connection; told once, one or the other. */
export interface LeaseRequester {
  onLease(connection: BackendConnection): void;
  /** `detail` for the log: the system's error code. */
  onLeaseFailed(failure: Failure, detail: string): void;
}
