import { createPrivateKey } from 'node:crypto';
import type { AccountKey, ChallengeOffer } from './acme-protocol.js';
import type { AcmeCertificate } from './acme-source.js';

/** What is kept of an account, besides its key. */
export interface StoredAccount extends AccountKey {
  /** The address that the authority was given; null: none. */
  readonly email: string | null;
}

/** Why the last orders of a certificate failed. */
export interface StoredFailure {
  readonly failures: number;
  /** Unix time in ms, as `retryAt`. */
  readonly at: number;
  readonly retryAt: number;
  readonly error: string;
  readonly isRateLimit: boolean;
}

/** held: this one orders. taken: another one does. away: it is not known which one does, so none orders. */
export type OrderLock = 'held' | 'taken' | 'away';

/** The user of a store, as the store sees it. A store that only this process can change calls none of these. */
export interface AcmeStoreUser {
  /** Called for what cannot be understood; the store goes on. */
  warn(message: string): void;
  /** Others have written certificates: those of all names that `concerns` says yes to may be newer. */
  onNews(concerns: (hosts: readonly string[]) => boolean): void;
  /** All challenges that others want answered here. Resolves when listeners answer them. */
  onChallenges(offers: readonly ChallengeOffer[]): Promise<void>;
}

/**
 * What is kept of one authority: the account, the certificates with their keys, why orders failed, and who orders. Several
 * processes may use it. A method rejects when it cannot be done, with a reason for people.
 */
export interface AcmeStore {
  /** Makes it ready; called before anything else, and again before each round of orders. */
  open(): Promise<void>;
  readAccount(): Promise<StoredAccount | null>;
  writeAccount(account: StoredAccount): Promise<void>;
  /** The certificate that was kept for these names. It may lack some of them, if they have changed. */
  readCertificate(hosts: readonly string[]): Promise<AcmeCertificate | null>;
  /** Where several machines write, one that was issued later than this one stays. */
  writeCertificate(hosts: readonly string[], certificate: AcmeCertificate): Promise<void>;
  /** By the first name of the certificate. */
  readFailures(): Promise<Map<string, StoredFailure>>;
  writeFailures(failures: ReadonlyMap<string, StoredFailure>): Promise<void>;
  /** Takes the lock that permits ordering. It is lost when its holder ends, or does not refresh it for long. */
  acquire(): Promise<OrderLock>;
  /** Shows that the holder is alive; called each second while it orders. */
  refresh(): void;
  /** Releases the lock, if it is held. */
  release(): Promise<void>;
  /** Has all others answer these challenges. Resolves when they do, and rejects when the lock was lost meanwhile. */
  publish(offers: readonly ChallengeOffer[]): Promise<void>;
  /** The challenges are over. */
  withdraw(offers: readonly ChallengeOffer[]): Promise<void>;
  /** Final: releases the lock. */
  close(): void;
}

/** Opens the store for an authority, whose account is kept below the folder `store`. */
export type OpenAcmeStore = (
  terms: { readonly store: string; readonly directory: string },
  user: AcmeStoreUser,
) => AcmeStore;

/** Throws when the text is no account. */
export function readAccount(text: string): StoredAccount {
  const { key, url, email } = JSON.parse(text) as { [name: string]: unknown };
  if (typeof key !== 'string' || typeof url !== 'string') throw new Error('it has no key or no url');
  createPrivateKey(key);
  return { key, url, email: typeof email === 'string' ? email : null };
}

/** Throws when the text is not JSON. */
export function readFailures(text: string): Map<string, StoredFailure> {
  const entries = Object.entries(JSON.parse(text) as { [host: string]: StoredFailure });
  return new Map(entries.filter(([, { failures, at, retryAt }]) => failures > 0 && at > 0 && retryAt > 0));
}
