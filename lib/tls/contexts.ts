import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsConfig } from '../config/types.js';
import { textOf } from '../shared/shared-text.js';
import type { ClientPolicy, ContextSource, PublishedPair } from './published-certificates.js';
import type { TicketKeys } from './ticket-keys.js';

const SUITES_13 = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
/** Forward secrecy and authenticated encryption: what every client of the last ten years can do. */
const SUITES_12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Without SHA-1, which OpenSSL still offers in TLS 1.2. */
const SIGNATURES = [
  'ecdsa_secp256r1_sha256',
  'ed25519',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pss_pss_sha256',
  'rsa_pss_pss_sha384',
  'rsa_pss_pss_sha512',
  'RSA+SHA256',
  'RSA+SHA384',
  'RSA+SHA512',
].join(':');

/**
 * Without the finite fields that OpenSSL offers as well: a client has us compute in them at next to no cost of its own
 * (CVE-2022-40735). Versions of Node from 24 on know the first, which withstands quantum computers.
 */
const GROUPS = ['X25519MLKEM768:X25519:P-256:P-384', 'X25519:P-256:P-384'] as const;

let knownGroups: string | undefined;

function groups(): string {
  knownGroups ??= GROUPS.find(isKnown) ?? 'auto';
  return knownGroups;
}

function isKnown(ecdhCurve: string): boolean {
  try {
    createSecureContext({ ecdhCurve, ca: [] });
    return true;
  } catch {
    return false;
  }
}

/** Our order counts, but a client that prefers ChaCha20 has no AES in hardware. */
const OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION |
  constants.SSL_OP_NO_COMPRESSION |
  constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
  (constants as unknown as { readonly SSL_OP_PRIORITIZE_CHACHA: number }).SSL_OP_PRIORITIZE_CHACHA;

/** How long a session may be resumed, in s: tickets are not read for longer. */
const SESSION_LIFE = 7200;
/** Where clients show certificates, which may expire meanwhile: a resumed session is not verified again. */
const VERIFIED_SESSION_LIFE = 300;

/** What contexts depend on besides certificates and what is asked of clients. */
export type ContextTerms = Pick<TlsConfig, 'minVersion' | 'ciphers'>;

/** What a context is made from that shows one of `pairs`, by the kinds of keys that the client can verify. */
export function contextSource(
  pairs: readonly PublishedPair[],
  { minVersion, ciphers }: ContextTerms,
  policy: ClientPolicy,
): ContextSource {
  const shown = pairs.map(({ fingerprints }) => fingerprints);
  const key = JSON.stringify([minVersion, ciphers, policy.id, shown]);
  return { key, pairs, minVersion, ciphers, policy };
}

function makeContext(source: ContextSource, tickets: TicketKeys): SecureContext {
  const { pairs, minVersion, ciphers, policy } = source;
  const { mode, id, ca, crl } = policy;
  const options: SecureContextOptions = {
    cert: pairs.map(({ certPem }) => textOf(certPem)),
    key: pairs.map(({ keyPem }) => textOf(keyPem)),
    minVersion,
    maxVersion: 'TLSv1.3',
    ciphers: cipherList(ciphers),
    sigalgs: SIGNATURES,
    ecdhCurve: groups(),
    secureOptions: OPTIONS,
    // A session begun under one policy is never resumed under another.
    sessionIdContext: id,
    sessionTimeout: mode === 'none' ? SESSION_LIFE : VERIFIED_SESSION_LIFE,
    // An empty list spares each context the authorities of the system, of which a server has no use.
    ca: ca.map(textOf),
    ...(crl.length === 0 ? {} : { crl: crl.map(textOf) }),
  };
  const context = createSecureContext(options);
  tickets.attach(context);
  return context;
}

/**
 * A context that is made when a handshake needs it first: one takes 0.3 to 0.9 ms and 25 to 35 KiB, and of a thousand names
 * a thread may meet few.
 */
export class ListenerContext {
  readonly source: ContextSource;
  readonly #tickets: TicketKeys;
  #made: SecureContext | null = null;
  #isProven = false;

  constructor(source: ContextSource, tickets: TicketKeys) {
    this.source = source;
    this.#tickets = tickets;
  }

  /** Throws OpenSSL's error when it refuses the certificates, which `prove` rules out. */
  get context(): SecureContext {
    this.#made ??= makeContext(this.source, this.#tickets);
    return this.#made;
  }

  /** Throws OpenSSL's error when it refuses the certificates. `keeps`: the context is used in this thread afterwards. */
  prove(keeps: boolean): void {
    if (this.#isProven) return;
    if (keeps) this.#made ??= makeContext(this.source, this.#tickets);
    else makeContext(this.source, this.#tickets);
    this.#isProven = true;
  }
}

/** The contexts of one load, with those of the load before that are the same. */
export class ContextCache {
  readonly #before: ReadonlyMap<string, ListenerContext>;
  readonly #tickets: TicketKeys;
  /** Those that were asked for, by what they depend on. */
  readonly used = new Map<string, ListenerContext>();

  constructor(before: ReadonlyMap<string, ListenerContext>, tickets: TicketKeys) {
    this.#before = before;
    this.#tickets = tickets;
  }

  of(source: ContextSource): ListenerContext {
    const { key } = source;
    const context = this.used.get(key) ?? this.#before.get(key) ?? new ListenerContext(source, this.#tickets);
    this.used.set(key, context);
    return context;
  }
}

/** The suites of TLS 1.3 are in force unless the list names some. */
function cipherList(ciphers: string | null): string {
  if (ciphers === null) return `${SUITES_13}:${SUITES_12}`;
  return /(^|:)TLS_/.test(ciphers) ? ciphers : `${SUITES_13}:${ciphers}`;
}

/** OpenSSL's reason for refusing a certificate, in words. */
export function opensslTrouble(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ERR_SSL_EE_KEY_TOO_SMALL: 'its key is too small for this version of OpenSSL',
    ERR_SSL_CA_KEY_TOO_SMALL: 'the key of an authority in its chain is too small for this version of OpenSSL',
    ERR_SSL_CA_MD_TOO_WEAK: 'it is signed with a hash that this version of OpenSSL refuses',
    ERR_SSL_EE_MD_TOO_WEAK: 'it is signed with a hash that this version of OpenSSL refuses',
  };
  return known[code] ?? message;
}
