import type { MessageHead } from '../http/head.js';
import { indexOfField } from './named-field.js';

/** Version, trace, parent and flags (W3C Trace Context, 3.2); ids of zeros are none, what later versions append is theirs. */
const TRACE_PARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:$|-)/;

/**
 * The trace that a request belongs to; empty when it does not say, or not validly. `traceparent` and `tracestate` are
 * passed on as they came: only who tells a collector of a span of its own may put itself between the two.
 */
export function traceIdOf(head: MessageHead): string {
  const index = indexOfField(head, 'traceparent');
  if (index === -1) return '';
  return TRACE_PARENT.exec(head.valueAt(index))?.[1] ?? '';
}
