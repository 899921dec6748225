import { AddressSet } from '../base/address-set.js';
import type { ClientCertificate } from '../base/transport-info.js';
import { compilePath, compileValue, type PathPattern, type ValuePattern } from '../config/pattern.js';
import type { Regex } from '../config/regex.js';
import type { ClientCertFact, ClientCertMatch, FieldMatch, HostName, MatchConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { bestLanguage } from './language.js';
import { type Captures, matchesAny, matchesAnyBytes, matchPath, NO_CAPTURES } from './pattern.js';

/** The condition that a request does not meet; null when it meets all. */
export type Unmet =
  | 'method'
  | 'path'
  | 'header'
  | 'param'
  | 'cookie'
  | 'client_ip'
  | 'peer_ip'
  | 'scheme'
  | 'sni'
  | 'client_cert'
  | 'not'
  | 'any'
  | null;

/** A field, parameter or cookie and its value, ready to be compared. */
interface FieldTest {
  readonly name: string;
  readonly value: ValuePattern<Regex>;
}

/** The conditions of one route except the language, which is decided among sibling routes. */
export class Conditions {
  readonly #methods: readonly string[];
  readonly #schemes: readonly string[];
  readonly #snis: readonly HostName[];
  readonly #certificate: CertificateTest | null;
  readonly #path: PathPattern<Regex> | null;
  readonly #headers: readonly FieldTest[];
  readonly #params: readonly FieldTest[];
  readonly #cookies: readonly FieldTest[];
  readonly #clientIps: AddressSet | null;
  readonly #peerIps: AddressSet | null;
  readonly #not: Conditions | null;
  readonly #any: readonly Conditions[];
  /** In lower case; empty when there is no condition on the language. */
  readonly languages: readonly string[];

  constructor(match: MatchConfig) {
    this.#methods = match.methods;
    this.#schemes = match.schemes;
    this.#snis = match.snis;
    this.#certificate = match.clientCert === null ? null : new CertificateTest(match.clientCert);
    this.#path = match.path === null ? null : compilePath(match.path);
    this.#headers = match.headers.map(testOf);
    this.#params = match.params.map(testOf);
    this.#cookies = match.cookies.map(testOf);
    this.#clientIps = addressesOf(match.clientIps);
    this.#peerIps = addressesOf(match.peerIps);
    this.#not = match.not === null ? null : new Conditions(match.not);
    this.#any = match.any.map((inner) => new Conditions(inner));
    this.languages = match.languages.map((language) => language.toLowerCase());
  }

  /** The first condition that is not met: cheap ones are checked first. */
  unmet(view: RequestView): Unmet {
    const path = this.#path;
    if (this.#methods.length > 0 && !this.#methods.includes(view.method)) return 'method';
    if (path !== null && matchPath(path, view.path, view.budget) === null) return 'path';
    if (!this.#headers.every((field) => hasHeader(view, field))) return 'header';
    if (!this.#params.every((field) => hasParam(view, field))) return 'param';
    if (!this.#cookies.every((field) => hasCookie(view, field))) return 'cookie';
    if (this.#clientIps !== null && !this.#clientIps.has(view.clientAddress)) return 'client_ip';
    if (this.#peerIps !== null && !this.#peerIps.has(view.peerAddress)) return 'peer_ip';
    if (this.#schemes.length > 0 && !this.#schemes.includes(view.scheme)) return 'scheme';
    if (this.#snis.length > 0 && !isOneOf(view.transport.sni, this.#snis)) return 'sni';
    if (this.#certificate !== null && !this.#certificate.isMet(view)) return 'client_cert';
    if (this.#not !== null && this.#not.unmet(view) === null) return 'not';
    if (this.#any.length > 0 && !this.#any.some((one) => one.unmet(view) === null)) return 'any';
    return null;
  }

  /** The groups of the path's regular expression, for a request that meets the conditions. */
  captures(view: RequestView): Captures {
    const path = this.#path;
    return path?.kind === 'regex' ? (matchPath(path, view.path, view.budget) ?? NO_CAPTURES) : NO_CAPTURES;
  }
}

/** Is the name (lower case) one of these, or below one with a star? */
function isOneOf(name: string | null, names: readonly HostName[]): boolean {
  if (name === null) return false;
  return names.some((one) => (one.kind === 'exact' ? one.name === name : name.endsWith(one.suffix)));
}

/** What is asked of the certificate that a client showed. */
class CertificateTest {
  readonly #valid: boolean;
  readonly #facts: readonly { readonly name: ClientCertFact; readonly value: ValuePattern<Regex> }[];

  constructor({ valid, facts }: ClientCertMatch) {
    this.#valid = valid;
    this.#facts = facts.map(({ name, value }) => ({ name, value: compileValue(value) }));
  }

  isMet({ clientCertificate: certificate, budget }: RequestView): boolean {
    if (certificate === null || certificate.error !== '') return !this.#valid;
    return (
      this.#valid &&
      this.#facts.every(({ name, value }) => matchesAny(value, factsOf(certificate, name), budget))
    );
  }
}

function factsOf(certificate: ClientCertificate, name: ClientCertFact): readonly string[] {
  return name === 'name' ? certificate.names : [certificate[name]];
}

function testOf({ name, value }: FieldMatch): FieldTest {
  return { name, value: compileValue(value) };
}

function addressesOf(networks: MatchConfig['clientIps']): AddressSet | null {
  return networks.length === 0 ? null : new AddressSet(networks.map(({ text }) => text));
}

/**
 * The index of the first route whose conditions a request meets, or -1. A route with languages requires that one of
 * them fits the client best among the languages of all other routes that it could take, and `own`: the languages, in
 * lower case, of what is served when no route asks for a language; empty when not set.
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

function hasHeader(view: RequestView, { name, value }: FieldTest): boolean {
  return matchesAnyBytes(value, view.spellings(name), view.budget);
}

function hasParam(view: RequestView, { name, value }: FieldTest): boolean {
  return matchesAny(value, view.param(name), view.budget);
}

function hasCookie(view: RequestView, { name, value }: FieldTest): boolean {
  return matchesAnyBytes(value, view.cookie(name), view.budget);
}
