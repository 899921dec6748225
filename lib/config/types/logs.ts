import type { AccessLogField, AccessLogFormat } from '../settings.js';
import type { StatusRange } from './values.js';

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
