import type { SecureContext } from 'node:tls';
import type { Steps } from '../base/slices.js';
import type { TlsChoice, TlsTerms } from '../net/tls-terms.js';
import type { ContextCache, ListenerContext } from './contexts.js';
import type { PublishedChoice, PublishedTable } from './published-certificates.js';

/** HTTP/1.1 is what clients' connections speak. */
const PROTOCOLS: readonly string[] = ['http/1.1'];
/** RFC 8737. */
export const ACME_PROTOCOL = 'acme-tls/1';

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

export const NO_CERTIFICATES: CertificateTable = {
  exact: new Map(),
  wildcard: new Map(),
  fallback: null,
  onePolicy: '',
};

/** The responses of OCSP responders, by the fingerprint of the certificate; replaced from time to time. */
export type Staples = ReadonlyMap<string, Buffer>;

class CertificateChoice implements TlsChoice {
  readonly clientAuth: TlsChoice['clientAuth'];
  readonly policy: string;
  readonly onlyProtocol: null = null;
  readonly #context: ListenerContext;
  readonly #staple: string | null;
  readonly #staples: Staples;

  constructor({ policy, staple }: PublishedChoice, context: ListenerContext, staples: Staples) {
    this.clientAuth = policy.mode;
    this.policy = policy.id;
    this.#context = context;
    this.#staple = staple;
    this.#staples = staples;
  }

  get context(): SecureContext {
    return this.#context.context;
  }

  get ocsp(): Buffer | null {
    return this.#staple === null ? null : (this.#staples.get(this.#staple) ?? null);
  }
}

/**
 * Terms whose table can be replaced at any time: a handshake uses the table that it found. The cost of a choice does
 * not depend on the number of certificates.
 */
export class LiveTerms implements TlsTerms {
  readonly protocols = PROTOCOLS;
  readonly #challenges: ReadonlyMap<string, TlsChoice>;
  readonly policyOf = (name: string): string =>
    this.#table.onePolicy ?? this.choose(name, PROTOCOLS)?.policy ?? '';
  #table: CertificateTable = NO_CERTIFICATES;
  #version = -1;

  constructor(challenges: ReadonlyMap<string, TlsChoice>) {
    this.#challenges = challenges;
  }

  /** Uses another table from now on, unless the one in force was published later. */
  follow(table: CertificateTable, version: number): void {
    if (version < this.#version) return;
    this.#table = table;
    this.#version = version;
  }

  choose(name: string | null, protocols: readonly string[]): TlsChoice | null {
    const { exact, wildcard, fallback } = this.#table;
    if (name === null) return fallback;
    if (protocols.length === 1 && protocols[0] === ACME_PROTOCOL) {
      const challenge = this.#challenges.get(name);
      if (challenge !== undefined) return challenge;
    }
    const dot = name.indexOf('.');
    return exact.get(name) ?? (dot > 0 ? wildcard.get(name.slice(dot)) : undefined) ?? fallback;
  }
}

/** Names between two pauses. */
const NAMES_A_STEP = 64;

/** Makes the table of one listener for this thread. Contexts are made when they are needed. */
export function* readTable(
  { choices, names, choiceOf, fallback, onePolicy }: PublishedTable,
  contexts: ContextCache,
  staples: Staples,
): Steps<CertificateTable> {
  const made: TlsChoice[] = [];
  for (const [at, choice] of choices.entries()) {
    if (at % NAMES_A_STEP === 0) yield;
    made.push(new CertificateChoice(choice, contexts.of(choice), staples));
  }
  const exact = new Map<string, TlsChoice>();
  const wildcard = new Map<string, TlsChoice>();
  for (const [at, name] of names.entries()) {
    if (at % NAMES_A_STEP === 0) yield;
    const choice = made[choiceOf[at] as number] as TlsChoice;
    if (name.startsWith('*.')) wildcard.set(name.slice(1), choice);
    else exact.set(name, choice);
  }
  const last = fallback === null ? null : (made[fallback] as TlsChoice);
  return { exact, wildcard, fallback: last, onePolicy };
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
