import type { PathPattern } from '../config/pattern.js';
import { MAX_SUBJECT } from '../config/regex.js';
import { FORBIDDEN, type GuardedRequest, type Refusal, type RequestGuard } from './guard.js';
import { otherReadings } from './path-readings.js';

const SLASH = 0x2f;

/**
 * Regular expressions may take the square of a text's length, and there are several other readings: longer ones are
 * refused unread.
 */
const MAX_OTHER_READING = 2048;

/**
 * Refuses paths, however they are spelt: the normal form is compared, and every other reading that a server may have
 * (`path-readings.ts`). A slash at the end makes no difference, case does. A path that can't be read in one way, or
 * is too long for a regular expression, is refused as well: nobody can tell that it isn't one of these.
 */
export class PathGuard implements RequestGuard {
  readonly name = 'path_reject';
  /** Without the slash at their end; empty for `/`. */
  readonly #prefixes: readonly string[];
  readonly #exact: ReadonlySet<string>;
  readonly #regexes: readonly RegExp[];

  constructor(patterns: readonly PathPattern[]) {
    const prefixes: string[] = [];
    const exact = new Set<string>();
    const regexes: RegExp[] = [];
    for (const pattern of patterns) {
      if (pattern.kind === 'prefix') prefixes.push(withoutSlash(pattern.path));
      else if (pattern.kind === 'exact') exact.add(withoutSlash(pattern.path));
      else regexes.push(pattern.regex);
    }
    this.#prefixes = prefixes;
    this.#exact = exact;
    this.#regexes = regexes;
  }

  judge(request: GuardedRequest): Refusal | null {
    const { path, rawPath } = request;
    if (request.pathProblem !== null || this.#rejects(path, MAX_SUBJECT)) return FORBIDDEN;
    for (const reading of otherReadings(path, rawPath)) {
      if (this.#rejects(reading, MAX_OTHER_READING)) return FORBIDDEN;
    }
    return null;
  }

  #rejects(path: string, maxLength: number): boolean {
    const bare = withoutSlash(path);
    for (const prefix of this.#prefixes) if (isBelow(bare, prefix)) return true;
    if (this.#exact.has(bare)) return true;
    if (this.#regexes.length > 0 && path.length > maxLength) return true;
    for (const regex of this.#regexes) {
      if (regex.test(path) || (bare.length !== path.length && regex.test(bare))) return true;
    }
    return false;
  }
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** By whole segments. */
function isBelow(path: string, prefix: string): boolean {
  return (
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH)
  );
}
