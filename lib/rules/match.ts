import { AddressSet } from '../base/address-set.js';
import type { FieldMatch, MatchConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { bestLanguage } from './language.js';
import { type Captures, matchesAny, matchesAnyBytes, matchPath, NO_CAPTURES } from './pattern.js';

/** Which condition a request does not meet; null when it meets them all. */
export type Unmet =
  | 'method'
  | 'path'
  | 'header'
  | 'param'
  | 'cookie'
  | 'client_ip'
  | 'peer_ip'
  | 'scheme'
  | 'not'
  | 'any'
  | null;

/** The conditions of one route, the language apart: that one is decided among siblings. */
export class Conditions {
  readonly #match: MatchConfig;
  readonly #clientIps: AddressSet | null;
  readonly #peerIps: AddressSet | null;
  readonly #not: Conditions | null;
  readonly #any: readonly Conditions[];
  /** In lower case; empty when the language does not matter. */
  readonly languages: readonly string[];

  constructor(match: MatchConfig) {
    this.#match = match;
    this.#clientIps = addressesOf(match.clientIps);
    this.#peerIps = addressesOf(match.peerIps);
    this.#not = match.not === null ? null : new Conditions(match.not);
    this.#any = match.any.map((inner) => new Conditions(inner));
    this.languages = match.languages.map((language) => language.toLowerCase());
  }

  /** The first condition that is not met: cheap ones are asked first. */
  unmet(view: RequestView): Unmet {
    const { methods, schemes, path, headers, params, cookies } = this.#match;
    if (methods.length > 0 && !methods.includes(view.method)) return 'method';
    if (path !== null && matchPath(path, view.path, view.budget) === null) return 'path';
    if (!headers.every((field) => hasHeader(view, field))) return 'header';
    if (!params.every((field) => hasParam(view, field))) return 'param';
    if (!cookies.every((field) => hasCookie(view, field))) return 'cookie';
    if (this.#clientIps !== null && !this.#clientIps.has(view.clientAddress)) return 'client_ip';
    if (this.#peerIps !== null && !this.#peerIps.has(view.peerAddress)) return 'peer_ip';
    if (schemes.length > 0 && !schemes.includes(view.scheme)) return 'scheme';
    if (this.#not !== null && this.#not.unmet(view) === null) return 'not';
    if (this.#any.length > 0 && !this.#any.some((one) => one.unmet(view) === null)) return 'any';
    return null;
  }

  /** The groups that the path's regular expression found, of a request that meets the conditions. */
  captures(view: RequestView): Captures {
    const { path } = this.#match;
    return path?.kind === 'regex' ? (matchPath(path, view.path, view.budget) ?? NO_CAPTURES) : NO_CAPTURES;
  }
}

function addressesOf(networks: MatchConfig['clientIps']): AddressSet | null {
  return networks.length === 0 ? null : new AddressSet(networks.map(({ text }) => text));
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
