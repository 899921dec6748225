import type { RequestView } from '../http/request-view.js';
import type { Captures } from './pattern.js';

/** What rules know of a request and of its outcome. */
export interface RuleContext {
  /** The request as received, whatever rules have changed since. */
  readonly view: RequestView;
  /** The groups of the regular expression that the route was found by, for `{$1}`. */
  readonly captures: Captures;
  /** The name of the route. */
  readonly route: string;
  readonly requestId: string;
  /** The trace that the request belongs to; empty when it belongs to none. */
  readonly traceId: string;
  /** The span of the request; empty without `tracing`. */
  readonly spanId: string;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The name of the server that answered; empty before that, and if none did. */
  readonly server: string;
  /** Are the X-Forwarded-* of this peer trusted? */
  readonly trustsPeer: boolean;
}
