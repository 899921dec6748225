import { readRegularFile } from '../base/regular-file.js';
import { VERSION } from '../base/version.js';
import type { AcmeConfig } from '../config/types/tls.js';
import type { AcmeChallenges } from './acme-challenges.js';
import { AcmeError, type AcmeProblem, type ChallengeOffer, challengeName } from './acme-protocol.js';
import type { RenewalWindow } from './acme-schedule.js';
import type { AcmeListener, PemPair } from './acme-source.js';
import type { AcmeStore, StoredAccount } from './acme-store.js';
import { AcmeThread } from './acme-thread.js';

/** Where and how certificates are ordered: what managers differ in. */
export type AcmeTerms = Omit<AcmeConfig, 'hosts' | 'groups'>;

export interface AcmeOrderingDeps {
  readonly store: AcmeStore;
  readonly challenges: AcmeChallenges;
  readonly onChange: AcmeListener;
}

/** How long the thread is kept after its last work, in ms. */
const REST_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Has certificates issued: with the account of the store, and challenges that are answered here before the authority is asked to
 * look. A thread of its own speaks ACME. What fails rejects with an AcmeError.
 */
export class AcmeOrdering {
  readonly #terms: AcmeTerms;
  readonly #deps: AcmeOrderingDeps;
  #thread: AcmeThread | null = null;
  #restAt = NEVER;
  #account: Promise<StoredAccount> | null = null;
  #stopped = false;
  /** The challenges of other nodes that are answered here. */
  #others: ReadonlyMap<string, ChallengeOffer> = new Map();

  constructor(terms: AcmeTerms, deps: AcmeOrderingDeps) {
    this.#terms = terms;
    this.#deps = deps;
  }

  /** `replaces`: as PEM, the certificate that the new one replaces; null: none. */
  async order(names: readonly string[], replaces: string | null): Promise<PemPair> {
    try {
      return await this.#orderWith(await this.#registered(), names, replaces);
    } catch (error) {
      if (problemOf(error).type !== 'accountDoesNotExist') throw error;
      // The authority has forgotten the account, as test authorities do: the key is registered again.
      return this.#orderWith(await this.#registered(true), names, replaces);
    }
  }

  /** When the authority suggests renewing a certificate (RFC 9773). */
  window(cert: string): Promise<{ readonly window: RenewalWindow | null; readonly retryAfterMs: number }> {
    return this.#work.do({ kind: 'window', cert });
  }

  /** A certificate that clients do not trust, until one is issued. */
  selfSign(names: readonly string[]): Promise<PemPair> {
    return this.#work.do({ kind: 'self_sign', names });
  }

  /** Ends the thread when it has had no work for a while. Called each second while nothing is ordered. */
  rest(now: number): void {
    if (this.#thread === null || this.#thread.isBusy) return;
    if (this.#restAt === NEVER) this.#restAt = now + REST_MS;
    if (this.#restAt > now) return;
    this.#thread.rest();
    // Another one reads the file of `ca` again.
    this.#thread = null;
  }

  /** Answers these challenges, which other nodes have, and no others of them; none once it has stopped. Resolves when listeners do. */
  async answerForOthers(offers: readonly ChallengeOffer[]): Promise<void> {
    const before = this.#others;
    // A look into the store may have been under way when it was stopped.
    const wanted = new Map((this.#stopped ? [] : offers).map((offer) => [challengeName(offer), offer]));
    const gone = [...before].filter(([key]) => !wanted.has(key)).map(([, offer]) => offer);
    const fresh = [...wanted].filter(([key]) => !before.has(key)).map(([, offer]) => offer);
    // Those that are answered already stay the same objects, by which they are removed.
    this.#others = new Map([...wanted].map(([key, offer]) => [key, before.get(key) ?? offer]));
    await Promise.all([this.#unanswer(gone), this.#answer(fresh)]);
  }

  /** Orders that are under way are given up. */
  stop(): void {
    this.#stopped = true;
    this.#thread?.stop();
    void this.answerForOthers([]);
  }

  /** Throws when the file of the authority's own certificate cannot be read. */
  get #work(): AcmeThread {
    this.#restAt = NEVER;
    if (this.#thread === null) {
      const { directory, ca } = this.#terms;
      const pem = ca === null ? null : readRegularFile(ca);
      this.#thread = new AcmeThread({ directory, ca: pem, userAgent: `lb/${VERSION}` });
      if (this.#stopped) this.#thread.stop();
    }
    return this.#thread;
  }

  async #orderWith(
    { key, url }: StoredAccount,
    names: readonly string[],
    replaces: string | null,
  ): Promise<PemPair> {
    const offered: ChallengeOffer[] = [];
    const { challenge } = this.#terms;
    const work = { kind: 'order', account: { key, url }, names, challenge, replaces } as const;
    try {
      return await this.#work.do(work, async (offers) => {
        for (const offer of offers) offered.push(offer);
        await Promise.all([this.#answer(offers), this.#deps.store.publish(offers)]);
      });
    } finally {
      await this.#withdraw(offered);
    }
  }

  async #answer(offers: readonly ChallengeOffer[]): Promise<void> {
    const { challenges, onChange } = this.#deps;
    await Promise.all(offers.map((offer) => challenges.add(offer)));
    if (offers.some(({ pair }) => pair !== null)) await onChange(offers.map(({ host }) => host));
  }

  async #withdraw(offers: readonly ChallengeOffer[]): Promise<void> {
    await this.#unanswer(offers);
    // Where they cannot be withdrawn they are forgotten after a while.
    if (offers.length > 0) await this.#deps.store.withdraw(offers).catch(() => {});
  }

  async #unanswer(offers: readonly ChallengeOffer[]): Promise<void> {
    const { challenges, onChange } = this.#deps;
    for (const offer of offers) challenges.remove(offer);
    const withCertificate = offers.filter(({ pair }) => pair !== null);
    if (withCertificate.length > 0) await onChange(withCertificate.map(({ host }) => host));
  }

  /** The account of the store, or a new one. All orders wait for one registration. */
  #registered(isForgotten = false): Promise<StoredAccount> {
    if (isForgotten) this.#account = null;
    this.#account ??= this.#register(isForgotten).catch((error: unknown) => {
      this.#account = null;
      throw error;
    });
    return this.#account;
  }

  async #register(isForgotten: boolean): Promise<StoredAccount> {
    const { email, externalAccount } = this.#terms;
    const { store } = this.#deps;
    const stored = await store.readAccount();
    if (stored !== null && !isForgotten && stored.email === email) return stored;
    const { key, url } = await this.#work
      .do({ kind: 'register', key: stored?.key ?? null, email, externalAccount })
      .catch((error: unknown) => {
        const { message, retryAfterMs } = problemOf(error);
        // No name can be ordered without an account.
        throw new AcmeError({ type: 'account', message: `no account: ${message}`, retryAfterMs });
      });
    const account = { key, url, email };
    await store.writeAccount(account);
    return account;
  }
}

/** What an error of an order says; any other error counts as one of this program (`internal`). */
export function problemOf(error: unknown): AcmeProblem {
  if (error instanceof AcmeError) return error.problem;
  return { type: 'internal', message: (error as Error).message, retryAfterMs: 0 };
}
