import { decodeTriplets, hasWholeTriplets, readUtf8 } from './percent.js';
import { type Refusal, refusal } from './refusal.js';

/**
 * The path that rules compare, in contrast to the path that is sent. Triplets are decoded once, as UTF-8 where they are
 * UTF-8 (other bytes become U+FFFD), including `%2F`; empty segments are dropped, dot segments resolved (RFC 3986,
 * 5.2.4). Case counts; `\`, `;` and `%25` have no meaning: a server that folds case or reads `\` as a slash needs rules
 * that consider this.
 * | Paths that servers are known to read in more than one way are refused, as no rule could be sure of them:
 * | - `%` without two digits after it;
 * - `%00`, which ends the name of a file in C;
 * - overlong UTF-8 (`%C0%AF`), which careless decoders take for a slash;
 * - `..` above the root;
 * - `..` in a path with a doubled or an encoded slash: whether `/a//../b` and `/a%2F../b` are `/b`, `/a/b` or neither
 *   depends on whether the server joins and decodes slashes before it goes up.
 */
export interface NormalPath {
  /** As received if there is a problem. */
  readonly path: string;
  readonly problem: Refusal | null;
}

const BAD_TRIPLET = refusal(400, 'the path has a % without two hexadecimal digits');
const NUL = refusal(400, 'the path has a %00');
const OVERLONG = refusal(400, 'the path has a character in overlong UTF-8');
const ABOVE_ROOT = refusal(400, 'the path goes above its root');
const AMBIGUOUS = refusal(400, 'the path has .. together with a doubled or an encoded slash');

const OVERLONG_UTF8 = /[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}/;

/** `raw` is the path of a request target, without its query. */
export function normalisePath(raw: string): NormalPath {
  if (!raw.startsWith('/')) return { path: raw, problem: null };
  if (!hasWholeTriplets(raw)) return { path: raw, problem: BAD_TRIPLET };
  const bytes = decodeTriplets(raw);
  if (bytes.includes('\0')) return { path: raw, problem: NUL };
  if (OVERLONG_UTF8.test(bytes)) return { path: raw, problem: OVERLONG };
  const segments = readUtf8(bytes).split('/');
  const resolved = resolveDots(segments);
  if (resolved === null) return { path: raw, problem: ABOVE_ROOT };
  if (segments.includes('..') && (/%2f/i.test(raw) || bytes.includes('//'))) {
    return { path: raw, problem: AMBIGUOUS };
  }
  return { path: resolved, problem: null };
}

/**
 * A path with its dot segments resolved and everything else unchanged, including doubled slashes: the input of path
 * rules. Only for a path without a problem.
 */
export function withoutDotSegments(raw: string): string {
  if (!/\/(?:\.|%2e)/i.test(raw)) return raw;
  const kept: string[] = [];
  const segments = raw.split('/');
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string;
    const dots = dotsIn(segment);
    if (dots === 2) kept.pop();
    if (dots === 0) kept.push(segment);
    else if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** 1 for `.`, 2 for `..`, in any spelling; 0 for any other segment. */
function dotsIn(segment: string): number {
  const decoded = segment.length <= 6 ? decodeTriplets(segment) : segment;
  return decoded === '.' ? 1 : decoded === '..' ? 2 : 0;
}

/** `segments` begin with the empty one before the first slash. Returns null when `..` goes above the root. */
function resolveDots(segments: readonly string[]): string | null {
  const kept: string[] = [];
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string;
    if (segment === '..') {
      if (kept.length === 0) return null;
      kept.pop();
    } else if (segment !== '' && segment !== '.') {
      kept.push(segment);
      continue;
    }
    if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Is there a `.` or `..` among the segments, slashes encoded or not? */
export function hasDotSegments(raw: string): boolean {
  return /(?:^|\/)\.{1,2}(?:\/|$)/.test(decodeTriplets(raw));
}
