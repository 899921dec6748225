import { FIELD, trimSpace } from './fields.js';
import type { MessageHead } from './head.js';

/** The span that a request comes from (W3C Trace Context, 3.2). */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** `SAMPLED`, `RANDOM`, both or 0: other bits have no meaning yet, and are not passed on. */
  readonly flags: number;
}

/** The caller records this trace. */
export const SAMPLED = 1;
/** The last 56 bits of the trace id are random (Level 2, 3.2.2.5.2). */
export const RANDOM = 2;

/** Version, trace, parent and flags. Upper case and ids of zeros are invalid, and so is the version ff. */
const PARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * The span that a request comes from. null: it has no valid `traceparent`, or several, and a new trace begins. What later
 * versions append is ignored (4.1).
 */
export function readTraceParent(head: MessageHead): TraceParent | null {
  const index = head.indexOf(FIELD.traceparent);
  if (index === -1) return null;
  for (let i = index + 1; i < head.fieldCount; i++) if (head.ids[i] === FIELD.traceparent) return null;
  const match = PARENT.exec(head.valueAt(index));
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  if (version === '00' && more !== undefined) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & (SAMPLED | RANDOM) };
}

/** A member: a key, perhaps of one of several tenants of a system, and a value without commas and equals signs. */
const MEMBER =
  /^[\t ]*([a-z\d][-\w*/]{0,240}@[a-z][-\w*/]{0,13}|[a-z\d][-\w*/]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~][\t ]*$/;
const MOST_MEMBERS = 32;
/** What each hop has to pass on at least (3.3.1.5), and what this one passes on at most. */
const MOST_CHARACTERS = 512;
/** Members that are longer are dropped first. */
const LONG = 128;

/**
 * The `tracestate` of a request with a valid `traceparent`, its fields joined: unchanged up to 512 characters, and without
 * whole members where it is longer. Empty when it has none or one that can't be read, which is then dropped (3.3.1).
 */
export function readTraceState(head: MessageHead): string {
  let text = '';
  for (let i = Math.max(0, head.indexOf(FIELD.tracestate)); i < head.fieldCount; i++) {
    if (head.ids[i] !== FIELD.tracestate || head.valueAt(i) === '') continue;
    text += (text === '' ? '' : ',') + head.valueAt(i);
  }
  if (text === '') return '';
  const members = text.split(',').filter((member) => /[^\t ]/.test(member));
  if (members.length > MOST_MEMBERS || !members.every((member) => isMember(member))) return '';
  return text.length <= MOST_CHARACTERS ? text : shortened(members);
}

function isMember(member: string): boolean {
  return !/[A-Z]/.test(member.slice(0, member.indexOf('='))) && MEMBER.test(member);
}

/** The oldest members are last (3.3.1.1). */
function shortened(members: readonly string[]): string {
  const kept = members.map((member) => trimSpace(member));
  while (kept.join(',').length > MOST_CHARACTERS) {
    const long = kept.findLastIndex(({ length }) => length > LONG);
    kept.splice(long === -1 ? kept.length - 1 : long, 1);
  }
  return kept.join(',');
}
