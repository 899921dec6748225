import { inSlices, type Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import type { TlsConfig } from '../config/types.js';
import type { TlsTerms } from '../net/tls-terms.js';
import type { AcmeListener, AcmeSource, PemPair } from './acme-source.js';
import { titleOf } from './certificate.js';
import { CertificateLoad, type LoadedFiles, NO_FILES, type ReadTerms } from './certificate-load.js';
import { makeTable } from './certificate-table.js';
import type { ContextCache } from './contexts.js';
import { type CertificateFinding, Findings } from './finding.js';
import { type KeyPair, readKeyPair } from './key-pair.js';
import type {
  CertificateAudience,
  CertificateState,
  ChallengeToken,
  PublishedCertificates,
  PublishedTable,
  SmallNews,
} from './published-certificates.js';
import { type ChallengeAnswer, ThreadCertificates, type ThreadTables } from './thread-certificates.js';
import { TicketKeyRotation } from './ticket-keys.js';

/** Where a certificate comes from. */
export type CertificateSource = 'file' | 'acme' | 'internal';

/** A certificate in force. */
export interface HeldPair {
  readonly pair: KeyPair;
  readonly source: CertificateSource;
}

export interface StoreDeps {
  readonly clock: Clock;
  /** Are OCSP responses stapled for this certificate? */
  readonly isStapled?: (pair: KeyPair) => boolean;
  /** Makes the listeners of this thread answer challenges of http-01; null: none is open. */
  readonly onTokens?: (answerFor: ChallengeAnswer | null) => void;
}

/** What a load has found, ready to be put in force. */
export interface PreparedCertificates {
  readonly findings: readonly CertificateFinding[];
  /** The pairs that are new or differ from those in force. */
  readonly changed: readonly KeyPair[];
  /** Those of which the file is bad, so that the pair from before stays in force. */
  readonly kept: readonly KeyPair[];
  /** For other threads that listen. */
  readonly published: PublishedCertificates;
}

interface Loaded extends PreparedCertificates, LoadedFiles {
  readonly terms: ReadonlyMap<TlsConfig, ReadTerms>;
  readonly tables: ThreadTables | null;
  /** As of which change of the supplied certificates. */
  readonly supplies: number;
  /** Those of the local authority. */
  readonly internal: readonly KeyPair[];
}

const NOTHING: Loaded = {
  ...NO_FILES,
  terms: new Map(),
  published: { version: 0, tables: [] },
  tables: null,
  supplies: 0,
  internal: [],
};

/**
 * All certificates of a balancer: those of files, those ordered by ACME, and that of the local authority, with the keys of
 * session tickets, OCSP responses and open challenges. It publishes them, to the listeners of this thread and to those of
 * others.
 */
export class CertificateStore {
  readonly #clock: Clock;
  readonly #isStapled: (pair: KeyPair) => boolean;
  readonly #tickets: TicketKeyRotation;
  /** Those of this thread. */
  readonly #own: ThreadCertificates;
  #audience: CertificateAudience | null = null;
  /** What other threads have to be told when they begin to listen. */
  readonly #challenges = new Map<string, PemPair>();
  readonly #staples = new Map<string, Uint8Array>();
  #tokens: readonly ChallengeToken[] = [];
  #loaded = NOTHING;
  #version = 0;
  #acme: AcmeSource | null = null;
  readonly #acmePairs = new WeakMap<PemPair, KeyPair | null>();
  #supplies = 0;
  #refreshing: Promise<void> | null = null;

  constructor({ clock, isStapled = () => false, onTokens }: StoreDeps) {
    this.#clock = clock;
    this.#isStapled = isStapled;
    this.#tickets = new TicketKeyRotation(clock, (keys) => void this.#tell({ kind: 'ticket_keys', keys }));
    this.#own = new ThreadCertificates(this.#tickets.keys, onTokens);
  }

  /** Other threads listen too, and get every change from now on. */
  tellAlso(audience: CertificateAudience): void {
    this.#audience = audience;
  }

  /** What a thread needs that begins to listen. */
  get state(): CertificateState {
    const news: SmallNews[] = [];
    if (this.#tokens.length > 0) news.push({ kind: 'tokens', tokens: this.#tokens });
    for (const [fingerprint, response] of this.#staples) news.push({ kind: 'staple', fingerprint, response });
    for (const [host, pair] of this.#challenges) news.push({ kind: 'challenge', host, pair });
    return { published: this.#loaded.published, ticketKeys: this.#tickets.keys, news };
  }

  /** Resolves when the listeners of all threads use it. */
  async #tell(news: SmallNews): Promise<void> {
    this.#own.take(news);
    await this.#audience?.(news);
  }

  /**
   * Reads the files of these terms and tries them in OpenSSL; nothing in force changes. Throws a CertificateError when one
   * cannot be used and no pair of the same files is in force; with `lenient`, such a one is left out. `internal`: those of
   * the local authority.
   */
  *prepare(
    configs: Iterable<TlsConfig>,
    lenient = false,
    internal: readonly KeyPair[] = this.#loaded.internal,
  ): Steps<PreparedCertificates> {
    const contexts = this.#own.openCache();
    const keeps = this.#keepsContexts;
    const load = new CertificateLoad(this.#loaded, lenient, this.#clock.wall(), (source) =>
      contexts.of(source).prove(keeps),
    );
    const terms = new Map<TlsConfig, ReadTerms>();
    for (const config of new Set(configs)) terms.set(config, yield* load.read(config));
    load.refuseErrors();
    const supplies = this.#supplies;
    const published = yield* this.#publish(terms, contexts, internal);
    const tables = yield* this.#own.prepare(published, contexts);
    const loaded: Loaded = { ...load.result, terms, published, tables, supplies, internal };
    return loaded;
  }

  /** Where other threads listen, the contexts of this one are of no further use. */
  get #keepsContexts(): boolean {
    return this.#audience === null;
  }

  *#publish(
    terms: ReadonlyMap<TlsConfig, ReadTerms>,
    contexts: ContextCache,
    internal: readonly KeyPair[],
  ): Steps<PublishedCertificates> {
    const version = ++this.#version;
    const deps = { contexts, keepsContexts: this.#keepsContexts, isStapled: this.#isStapled };
    const tables: PublishedTable[] = [];
    for (const [config, { offered, policy }] of terms) {
      const all = [...offered, ...this.#supplied(config, internal).map(({ pair }) => ({ pair, policy }))];
      tables.push(yield* makeTable(config, all, deps));
    }
    return { version, tables };
  }

  #supplied({ acme, internal: isInternal }: TlsConfig, internal: readonly KeyPair[]): HeldPair[] {
    const held: HeldPair[] = [];
    for (const host of acme?.hosts ?? []) {
      const pair = this.#acmePair(this.#acme?.certificateFor(host) ?? null);
      if (pair !== null) held.push({ pair, source: 'acme' });
    }
    if (isInternal) for (const pair of internal) held.push({ pair, source: 'internal' });
    return held;
  }

  /** Puts in force in this thread what `prepare` has returned, at once. */
  install(prepared: PreparedCertificates): void {
    const loaded = prepared as Loaded;
    this.#loaded = loaded;
    this.#own.install(loaded.tables as ThreadTables);
    // Certificates that came while the files were read.
    if (loaded.supplies !== this.#supplies) void this.#refresh();
  }

  /** Resolves when the listeners of all threads use what was installed. */
  async spread(): Promise<void> {
    if (this.#refreshing !== null || this.#loaded.supplies !== this.#supplies) await this.#refresh();
    else await this.#audience?.({ kind: 'certificates', published: this.#loaded.published });
  }

  /**
   * Lets listeners that are opened before the rest is installed use what `prepare` has returned; those of the
   * configuration in force stay as they are.
   */
  stage(prepared: PreparedCertificates): void {
    this.#own.stage((prepared as Loaded).tables as ThreadTables);
  }

  /** The terms of a listener, which follow every change. Until its files are read it refuses every handshake. */
  termsOf(config: TlsConfig): TlsTerms {
    return this.#own.termsOf(config);
  }

  /** The terms that are in force, as the configuration has them. */
  get configs(): readonly TlsConfig[] {
    return [...this.#loaded.terms.keys()];
  }

  /** Other certificates of the local authority. Resolves when listeners show them. */
  supplyInternal(pairs: readonly KeyPair[]): Promise<void> {
    this.#loaded = { ...this.#loaded, internal: pairs };
    return this.#suppliesChanged();
  }

  /** The certificates of the local authority that are in force. */
  get internal(): readonly KeyPair[] {
    return this.#loaded.internal;
  }

  /** The OCSP response for a certificate, by its fingerprint; null: there is none any more. */
  setStaple(fingerprint: string, response: Uint8Array | null): void {
    if (response === null) this.#staples.delete(fingerprint);
    else this.#staples.set(fingerprint, response);
    void this.#tell({ kind: 'staple', fingerprint, response });
  }

  /** All challenges of http-01 that are open. Resolves when listeners answer them. */
  setTokens(tokens: readonly ChallengeToken[]): Promise<void> {
    this.#tokens = tokens;
    return this.#tell({ kind: 'tokens', tokens });
  }

  /**
   * Sets the source of the certificates that are ordered by ACME. The source calls the returned function whenever names
   * have another certificate or challenge; its promise resolves when listeners use it.
   */
  useAcme(source: AcmeSource): AcmeListener {
    this.#acme = source;
    return async (hosts) => {
      const told = hosts.map((host) => this.#setChallenge(host, source.challengeFor(host)));
      await Promise.all([...told, this.#suppliesChanged()]);
    };
  }

  async #setChallenge(host: string, answer: PemPair | null): Promise<void> {
    const before = this.#challenges.get(host) ?? null;
    if (answer === before) return;
    if (answer === null) this.#challenges.delete(host);
    else this.#challenges.set(host, answer);
    await this.#tell({ kind: 'challenge', host, pair: answer });
  }

  /** Objects of the source are never changed, so each is read once. */
  #acmePair(pem: PemPair | null): KeyPair | null {
    if (pem === null) return null;
    const known = this.#acmePairs.get(pem);
    if (known !== undefined) return known;
    const files = { certFile: '', certText: pem.cert, keyFile: '', keyText: pem.key, passphrase: null };
    const pair = readKeyPair(files, new Findings(0));
    this.#acmePairs.set(pem, pair);
    return pair;
  }

  async #suppliesChanged(): Promise<void> {
    this.#supplies++;
    await this.#refresh();
  }

  /** Makes the tables in force anew, with what is supplied; runs of it do not overlap. */
  async #refresh(): Promise<void> {
    while (this.#refreshing !== null) await this.#refreshing;
    this.#refreshing = this.#rebuild().finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  async #rebuild(): Promise<void> {
    for (;;) {
      const loaded = this.#loaded;
      const supplies = this.#supplies;
      const contexts = this.#own.openCache();
      const published = await inSlices(this.#publish(loaded.terms, contexts, loaded.internal));
      const tables = await inSlices(this.#own.prepare(published, contexts));
      if (loaded !== this.#loaded || supplies !== this.#supplies) continue;
      this.#loaded = { ...loaded, published, tables, supplies };
      this.#own.renew(tables);
      await this.#audience?.({ kind: 'certificates', published });
      return;
    }
  }

  /** The paths whose change matters: files, and folders that are looked through. */
  get files(): readonly string[] {
    return [...this.#loaded.files];
  }

  /** The certificates in force, each once, in the order of the configuration. */
  get held(): readonly HeldPair[] {
    const held = new Map<string, HeldPair>();
    for (const [config, { offered }] of this.#loaded.terms)
      for (const one of [
        ...offered.map(({ pair }): HeldPair => ({ pair, source: 'file' })),
        ...this.#supplied(config, this.#loaded.internal),
      ])
        held.set(`${one.pair.file} ${one.pair.leaf.facts.fingerprint}`, one);
    return [...held.values()];
  }

  /** What was found in the files when they were read last, and what their dates say now. */
  get findings(): readonly CertificateFinding[] {
    return this.#loaded.findings;
  }

  stop(): void {
    this.#tickets.stop();
  }
}

/** `www.example.com (serial 1A2B)`. */
export function pairText({ leaf: { facts } }: KeyPair): string {
  return `${titleOf(facts)} (serial ${facts.serial})`;
}
