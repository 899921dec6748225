import { covers } from './match.js';
import { coversPath, type PathPattern } from './pattern.js';
import { regexText } from './regex.js';
import type { Report } from './report.js';
import type { Path } from './tree.js';
import type { MatchConfig } from './types.js';

/** A route or path that a request may take, and where it is written. */
export interface Candidate {
  readonly match: MatchConfig;
  readonly at: Path;
  /** Is it answered with a redirect or a fixed response? */
  readonly answersItself: boolean;
}

const ANYTHING: MatchConfig = {
  path: null,
  methods: [],
  headers: [],
  params: [],
  cookies: [],
  languages: [],
  clientIps: [],
  peerIps: [],
  schemes: [],
  snis: [],
  clientCert: null,
  not: null,
  any: [],
};

/** The conditions of an entry of `paths:`. */
export function matchOfPath(path: PathPattern): MatchConfig {
  return { ...ANYTHING, path };
}

/**
 * Reports what no request can reach: a route after one that matches everything it matches, a path after such a route or
 * given twice, and the action of the scope (at `fallback`, if it is written) when no request is left for it.
 */
export function checkReach(
  routes: readonly Candidate[],
  paths: readonly Candidate[],
  fallback: Path | undefined,
  report: Report,
): void {
  for (const [index, route] of routes.entries()) tellShadow(route, routes.slice(0, index), 'match', report);
  const seen = new Map<string, Path>();
  for (const entry of paths) {
    const key = keyOf(entry.match.path);
    const first = seen.get(key);
    if (first)
      report.repeated([...entry.at, 'path'], 'this path is given twice, first in', [...first, 'path']);
    else if (!tellShadow(entry, routes, 'path', report)) seen.set(key, entry.at);
  }
  const all = [...routes, ...paths].find(({ match }) => covers(match, ANYTHING));
  const allPaths = paths.find(({ match }) => match.path?.kind === 'regex' && covers(match, ANYTHING));
  for (const entry of allPaths ? paths : []) {
    if (allPaths && entry.match.path?.kind === 'prefix') tellShadow(entry, [allPaths], 'path', report);
  }
  if (all && fallback) tellUnreached(fallback, 'never reached: everything is taken by', all, report);
}

/** Reports routes inside a path that match another path. */
export function checkInside(outer: PathPattern, routes: readonly Candidate[], report: Report): void {
  if (outer.kind === 'regex') return;
  for (const { match, at } of routes) {
    if (match.path === null || match.path.kind === 'regex') continue;
    if (coversPath(outer, match.path) || coversPath(match.path, outer)) continue;
    const message = `never reached: only requests for ${outer.path} get here`;
    report.problem([...at, 'match', 'path'], message, 'The path is compared before its prefix is stripped.');
  }
}

function tellShadow(entry: Candidate, earlier: readonly Candidate[], key: string, report: Report): boolean {
  const shadow = earlier.find(({ match }) => covers(match, entry.match));
  if (shadow) tellUnreached([...entry.at, key], 'never reached: all it matches is taken by', shadow, report);
  return shadow !== undefined;
}

/** A fixed response or redirect for everything is how a site is closed for maintenance, so this is only a warning. */
function tellUnreached(path: Path, message: string, by: Candidate, report: Report): void {
  if (by.answersItself && covers(by.match, ANYTHING)) report.repeatedWarning(path, message, by.at);
  else report.repeated(path, message, by.at);
}

function keyOf(pattern: PathPattern | null): string {
  return pattern?.kind === 'regex'
    ? `regex ${regexText(pattern.regex)}`
    : `${pattern?.kind} ${pattern?.path}`;
}
