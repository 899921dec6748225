import { AddressSet } from '../base/address-set.js';
import type { FieldMatch, MatchConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { bestLanguage } from './language.js';
import { type Captures, matchesAny, matchesAnyBytes, matchPath, NO_CAPTURES } from './pattern.js';

/** Which condition a request does not meet; null when it meets them all. */
export type Unmet = 'method' | 'path' | 'header' | 'param' | 'cookie' | 'client_ip' | null;

/** The conditions of one route, the language apart: that one is decided among siblings. */
export class Conditions {
  readonly #match: MatchConfig;
  readonly #clientIps: AddressSet | null;
  /** In lower case; empty when the language does not matter. */
  readonly languages: readonly string[];

  constructor(match: MatchConfig) {
    this.#match = match;
    this.#clientIps =
      match.clientIps.length > 0 ? new AddressSet(match.clientIps.map(({ text }) => text)) : null;
    this.languages = match.languages.map((language) => language.toLowerCase());
  }

  /** The first condition that is not met: cheap ones are asked first. */
  unmet(view: RequestView): Unmet {
    const { methods, path, headers, params, cookies } = this.#match;
    if (methods.length > 0 && !methods.includes(view.method)) return 'method';
    if (path !== null && matchPath(path, view.path, view.budget) === null) return 'path';
    if (!headers.every((field) => hasHeader(view, field))) return 'header';
    if (!params.every((field) => hasParam(view, field))) return 'param';
    if (!cookies.every((field) => hasCookie(view, field))) return 'cookie';
    if (this.#clientIps !== null && !this.#clientIps.has(view.clientAddress)) return 'client_ip';
    return null;
  }

  /** The groups that the path's regular expression found, of a request that meets the conditions. */
  captures(view: RequestView): Captures {
    const { path } = this.#match;
    return path?.kind === 'regex' ? (matchPath(path, view.path, view.budget) ?? NO_CAPTURES) : NO_CAPTURES;
  }
}

/**
 * The first of several routes whose conditions a request meets: its index, or -1. A route with languages asks that
 * one of them be what suits the client best among the languages of all routes that it could get otherwise, and `own`:
 * those of what is served where no route asks for a language, in lower case; empty when nobody said so.
 */
export function firstMet(
  routes: readonly Conditions[],
  view: RequestView,
  own: readonly string[] = [],
): number {
  let best: string | null | undefined;
  for (let i = 0; i < routes.length; i++) {
    const conditions = routes[i] as Conditions;
    if (conditions.unmet(view) !== null) continue;
    if (conditions.languages.length === 0) return i;
    if (best === undefined) best = bestAmong(routes, view, own);
    if (best !== null && conditions.languages.includes(best)) return i;
  }
  return -1;
}

function bestAmong(routes: readonly Conditions[], view: RequestView, own: readonly string[]): string | null {
  const accepted = view.header('accept-language');
  if (accepted.length === 0) return null;
  const eligible = routes.filter(({ languages }) => languages.length > 0);
  const languages = eligible
    .filter((route) => route.unmet(view) === null)
    .flatMap((route) => route.languages);
  return bestLanguage(accepted, languages, own);
}

function hasHeader(view: RequestView, { name, value }: FieldMatch): boolean {
  return matchesAnyBytes(value, view.spellings(name), view.budget);
}

function hasParam(view: RequestView, { name, value }: FieldMatch): boolean {
  return matchesAny(value, view.param(name), view.budget);
}

function hasCookie(view: RequestView, { name, value }: FieldMatch): boolean {
  return matchesAnyBytes(value, view.cookie(name), view.budget);
}
