import type { WorkBudget } from '../base/work-budget.js';
import type { PathPattern } from '../config/pattern.js';
import { compileRegex, type Regex } from '../config/regex.js';
import { type FirewallRefusal, FORBIDDEN, type GuardedRequest, type RequestGuard } from './guard.js';
import { otherReadings } from './path-readings.js';

const SLASH = 0x2f;

/**
 * Refuses paths, however they are spelt: the normal form is compared, and every other reading that a server may have
 * (`path-readings.ts`). A final slash does not count, case does. A path that can be read in several ways is refused as
 * well, because one of them may be a refused path.
 */
export class PathGuard implements RequestGuard {
  readonly name = 'path_reject';
  /** Without the final slash; empty for `/`. */
  readonly #prefixes: readonly string[];
  readonly #exact: ReadonlySet<string>;
  readonly #regexes: readonly Regex[];

  constructor(patterns: readonly PathPattern[]) {
    const prefixes: string[] = [];
    const exact = new Set<string>();
    const regexes: Regex[] = [];
    for (const pattern of patterns) {
      if (pattern.kind === 'prefix') prefixes.push(withoutSlash(pattern.path));
      else if (pattern.kind === 'exact') exact.add(withoutSlash(pattern.path));
      else regexes.push(compileRegex(pattern.regex));
    }
    this.#prefixes = prefixes;
    this.#exact = exact;
    this.#regexes = regexes;
  }

  judge(request: GuardedRequest): FirewallRefusal | null {
    const { path, rawPath, budget } = request;
    if (request.pathProblem !== null || this.#rejects(path, budget)) return FORBIDDEN;
    for (const reading of otherReadings(path, rawPath)) {
      if (this.#rejects(reading, budget)) return FORBIDDEN;
    }
    return null;
  }

  #rejects(path: string, budget: WorkBudget): boolean {
    const bare = withoutSlash(path);
    for (const prefix of this.#prefixes) if (isBelow(bare, prefix)) return true;
    if (this.#exact.has(bare)) return true;
    for (const regex of this.#regexes) {
      if (regex.test(path, budget) || (bare.length !== path.length && regex.test(bare, budget))) return true;
    }
    return false;
  }
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Compares whole segments. */
function isBelow(path: string, prefix: string): boolean {
  return (
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH)
  );
}
