import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsConfig } from '../config/types.js';
import type { ClientPolicy } from './client-policy.js';
import type { KeyPair } from './key-pair.js';
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

/** Makes a context that shows one of `pairs`, by the kinds of keys that the client can verify. */
function makeContext(
  pairs: readonly KeyPair[],
  { minVersion, ciphers }: ContextTerms,
  { mode, id, ca, crl }: ClientPolicy,
  tickets: TicketKeys,
): SecureContext {
  const options: SecureContextOptions = {
    cert: pairs.map(({ certPem }) => certPem),
    key: pairs.map(({ keyPem }) => keyPem),
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
    ca: [...ca],
    ...(crl.length === 0 ? {} : { crl: [...crl] }),
  };
  const context = createSecureContext(options);
  tickets.attach(context);
  return context;
}

/** Contexts cost up to a millisecond each, so a reload makes only those that are new. */
export class ContextCache {
  readonly #before: ReadonlyMap<string, SecureContext>;
  readonly #tickets: TicketKeys;
  /** Those that were asked for, by what they depend on. */
  readonly used = new Map<string, SecureContext>();

  constructor(before: ReadonlyMap<string, SecureContext>, tickets: TicketKeys) {
    this.#before = before;
    this.#tickets = tickets;
  }

  /** The context for `pairs`; throws OpenSSL's error when it refuses them. */
  get(pairs: readonly KeyPair[], terms: ContextTerms, policy: ClientPolicy): SecureContext {
    const { minVersion, ciphers } = terms;
    const shown = pairs.map(({ leaf, chain }) => [leaf, ...chain].map(({ facts }) => facts.fingerprint));
    const key = JSON.stringify([minVersion, ciphers, policy.id, shown]);
    const context =
      this.used.get(key) ?? this.#before.get(key) ?? makeContext(pairs, terms, policy, this.#tickets);
    this.used.set(key, context);
    return context;
  }
}

/** The suites of TLS 1.3 are in force unless the list names some. */
function cipherList(ciphers: string | null): string {
  if (ciphers === null) return `${SUITES_13}:${SUITES_12}`;
  return /(^|:)TLS_/.test(ciphers) ? ciphers : `${SUITES_13}:${ciphers}`;
}
