import type { SecureContext } from 'node:tls';
import type { Steps } from '../base/slices.js';
import type { TlsConfig } from '../config/types.js';
import type { TlsChoice, TlsTerms } from '../net/tls-terms.js';
import type { ClientPolicy } from './client-policy.js';
import type { ContextCache } from './contexts.js';
import { isSameFamily, type KeyPair } from './key-pair.js';

/** HTTP/1.1 is what clients' connections speak. */
const PROTOCOLS: readonly string[] = ['http/1.1'];
/** RFC 8737. */
export const ACME_PROTOCOL = 'acme-tls/1';

/** A certificate of a listener, and what it asks of clients. */
export interface OfferedPair {
  readonly pair: KeyPair;
  readonly policy: ClientPolicy;
}

/** The response of an OCSP responder, which is replaced from time to time. */
export interface Staple {
  readonly response: Buffer | null;
}

/** What tables are made with. */
export interface TableDeps {
  readonly contexts: ContextCache;
  readonly stapleFor: (pair: KeyPair) => Staple | null;
}

/** The certificates of a listener by the names that they cover. */
export interface CertificateTable {
  readonly exact: ReadonlyMap<string, TlsChoice>;
  /** By what follows the star: `.example.com`. */
  readonly wildcard: ReadonlyMap<string, TlsChoice>;
  /** null: an unknown name is refused. */
  readonly fallback: TlsChoice | null;
  /** What is asked of the clients of all names; null when that depends on the name. */
  readonly onePolicy: string | null;
}

class CertificateChoice implements TlsChoice {
  readonly context: SecureContext;
  readonly clientAuth: TlsChoice['clientAuth'];
  readonly policy: string;
  readonly onlyProtocol: null = null;
  readonly #staple: Staple | null;

  constructor(context: SecureContext, { mode, id }: ClientPolicy, staple: Staple | null) {
    this.context = context;
    this.clientAuth = mode;
    this.policy = id;
    this.#staple = staple;
  }

  get ocsp(): Buffer | null {
    return this.#staple?.response ?? null;
  }
}

/**
 * Terms whose table can be replaced at any time: a handshake goes by the table that it found. The cost of a choice does
 * not depend on the number of certificates.
 */
export class LiveTerms implements TlsTerms {
  readonly protocols = PROTOCOLS;
  readonly #challenges: ReadonlyMap<string, TlsChoice>;
  readonly policyOf = (name: string): string =>
    this.table.onePolicy ?? this.choose(name, PROTOCOLS)?.policy ?? '';
  table: CertificateTable;

  constructor(table: CertificateTable, challenges: ReadonlyMap<string, TlsChoice>) {
    this.table = table;
    this.#challenges = challenges;
  }

  choose(name: string | null, protocols: readonly string[]): TlsChoice | null {
    const { exact, wildcard, fallback } = this.table;
    if (name === null) return fallback;
    if (protocols.length === 1 && protocols[0] === ACME_PROTOCOL) {
      const challenge = this.#challenges.get(name);
      if (challenge !== undefined) return challenge;
    }
    const dot = name.indexOf('.');
    return exact.get(name) ?? (dot > 0 ? wildcard.get(name.slice(dot)) : undefined) ?? fallback;
  }
}

/** Makes the table of one listener. Throws OpenSSL's error when it refuses a certificate. */
export function* buildTable(
  config: TlsConfig,
  offered: readonly OfferedPair[],
  deps: TableDeps,
): Steps<CertificateTable> {
  const make = new ChoiceMaker(config, deps);
  const byName = pairsByName(offered);
  const exact = new Map<string, TlsChoice>();
  const wildcard = new Map<string, TlsChoice>();
  for (const [name, pairs] of byName) {
    yield;
    const choice = make.choice(pairs);
    if (name.startsWith('*.')) wildcard.set(name.slice(1), choice);
    else exact.set(name, choice);
  }
  const [first] = offered;
  yield;
  const fallback = first === undefined || config.strictSni ? null : make.choice(besideFirst(first, byName));
  const { id = '' } = first?.policy ?? {};
  const onePolicy = offered.every(({ policy }) => policy.id === id) ? id : null;
  return { exact, wildcard, fallback, onePolicy };
}

/** Of an unknown name: the first certificate, with those that its first name is served with. */
function besideFirst(first: OfferedPair, byName: ReadonlyMap<string, OfferedPair[]>): readonly OfferedPair[] {
  const beside = byName.get(first.pair.leaf.facts.names[0] ?? '');
  return beside?.[0] === first ? beside : [first];
}

/** For each name the first certificate that covers it, and those with other kinds of keys that ask the same of clients. */
function pairsByName(offered: readonly OfferedPair[]): Map<string, OfferedPair[]> {
  const byName = new Map<string, OfferedPair[]>();
  for (const one of offered)
    for (const name of one.pair.leaf.facts.names) {
      const others = byName.get(name);
      if (others === undefined) byName.set(name, [one]);
      else if (goesBeside(one, others)) others.push(one);
    }
  return byName;
}

/** A response of OCSP is for one certificate, and which of several is shown OpenSSL decides too late for it. */
function goesBeside(one: OfferedPair, others: readonly OfferedPair[]): boolean {
  return others.every(
    (other) =>
      other.policy.id === one.policy.id &&
      !isSameFamily(other.pair, one.pair) &&
      !other.pair.leaf.mustStaple &&
      !one.pair.leaf.mustStaple,
  );
}

/** Makes each choice once, however many names it is for. */
class ChoiceMaker {
  readonly #config: TlsConfig;
  readonly #deps: TableDeps;
  readonly #choices = new Map<SecureContext, TlsChoice>();

  constructor(config: TlsConfig, deps: TableDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  choice(offered: readonly OfferedPair[]): TlsChoice {
    const { policy, pair } = offered[0] as OfferedPair;
    const { contexts, stapleFor } = this.#deps;
    const pairs = offered.map((one) => one.pair);
    const context = contexts.get(pairs, this.#config, policy);
    const known = this.#choices.get(context);
    if (known !== undefined) return known;
    const choice = new CertificateChoice(context, policy, stapleFor(pair));
    this.#choices.set(context, choice);
    return choice;
  }
}

/** The answer to a challenge of ACME (RFC 8737): a certificate that is shown to the authority alone. */
export class ChallengeChoice implements TlsChoice {
  readonly context: SecureContext;
  readonly clientAuth = 'none';
  readonly policy = 'challenge';
  readonly ocsp = null;
  readonly onlyProtocol = ACME_PROTOCOL;

  constructor(context: SecureContext) {
    this.context = context;
  }
}
