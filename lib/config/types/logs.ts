import type { StatusRange } from './values.js';

export type AccessLogFormat = 'dev' | 'combined' | 'json' | 'off';

/** What may stand in a line, as the keys of a json line are called. */
export type AccessLogField =
  | 'ts'
  | 'request_id'
  | 'client'
  | 'method'
  | 'target'
  | 'host'
  | 'protocol'
  | 'route'
  | 'status'
  | 'server'
  | 'attempts'
  | 'tries'
  | 'duration_ms'
  | 'queue_ms'
  | 'connect_ms'
  | 'first_byte_ms'
  | 'bytes_in'
  | 'bytes_out'
  | 'reason'
  | 'detail'
  | 'user_agent'
  | 'referer'
  | 'trace_id';

export interface AccessLogConfig {
  /** undefined: whoever prints it decides, `dev` on a terminal and `json` otherwise. */
  readonly format: AccessLogFormat | undefined;
  /** Appended to, made when it is missing; null: stdout. */
  readonly file: string | null;
  /** null: those of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** null: every request has its line. */
  readonly filter: AccessLogFilter | null;
}

/** Which requests have a line. */
export interface AccessLogFilter {
  /** Always those that got one of these, or were cut half way. */
  readonly statuses: readonly StatusRange[];
  /** Always those that took longer, in ms; null: however long they took. */
  readonly slowerThan: number | null;
  /** The share of all other requests that have a line, from 0 to 1. */
  readonly sample: number;
}

export interface EventsConfig {
  /** An http or https URL. */
  readonly webhook: string;
  /** Empty: requests are not signed. */
  readonly secret: string;
  /** ms for one request. */
  readonly timeout: number;
}
