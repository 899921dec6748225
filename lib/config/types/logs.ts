import type { PathPattern } from '../pattern.js';
import type { AccessLogField, AccessLogFormat } from '../settings.js';
import type { StatusRange } from './values.js';

export interface AccessLogConfig {
  /** undefined: the log decides, `dev` on a terminal and `json` otherwise. */
  readonly format: AccessLogFormat | undefined;
  /** Lines are appended to this file; null: stdout. */
  readonly file: string | null;
  /** null: the fields of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** Fields of requests and responses whose values are logged, in lower case. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
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

/** An OpenTelemetry collector, and who we are to it. */
export interface CollectorConfig {
  /** With the path of the signal. */
  readonly url: string;
  /** Fields of each request, such as Authorization. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** `service.name` */
  readonly service: string;
  /** As `instance` of the settings. */
  readonly instance: string | null;
  /** Further attributes of the resource. */
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  readonly compression: 'none' | 'gzip';
  /** ms for one request. */
  readonly timeout: number;
  /** The authorities that the certificate of an https URL is verified with, in PEM; null: those of the system. */
  readonly pem: string | null;
}

/** A path of `metrics.paths`. */
export interface MeasuredPath {
  /** As written: the label of what is counted. */
  readonly label: string;
  readonly pattern: PathPattern;
}

export interface MetricsConfig {
  readonly collector: CollectorConfig;
  /** ms between two times that all figures are sent. */
  readonly every: number;
}

export interface TracingConfig {
  readonly collector: CollectorConfig;
  /** The share of traces that begin here and are recorded, from 0 to 1. */
  readonly sample: number;
  /** Whose `traceparent` is continued. */
  readonly continueFrom: 'trusted' | 'anyone' | 'nobody';
  /** How long a span waits for others, in ms. */
  readonly interval: number;
  /** About the most spans of a request. */
  readonly batch: number;
  /** The most spans that wait. */
  readonly queue: number;
}
