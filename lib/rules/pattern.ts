import type { WorkBudget } from '../base/work-budget.js';
import type { PathPattern, ValuePattern } from '../config/pattern.js';
import type { Regex } from '../config/regex.js';
import { readUtf8 } from '../http/percent.js';

/** A match: the whole of it at 0, followed by its groups. Empty when the expression has no groups. */
export type Captures = readonly (string | undefined)[];

/** Used when no regular expression was run, or it has no groups. */
export const NO_CAPTURES: Captures = Object.freeze([]);

/** Compares a normalised, decoded path with a pattern; null when it does not match. */
export function matchPath(pattern: PathPattern<Regex>, path: string, budget: WorkBudget): Captures | null {
  switch (pattern.kind) {
    case 'exact':
      return path === pattern.path ? NO_CAPTURES : null;
    case 'prefix':
      return hasPrefix(path, pattern.path) ? NO_CAPTURES : null;
    case 'regex':
      return matchRegex(pattern.regex, path, budget);
  }
}

/** The captures of `regex` in `text`; null when it does not match. */
export function matchRegex(regex: Regex, text: string, budget: WorkBudget): Captures | null {
  if (regex.groups === 0) return regex.test(text, budget) ? NO_CAPTURES : null;
  return regex.exec(text, budget);
}

/** Does one of the values match? */
export function matchesAny(
  pattern: ValuePattern<Regex>,
  values: readonly string[],
  budget: WorkBudget,
): boolean {
  if (pattern.kind === 'present') return values.length > 0;
  return values.some((value) => matches(pattern, value, budget));
}

/** The same for values that are bytes (fields, cookies): they are read as UTF-8, the encoding of configurations. */
export function matchesAnyBytes(
  pattern: ValuePattern<Regex>,
  values: readonly string[],
  budget: WorkBudget,
): boolean {
  if (pattern.kind === 'present') return values.length > 0;
  return values.some((value) => matches(pattern, readUtf8(value), budget));
}

function matches(
  pattern: Exclude<ValuePattern<Regex>, { kind: 'present' }>,
  text: string,
  budget: WorkBudget,
): boolean {
  return pattern.kind === 'exact' ? text === pattern.text : pattern.regex.test(text, budget);
}

/** Compares whole segments; `/` is a prefix of every path. */
function hasPrefix(path: string, prefix: string): boolean {
  if (prefix === '/') return true;
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}
