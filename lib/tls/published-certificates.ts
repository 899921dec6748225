import { createHash } from 'node:crypto';
import type { TlsConfig } from '../config/types.js';
import type { SharedText } from '../shared/shared-text.js';
import type { PemPair } from './acme-source.js';

/**
 * What the control plane has read, ordered and judged, as plain data: any thread that listens makes OpenSSL's contexts of
 * it, which cannot be posted. Objects and arrays alone, so that `base/object-graph.ts` can post it in chunks; the texts lie
 * in memory that all threads share.
 */
export interface PublishedCertificates {
  /** A later one has a higher number. */
  readonly version: number;
  /** One for each `TlsConfig` of the configuration. */
  readonly tables: readonly PublishedTable[];
}

/** Which certificates a listener shows for which name. */
export interface PublishedTable {
  /** `tlsConfigKey` of the terms that it is for. */
  readonly config: string;
  readonly choices: readonly PublishedChoice[];
  /** All names, in lower case; wildcards begin with `*.`. */
  readonly names: readonly string[];
  /** For each name the number of its choice. */
  readonly choiceOf: readonly number[];
  /** The choice for all other names; null: they are refused. */
  readonly fallback: number | null;
  /** What is asked of the clients of all names; null when that depends on the name. */
  readonly onePolicy: string | null;
}

/** All that a context of OpenSSL is made from. */
export interface ContextSource {
  /** The same for equal contexts. */
  readonly key: string;
  /** The client gets the one whose kind of key it can verify. */
  readonly pairs: readonly PublishedPair[];
  readonly minVersion: TlsConfig['minVersion'];
  readonly ciphers: string | null;
  readonly policy: ClientPolicy;
}

export interface PublishedChoice extends ContextSource {
  /** The fingerprint under which OCSP responses for it come; null: none are stapled. */
  readonly staple: string | null;
}

/** What a handshake needs of a certificate and its key. */
export interface PublishedPair {
  /** What a handshake sends: the certificate, then those that lead to its authority. */
  readonly certPem: SharedText;
  readonly keyPem: SharedText;
  /** Of the same certificates, commas between. */
  readonly fingerprints: string;
}

/** What is asked of the certificates of clients. */
export interface ClientPolicy {
  readonly mode: 'none' | 'request' | 'require';
  /**
   * The same for all that ask the same. It depends on the content of the files: after a change of the authorities or of
   * the revoked certificates, no session from before is resumed.
   */
  readonly id: string;
  /** Certificates of authorities, in PEM. */
  readonly ca: readonly SharedText[];
  /** Revocation lists, in PEM. */
  readonly crl: readonly SharedText[];
}

export const NO_CLIENT_POLICY: ClientPolicy = { mode: 'none', id: 'none', ca: [], crl: [] };

/** A key of session tickets; each part has 16 bytes. */
export interface TicketKey {
  readonly name: Uint8Array;
  readonly hmac: Uint8Array;
  readonly aes: Uint8Array;
}

/** Where an authority asks for the answer to http-01 (RFC 8555, 8.3). */
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';

/** The answer to an open challenge of http-01. */
export interface ChallengeToken {
  readonly token: string;
  readonly answer: string;
}

/** What is small enough to be put in force at once. */
export type SmallNews =
  | { readonly kind: 'ticket_keys'; readonly keys: readonly TicketKey[] }
  /** The OCSP response for a certificate; null: there is none any more. */
  | { readonly kind: 'staple'; readonly fingerprint: string; readonly response: Uint8Array | null }
  /** All challenges of http-01 that are open. */
  | { readonly kind: 'tokens'; readonly tokens: readonly ChallengeToken[] }
  /** What proves a host by tls-alpn-01; null: nothing any more. */
  | { readonly kind: 'challenge'; readonly host: string; readonly pair: PemPair | null };

/** What has changed: told to every thread that listens, in this order. `certificates`: others for the listeners that are there. */
export type CertificateNews =
  | { readonly kind: 'certificates'; readonly published: PublishedCertificates }
  | SmallNews;

/** What a thread that begins to listen is told besides the certificates. */
export interface CertificateStart {
  /** Newest first: the next one, then the one in use. */
  readonly ticketKeys: readonly TicketKey[];
  /** Staples and open challenges. */
  readonly news: readonly SmallNews[];
}

/** All of it. */
export interface CertificateState extends CertificateStart {
  readonly published: PublishedCertificates;
}

/** Tells all threads that listen; resolves when new handshakes in all of them use it. Does not reject. */
export type CertificateAudience = (news: CertificateNews) => Promise<void>;

const keys = new WeakMap<TlsConfig, string>();

/** Names terms by their content: in each thread the configuration is a copy with objects of its own. */
export function tlsConfigKey(config: TlsConfig): string {
  let key = keys.get(config);
  if (key === undefined) {
    key = createHash('sha256').update(JSON.stringify(config)).digest('hex');
    keys.set(config, key);
  }
  return key;
}
