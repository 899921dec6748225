import { inSlices, type Steps } from '../base/slices.js';
import type { TlsConfig } from '../config/types.js';
import type { TlsChoice, TlsTerms } from '../net/tls-terms.js';
import { sharedText } from '../shared/shared-text.js';
import type { PemPair } from './acme-source.js';
import { ContextCache, contextSource, ListenerContext } from './contexts.js';
import {
  type CertificateNews,
  CHALLENGE_PATH,
  type ChallengeToken,
  NO_CLIENT_POLICY,
  type PublishedCertificates,
  type SmallNews,
  type TicketKey,
  tlsConfigKey,
} from './published-certificates.js';
import { type CertificateTable, ChallengeChoice, LiveTerms, readTable } from './terms.js';
import { TicketKeys } from './ticket-keys.js';

/** What a request for a path is answered; null: it is no open challenge. */
export type ChallengeAnswer = (path: string) => string | null;

/** Tables of this thread, ready to be put in force. */
export interface ThreadTables {
  readonly version: number;
  /** By `tlsConfigKey`. */
  readonly tables: ReadonlyMap<string, CertificateTable>;
  readonly contexts: ContextCache;
}

/**
 * The certificates that the listeners of one thread show, made from what the control plane has published. It reads no file
 * and decides nothing. A handshake that has begun goes on with the context that it has.
 */
export class ThreadCertificates {
  readonly #tickets: TicketKeys;
  readonly #onTokens: (answerFor: ChallengeAnswer | null) => void;
  readonly #terms = new Map<string, LiveTerms>();
  readonly #challenges = new Map<string, TlsChoice>();
  readonly #staples = new Map<string, Buffer>();
  #contexts: ReadonlyMap<string, ListenerContext> = new Map();

  /** `onTokens` makes listeners answer challenges of http-01; null: none is open. */
  constructor(
    ticketKeys: readonly TicketKey[],
    onTokens: (answerFor: ChallengeAnswer | null) => void = () => {},
  ) {
    this.#tickets = new TicketKeys(ticketKeys);
    this.#onTokens = onTokens;
  }

  /** Contexts for another load, with those that are in use. */
  openCache(): ContextCache {
    return new ContextCache(this.#contexts, this.#tickets);
  }

  /** Makes tables of what was published; nothing in force changes. */
  *prepare(
    { version, tables }: PublishedCertificates,
    contexts: ContextCache = this.openCache(),
  ): Steps<ThreadTables> {
    const made = new Map<string, CertificateTable>();
    for (const table of tables) made.set(table.config, yield* readTable(table, contexts, this.#staples));
    return { version, tables: made, contexts };
  }

  /**
   * Lets listeners that are opened before the rest is installed use what `prepare` has returned; those of the
   * configuration in force stay as they are.
   */
  stage({ tables, version }: ThreadTables): void {
    for (const [key, table] of tables) if (!this.#terms.has(key)) this.#live(key).follow(table, version);
  }

  /** Puts tables in force, at once; terms that have none of them are of no listener any more. */
  install(prepared: ThreadTables): void {
    for (const key of [...this.#terms.keys()]) if (!prepared.tables.has(key)) this.#terms.delete(key);
    this.renew(prepared);
  }

  /** Puts tables in force, at once, for terms that are there. */
  renew({ tables, version, contexts }: ThreadTables): void {
    this.#contexts = contexts.used;
    for (const [key, table] of tables) this.#live(key).follow(table, version);
  }

  /** The terms of a listener, which follow every change. Until there are certificates it refuses every handshake. */
  termsOf(config: TlsConfig): TlsTerms {
    return this.#live(tlsConfigKey(config));
  }

  #live(key: string): LiveTerms {
    let live = this.#terms.get(key);
    if (live === undefined) {
      live = new LiveTerms(this.#challenges);
      this.#terms.set(key, live);
    }
    return live;
  }

  /** Follows what has changed. Resolves when new handshakes use it. */
  async follow(news: CertificateNews): Promise<void> {
    if (news.kind === 'certificates') this.renew(await inSlices(this.prepare(news.published)));
    else this.take(news);
  }

  /** The same for all that is small enough to be done at once. */
  take(news: SmallNews): void {
    switch (news.kind) {
      case 'ticket_keys':
        this.#setTicketKeys(news.keys);
        return;
      case 'staple':
        this.#setStaple(news.fingerprint, news.response);
        return;
      case 'tokens':
        this.#setTokens(news.tokens);
        return;
      case 'challenge':
        this.#setChallenge(news.host, news.pair);
    }
  }

  #setTicketKeys(keys: readonly TicketKey[]): void {
    this.#tickets.replace(keys);
  }

  #setStaple(fingerprint: string, response: Uint8Array | null): void {
    if (response === null) this.#staples.delete(fingerprint);
    else this.#staples.set(fingerprint, Buffer.from(response));
  }

  #setTokens(tokens: readonly ChallengeToken[]): void {
    const answers = new Map(tokens.map(({ token, answer }) => [`${CHALLENGE_PATH}${token}`, answer]));
    this.#onTokens(answers.size === 0 ? null : (path) => answers.get(path) ?? null);
  }

  #setChallenge(host: string, pair: PemPair | null): void {
    if (pair === null) {
      this.#challenges.delete(host);
      return;
    }
    const shown = { certPem: sharedText(pair.cert), keyPem: sharedText(pair.key), fingerprints: '' };
    const source = contextSource([shown], { minVersion: 'TLSv1.2', ciphers: null }, NO_CLIENT_POLICY);
    const { context } = new ListenerContext(source, this.#tickets);
    this.#challenges.set(host, new ChallengeChoice(context));
  }
}
