import type { RequestView } from '../http/request-view.js';
import type { Captures } from './pattern.js';

/** What rules know of a request and of what became of it. */
export interface RuleContext {
  /** The request as it came, whatever rules have done since. */
  readonly view: RequestView;
  /** The groups of the regular expression by which the route was found, for `{$1}`. */
  readonly captures: Captures;
  /** The name of the route. */
  readonly route: string;
  readonly requestId: string;
  /** Which attempt it is, from 1. */
  readonly attempt: number;
  /** The name of the server that answered; empty before that, and when none did. */
  readonly server: string;
  /** Is the peer one whose X-Forwarded-* is believed? */
  readonly trustsPeer: boolean;
}
