import type { SecureContext } from 'node:tls';
import { inSlices, type Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import type { CertificateConfig, ClientAuthConfig, TlsConfig } from '../config/types.js';
import type { TlsChoice, TlsTerms } from '../net/tls-terms.js';
import type { AcmeListener, AcmeSource, PemPair } from './acme-source.js';
import { titleOf } from './certificate.js';
import { type ReadPair, readEntry } from './certificate-files.js';
import { type ClientPolicy, NO_CLIENT_POLICY, readClientPolicy } from './client-policy.js';
import { ContextCache, type ContextTerms } from './contexts.js';
import { CertificateError, type CertificateFinding, Findings } from './finding.js';
import { type KeyPair, readKeyPair, warnOfDates } from './key-pair.js';
import { opensslTrouble } from './openssl-error.js';
import {
  buildTable,
  type CertificateTable,
  ChallengeChoice,
  LiveTerms,
  type OfferedPair,
  type Staple,
} from './terms.js';
import { TicketKeys } from './ticket-keys.js';

/** Where a certificate comes from. */
export type CertificateSource = 'file' | 'acme' | 'internal';

/** A certificate in force. */
export interface HeldPair {
  readonly pair: KeyPair;
  readonly source: CertificateSource;
}

export interface StoreDeps {
  readonly clock: Clock;
  /** Where the responses of OCSP responders are kept; null for a certificate that asks for none. */
  readonly stapleFor?: (pair: KeyPair) => Staple | null;
}

/** What a load has found, ready to be put in force. */
export interface PreparedCertificates {
  readonly findings: readonly CertificateFinding[];
  /** The pairs that are new or differ from those in force. */
  readonly changed: readonly KeyPair[];
  /** Those of which the file is bad, so that the pair from before stays in force. */
  readonly kept: readonly KeyPair[];
}

/** What was read for one listener, or several with the same terms. */
interface ReadTerms {
  readonly offered: readonly OfferedPair[];
  readonly policy: ClientPolicy;
  readonly table: CertificateTable;
}

interface Loaded extends PreparedCertificates {
  readonly terms: ReadonlyMap<TlsConfig, ReadTerms>;
  readonly pairs: ReadonlyMap<string, ReadPair>;
  readonly folders: ReadonlyMap<string, readonly ReadPair[]>;
  readonly policies: ReadonlyMap<string, ClientPolicy>;
  readonly contexts: ReadonlyMap<string, SecureContext>;
  readonly files: ReadonlySet<string>;
  /** As of which change of the supplied certificates. */
  readonly supplies: number;
  /** Those of the local authority. */
  readonly internal: readonly KeyPair[];
}

const NO_CERTIFICATES: CertificateTable = {
  exact: new Map(),
  wildcard: new Map(),
  fallback: null,
  onePolicy: '',
};

const NOTHING: Loaded = {
  findings: [],
  changed: [],
  kept: [],
  terms: new Map(),
  pairs: new Map(),
  folders: new Map(),
  policies: new Map(),
  contexts: new Map(),
  files: new Set(),
  supplies: 0,
  internal: [],
};

/**
 * All certificates of a balancer: those of files, those ordered by ACME, and that of the local authority. It makes the terms
 * that listeners go by, and replaces their content when certificates change. A handshake that has begun goes on with the
 * context that it has.
 */
export class CertificateStore {
  readonly #clock: Clock;
  readonly #stapleFor: (pair: KeyPair) => Staple | null;
  readonly #tickets: TicketKeys;
  readonly #challenges = new Map<string, TlsChoice>();
  readonly #terms = new Map<TlsConfig, LiveTerms>();
  #loaded = NOTHING;
  #acme: AcmeSource | null = null;
  readonly #acmePairs = new WeakMap<PemPair, KeyPair | null>();
  #supplies = 0;
  #refreshing: Promise<void> | null = null;

  constructor({ clock, stapleFor = () => null }: StoreDeps) {
    this.#clock = clock;
    this.#stapleFor = stapleFor;
    this.#tickets = new TicketKeys(clock);
  }

  /**
   * Reads the files of these terms and makes their contexts; nothing in force changes. Throws a CertificateError when one
   * cannot be used and no pair of the same files is in force; with `lenient`, such a one is left out. `internal`: those of
   * the local authority.
   */
  *prepare(
    configs: Iterable<TlsConfig>,
    lenient = false,
    internal: readonly KeyPair[] = this.#loaded.internal,
  ): Steps<PreparedCertificates> {
    const contexts = new ContextCache(this.#loaded.contexts, this.#tickets);
    const load = new Load(this.#loaded, lenient, this.#clock.wall(), contexts);
    const offered = new Map<TlsConfig, { offered: OfferedPair[]; policy: ClientPolicy }>();
    for (const config of new Set(configs)) offered.set(config, yield* load.read(config));
    load.refuseErrors();
    const supplies = this.#supplies;
    const terms = yield* this.#tables(offered, contexts, internal);
    const loaded: Loaded = { ...load.result(terms), contexts: contexts.used, supplies, internal };
    return loaded;
  }

  *#tables(
    read: ReadonlyMap<TlsConfig, Pick<ReadTerms, 'offered' | 'policy'>>,
    contexts: ContextCache,
    internal: readonly KeyPair[],
  ): Steps<Map<TlsConfig, ReadTerms>> {
    const terms = new Map<TlsConfig, ReadTerms>();
    const deps = { contexts, stapleFor: this.#stapleFor };
    for (const [config, { offered, policy }] of read) {
      const all = [...offered, ...this.#supplied(config, internal).map(({ pair }) => ({ pair, policy }))];
      terms.set(config, { offered, policy, table: yield* buildTable(config, all, deps) });
    }
    return terms;
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

  /** Puts in force what `prepare` has returned, at once. */
  install(prepared: PreparedCertificates): void {
    const loaded = prepared as Loaded;
    this.#loaded = loaded;
    for (const config of [...this.#terms.keys()]) if (!loaded.terms.has(config)) this.#terms.delete(config);
    this.#putInForce(loaded.terms);
    // Certificates that came while the files were read.
    if (loaded.supplies !== this.#supplies) void this.#refresh();
  }

  #putInForce(terms: ReadonlyMap<TlsConfig, ReadTerms>): void {
    for (const [config, { table }] of terms) {
      const live = this.#terms.get(config);
      if (live === undefined) this.#terms.set(config, new LiveTerms(table, this.#challenges));
      else live.table = table;
    }
  }

  /**
   * Lets listeners that are opened before the rest is installed go by what `prepare` has returned; those of the configuration
   * in force stay as they are.
   */
  stage(prepared: PreparedCertificates): void {
    const { terms } = prepared as Loaded;
    for (const [config, { table }] of terms)
      if (!this.#terms.has(config)) this.#terms.set(config, new LiveTerms(table, this.#challenges));
  }

  /** What a listener goes by, from now on and after every change. Until its files are read it refuses every handshake. */
  termsOf(config: TlsConfig): TlsTerms {
    const known = this.#terms.get(config);
    if (known !== undefined) return known;
    const live = new LiveTerms(NO_CERTIFICATES, this.#challenges);
    this.#terms.set(config, live);
    return live;
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

  /**
   * Where the certificates are that are ordered by ACME. The source calls the function that is returned whenever names have
   * another certificate or challenge; its promise resolves when listeners go by it.
   */
  useAcme(source: AcmeSource): AcmeListener {
    this.#acme = source;
    return (hosts) => {
      for (const host of hosts) this.#setChallenge(host, source.challengeFor(host));
      return this.#suppliesChanged();
    };
  }

  #setChallenge(host: string, answer: PemPair | null): void {
    const pair = this.#acmePair(answer);
    if (pair === null) this.#challenges.delete(host);
    else {
      const contexts = new ContextCache(new Map(), this.#tickets);
      const terms = { minVersion: 'TLSv1.2', ciphers: null } as const;
      this.#challenges.set(host, new ChallengeChoice(contexts.get([pair], terms, NO_CLIENT_POLICY)));
    }
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
      const contexts = new ContextCache(loaded.contexts, this.#tickets);
      const terms = await inSlices(this.#tables(loaded.terms, contexts, loaded.internal));
      if (loaded !== this.#loaded || supplies !== this.#supplies) continue;
      this.#loaded = { ...loaded, terms, contexts: contexts.used, supplies };
      this.#putInForce(terms);
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

/** One reading of all files. */
class Load {
  readonly #before: Loaded;
  #isLenient: boolean;
  readonly #now: number;
  readonly #findings: CertificateFinding[] = [];
  /** The errors for which nothing from before can stand in. */
  readonly #fatal: CertificateFinding[] = [];
  readonly #pairs = new Map<string, ReadPair>();
  readonly #folders = new Map<string, readonly ReadPair[]>();
  readonly #policies = new Map<string, ClientPolicy>();
  readonly #files = new Set<string>();
  readonly #changed: KeyPair[] = [];
  readonly #kept: KeyPair[] = [];
  readonly #watch = (path: string): void => void this.#files.add(path);

  readonly #contexts: ContextCache;

  constructor(before: Loaded, isLenient: boolean, now: number, contexts: ContextCache) {
    this.#contexts = contexts;
    this.#before = before;
    this.#isLenient = isLenient;
    this.#now = now;
  }

  *read(config: TlsConfig): Steps<{ offered: OfferedPair[]; policy: ClientPolicy }> {
    const policy = this.#policy(config.clientAuth, 0);
    const offered: OfferedPair[] = [];
    for (const entry of config.certificates) {
      const own = entry.clientAuth === undefined ? policy : this.#policy(entry.clientAuth, entry.line);
      for (const pair of yield* this.#entry(entry, config, own)) offered.push({ pair, policy: own });
    }
    return { offered, policy };
  }

  /** A pair that is bad now, and was good before, stays. */
  *#entry(entry: CertificateConfig, terms: ContextTerms, policy: ClientPolicy): Steps<KeyPair[]> {
    const key = `${entry.cert}\n${entry.key ?? ''}`;
    const read = yield* readEntry(entry, this.#known, this.#watch);
    const before = this.#before.folders.get(key) ?? [];
    // A folder that is gone is read as a file that does not exist.
    const [only] = read.pairs;
    const isGone = only?.certFile === entry.cert && only.pair === null && !this.#before.pairs.has(only.id);
    const findings = isGone && before.length > 0 ? only.findings : read.findings;
    const isBad = findings.some(({ severity }) => severity === 'error');
    this.#tell(findings, before.length > 0);
    const pairs = isBad && before.length > 0 ? before : read.pairs;
    const usable: ReadPair[] = [];
    for (const one of pairs) {
      yield;
      const stand = this.#standing(this.#tried(one, entry.line, terms, policy), entry.line);
      if (stand !== null) usable.push(stand);
    }
    this.#folders.set(key, usable);
    return usable.flatMap(({ pair }) => (pair === null ? [] : [pair]));
  }

  readonly #known = (id: string): ReadPair | undefined => this.#pairs.get(id) ?? this.#before.pairs.get(id);

  /** The pair, or why OpenSSL refuses it. */
  #tried(read: ReadPair, line: number, terms: ContextTerms, policy: ClientPolicy): ReadPair {
    if (read.pair === null) return read;
    try {
      this.#contexts.get([read.pair], terms, policy);
      return read;
    } catch (error) {
      const findings = new Findings(line);
      findings.error(read.certFile, `OpenSSL refuses it: ${opensslTrouble(error)}`);
      return { ...read, hash: '', pair: null, findings: findings.all };
    }
  }

  /** The pair as it was read, or that from before; null: there is none to use. */
  #standing(read: ReadPair, line: number): ReadPair | null {
    const seen = this.#pairs.get(read.id);
    if (seen !== undefined) return seen;
    const before = this.#before.pairs.get(read.id);
    let stand = read;
    if (read.pair === null) {
      const isKept = before !== undefined && before.pair !== null;
      this.#tell(read.findings, isKept);
      if (!isKept) return null;
      stand = before;
      this.#kept.push(before.pair as KeyPair);
    } else {
      this.#tell(read.findings, true);
      if (before?.hash !== read.hash) this.#changed.push(read.pair);
    }
    const dates = new Findings(line);
    warnOfDates(stand.pair as KeyPair, dates, this.#now);
    this.#tell(dates.all, true);
    this.#pairs.set(read.id, stand);
    return stand;
  }

  #policy(config: ClientAuthConfig | null, line: number): ClientPolicy {
    if (config === null) return NO_CLIENT_POLICY;
    const key = JSON.stringify(config);
    const seen = this.#policies.get(key);
    if (seen !== undefined) return seen;
    const findings = new Findings(line);
    const before = this.#before.policies.get(key);
    const read = readClientPolicy(config, findings, this.#watch);
    this.#tell(findings.all, before !== undefined);
    const policy = read ?? before;
    if (policy !== undefined) this.#policies.set(key, policy);
    // Nobody may be let in unasked because a file is bad: this load ends with an error.
    else this.#isLenient = false;
    return policy ?? NO_CLIENT_POLICY;
  }

  /** `isKept`: what was in force before stays. */
  #tell(findings: readonly CertificateFinding[], isKept: boolean): void {
    for (const finding of findings) {
      if (finding.severity === 'error' && isKept)
        this.#findings.push({ ...finding, hint: 'What was read before stays in force.' });
      else this.#findings.push(finding);
      if (finding.severity === 'error' && !isKept) this.#fatal.push(finding);
    }
  }

  refuseErrors(): void {
    if (this.#fatal.length > 0 && !this.#isLenient) throw new CertificateError(this.#fatal);
  }

  result(terms: ReadonlyMap<TlsConfig, ReadTerms>): Omit<Loaded, 'contexts' | 'supplies' | 'internal'> {
    return {
      findings: this.#findings,
      changed: this.#changed,
      kept: this.#kept,
      terms,
      pairs: this.#pairs,
      folders: this.#folders,
      policies: this.#policies,
      files: this.#files,
    };
  }
}

/** `www.example.com (serial 1A2B)`. */
export function pairText({ leaf: { facts } }: KeyPair): string {
  return `${titleOf(facts)} (serial ${facts.serial})`;
}
