import type { AccessLogField, AccessLogFormat } from '../settings.js';
import type { StatusRange } from './values.js';

export interface AccessLogConfig {
  /** undefined: the log decides, `dev` on a terminal and `json` otherwise. */
  readonly format: AccessLogFormat | undefined;
  /** Lines are appended to this file; null: stdout. */
  readonly file: string | null;
  /** null: the fields of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** null: every request is logged. */
  readonly filter: AccessLogFilter | null;
}

/** Which requests are logged. */
export interface AccessLogFilter {
  /** Requests with one of these statuses, or cut off, are always logged. */
  readonly statuses: readonly StatusRange[];
  /** Requests that took longer than this, in ms, are always logged; null: no such rule. */
  readonly slowerThan: number | null;
  /** The share of all other requests that is logged, from 0 to 1. */
  readonly sample: number;
}

export interface EventsConfig {
  /** An http or https URL. */
  readonly webhook: string;
  /** Empty: requests are not signed. */
  readonly secret: string;
  /** A PEM file of certificate authorities; absolute. null: those of the system. */
  readonly ca: string | null;
  /** What that file held when the settings were read. */
  readonly pem: string | null;
  /** The timeout of one request, in ms. */
  readonly timeout: number;
}
