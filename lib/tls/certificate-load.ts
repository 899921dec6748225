import type { Steps } from '../base/slices.js';
import type { CertificateConfig, ClientAuthConfig, TlsConfig } from '../config/types.js';
import { type ReadPair, readEntry, warnOfReaders } from './certificate-files.js';
import type { OfferedPair } from './certificate-table.js';
import { readClientPolicy } from './client-policy.js';
import { type ContextTerms, contextSource, opensslTrouble } from './contexts.js';
import { CertificateError, type CertificateFinding, Findings } from './finding.js';
import { type KeyPair, warnOfDates } from './key-pair.js';
import { type ClientPolicy, type ContextSource, NO_CLIENT_POLICY } from './published-certificates.js';

/** What was read for one listener, or several with the same terms. */
export interface ReadTerms {
  readonly offered: readonly OfferedPair[];
  readonly policy: ClientPolicy;
}

/** What one reading has found, for the next one to go on from. */
export interface LoadedFiles {
  readonly findings: readonly CertificateFinding[];
  /** The pairs that are new or differ from those in force. */
  readonly changed: readonly KeyPair[];
  /** Those of which the file is bad, so that the pair from before stays in force. */
  readonly kept: readonly KeyPair[];
  readonly pairs: ReadonlyMap<string, ReadPair>;
  readonly folders: ReadonlyMap<string, readonly ReadPair[]>;
  readonly policies: ReadonlyMap<string, ClientPolicy>;
  /** The paths whose change matters. */
  readonly files: ReadonlySet<string>;
}

export const NO_FILES: LoadedFiles = {
  findings: [],
  changed: [],
  kept: [],
  pairs: new Map(),
  folders: new Map(),
  policies: new Map(),
  files: new Set(),
};

/** One reading of all files of certificates, keys and what clients' certificates are verified with. */
export class CertificateLoad {
  readonly #before: LoadedFiles;
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

  readonly #prove: (source: ContextSource) => void;

  /**
   * `before`: what was read last. `isLenient`: what cannot be used is left out. `now`: Unix time in ms. `prove` throws
   * OpenSSL's error when it refuses certificates.
   */
  constructor(before: LoadedFiles, isLenient: boolean, now: number, prove: (source: ContextSource) => void) {
    this.#prove = prove;
    this.#before = before;
    this.#isLenient = isLenient;
    this.#now = now;
  }

  /** Reads the files of these terms. */
  *read(config: TlsConfig): Steps<ReadTerms> {
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
      const stand = this.#standing(this.#tried(one, entry.line, terms, policy), entry);
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
      this.#prove(contextSource([read.pair.published], terms, policy));
      return read;
    } catch (error) {
      const findings = new Findings(line);
      findings.error(read.certFile, `OpenSSL refuses it: ${opensslTrouble(error)}`);
      return { ...read, hash: '', pair: null, findings: findings.all };
    }
  }

  /** The pair as it was read, or that from before; null: there is none to use. */
  #standing(read: ReadPair, { line, passphrase }: CertificateConfig): ReadPair | null {
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
    // What may change while the content of the files stays the same.
    const passing = new Findings(line);
    warnOfDates(stand.pair as KeyPair, passing, this.#now);
    if (passphrase === null) warnOfReaders(stand.keyFile, passing);
    this.#tell(passing.all, true);
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

  /** Throws a CertificateError when something cannot be used, unless it is lenient. */
  refuseErrors(): void {
    if (this.#fatal.length > 0 && !this.#isLenient) throw new CertificateError(this.#fatal);
  }

  get result(): LoadedFiles {
    return {
      findings: this.#findings,
      changed: this.#changed,
      kept: this.#kept,
      pairs: this.#pairs,
      folders: this.#folders,
      policies: this.#policies,
      files: this.#files,
    };
  }
}
