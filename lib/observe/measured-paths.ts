import { WorkBudget } from '../base/work-budget.js';
import { compilePath, type PathPattern } from '../config/pattern.js';
import type { Regex } from '../config/regex.js';
import type { MeasuredPath } from '../config/types.js';
import { normalisePath } from '../http/path.js';
import { matchPath } from '../rules/pattern.js';
import { OTHER_NAME } from './metrics-snapshot.js';

/** Targets whose pattern is remembered; beyond that the memory is cleared. */
const REMEMBERED = 4096;
/** Longer targets are not remembered. */
const LONGEST_REMEMBERED = 256;

interface Candidate {
  readonly label: string;
  readonly pattern: PathPattern<Regex>;
}

/**
 * Finds the path of the settings under which a request is counted (`metrics.paths`), as routes are found: an exact path, then
 * the first regular expression that matches, then the longest prefix. What matches none is counted as `other`.
 */
export class MeasuredPaths {
  /** All that `labelOf` may return. */
  readonly labels: ReadonlySet<string>;
  readonly #candidates: readonly Candidate[];
  readonly #known = new Map<string, string>();
  readonly #budget = new WorkBudget();

  private constructor(paths: readonly MeasuredPath[]) {
    const all = paths.map(({ label, pattern }) => ({ label, pattern: compilePath(pattern) }));
    this.labels = new Set([...paths.map(({ label }) => label), OTHER_NAME]);
    this.#candidates = all.toSorted((one, other) => rankOf(one) - rankOf(other));
  }

  /** null: no paths are measured, and requests are not asked for theirs. */
  static of(paths: readonly MeasuredPath[]): MeasuredPaths | null {
    return paths.length === 0 ? null : new MeasuredPaths(paths);
  }

  /** `target`: as received, with its query. */
  labelOf(target: string): string {
    const query = target.indexOf('?');
    const raw = query === -1 ? target : target.slice(0, query);
    const known = this.#known.get(raw);
    if (known !== undefined) return known;
    const label = this.#find(pathOf(raw));
    if (raw.length > LONGEST_REMEMBERED) return label;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    // A part of the head would keep all of its text in memory.
    this.#known.set(Buffer.from(raw, 'latin1').toString('latin1'), label);
    return label;
  }

  #find(path: string): string {
    this.#budget.renew();
    try {
      for (const { label, pattern } of this.#candidates)
        if (matchPath(pattern, path, this.#budget) !== null) return label;
    } catch {
      // Its regular expressions would take too long.
    }
    return OTHER_NAME;
  }
}

/** Exact paths, regular expressions in their order, then prefixes, the longest first. */
function rankOf({ pattern }: Candidate): number {
  if (pattern.kind === 'exact') return -2;
  return pattern.kind === 'regex' ? -1 : 1 / pattern.path.length;
}

/** `http://host/path` has its path after the host. */
function pathOf(target: string): string {
  const raw = target.startsWith('/') ? target : target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '');
  return normalisePath(raw === '' && target !== '' ? '/' : raw).path;
}
