import type { Observer } from '../base/observer.js';
import { atOnce, inSlices } from '../base/slices.js';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import { hostText } from '../config/inventory.js';
import type { Config, TlsConfig } from '../config/types.js';
import type { TlsTerms } from '../net/tls-terms.js';
import { Acme } from '../tls/acme.js';
import { examineAcme } from '../tls/acme-check.js';
import type { AcmeStatus } from '../tls/acme-manager.js';
import type { OpenAcmeStore } from '../tls/acme-store.js';
import { titleOf } from '../tls/certificate.js';
import {
  CertificateStore,
  type HeldPair,
  type PreparedCertificates,
  pairText,
} from '../tls/certificate-store.js';
import { CertificateError, type CertificateFinding, Findings, findingText } from '../tls/finding.js';
import type { KeyPair } from '../tls/key-pair.js';
import { authorityFolder, issueLocally } from '../tls/local-authority.js';
import { OcspStapler } from '../tls/ocsp-stapler.js';
import type { CertificateStatus } from './status/status.js';

const DAY_MS = 24 * 3_600_000;
/** Days before the expiry of a certificate on which an event is emitted. */
const NOTICE_DAYS = [7, 14, 30] as const;
/** How often the dates are checked, in ms. */
const LOOK_EVERY = 3_600_000;

/** How long a load waits for the responses of OCSP responders, in ms. */
const STAPLE_PATIENCE = 3000;
/** Host parts of a listener on every interface. */
const EVERYWHERE: readonly string[] = ['', '0.0.0.0', '::'];
/** The most certificates that one line names. */
const MOST_NAMED = 5;

export interface CertificatesDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  /** The folder of the local authority; by default that of the user. */
  readonly authority?: string | undefined;
  /** False: the terms of listeners come from elsewhere, and only those of the operators' listener are made here. */
  readonly forListeners?: boolean;
  /** Where certificates that are ordered are kept; by default in the folders that the settings name. */
  readonly openStore?: OpenAcmeStore | undefined;
  /** Makes the listeners of this thread answer ACME challenges; null: none is open. */
  readonly answerChallenges: (answerFor: ((path: string) => string | null) | null) => void;
}

/** The result of reading certificate files again. */
export interface CertificateReload {
  /** Certificates that are new, such as `www.example.com (serial 1A2B)`. */
  readonly changed: readonly string[];
  /** Files that cannot be used, with the reason: what was read before stays in force. */
  readonly refused: readonly string[];
}

/**
 * The certificates of a balancer: the ones that listeners use, the events about them, and their replacement while it
 * runs.
 */
export class Certificates {
  readonly store: CertificateStore;
  readonly #acme: Acme;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #stop: () => void;
  /** By certificate, the fewest days that an event was emitted for; 0: that it has expired. */
  #reported = new Map<string, number>();
  /** Warnings that were emitted, so that a reload does not repeat them. */
  #warned = new Set<string>();

  readonly #authority: string;
  readonly #forListeners: boolean;
  /** The terms of the operators' listener. */
  #admin: TlsConfig | null = null;
  readonly #stapler: OcspStapler;
  #isRenewing = false;
  #isStopped = false;

  constructor(deps: CertificatesDeps) {
    const {
      clock,
      observer,
      authority = authorityFolder(),
      forListeners = true,
      openStore,
      answerChallenges,
    } = deps;
    this.#forListeners = forListeners;
    this.#authority = authority;
    this.#clock = clock;
    this.#observer = observer;
    this.#stapler = new OcspStapler({
      clock,
      warning: (message) => this.#observer.event?.({ what: 'warning', message }),
      onResponse: (fingerprint, response) => this.store.setStaple(fingerprint, response),
    });
    this.store = new CertificateStore({
      clock,
      isStapled: (pair) => this.#stapler.stapleFor(pair) !== null,
      onTokens: answerChallenges,
    });
    const acme = new Acme({ clock, observer, openStore }, (tokens) => this.store.setTokens(tokens));
    acme.listener = this.store.useAcme(acme);
    this.#acme = acme;
    this.#stop = clock.every(LOOK_EVERY, () => {
      this.#lookAtDates();
      void this.#renew();
    });
  }

  termsOf(config: TlsConfig | null): TlsTerms | null {
    return config === null ? null : this.store.termsOf(config);
  }

  /**
   * Reads the files of a configuration, and the certificates ordered for it, and has the local authority issue the ones it
   * needs. `install` puts the result into force, and `order` or `discard` follows. Rejects with a CertificateError or an
   * AuthorityError.
   */
  async prepare(config: Config, check?: () => void): Promise<PreparedCertificates> {
    const terms = this.#termsOf(config);
    await this.#acme.stage(terms.flatMap(({ acme }) => acme ?? []));
    check?.();
    const internal = terms.some((one) => one.internal) ? await this.#internalFor(namesIn(config)) : [];
    check?.();
    const prepared = await inSlices(this.store.prepare(terms, false, internal), check);
    await this.#waitForStaples();
    return prepared;
  }

  /** The operators' listener keeps its terms until the next start, even if the file has none any more. */
  #termsOf({ listen, admin }: Config): TlsConfig[] {
    const tls = admin?.tls ?? this.#admin;
    return termsIn({ listen: this.#forListeners ? listen : [], admin: tls === null ? null : { tls } });
  }

  /** The terms of the operators' listener, whatever configuration is in force; null for plain HTTP. */
  get adminTerms(): TlsTerms | null {
    if (this.#admin === null) return null;
    const { protocols } = this.store.termsOf(this.#admin);
    const choose: TlsTerms['choose'] = (name, offered) =>
      this.#admin === null ? null : this.store.termsOf(this.#admin).choose(name, offered);
    return { protocols, choose, policyOf: null };
  }

  /** Waits a while for OCSP responses, so that even the first handshakes are stapled. */
  async #waitForStaples(): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.every(STAPLE_PATIENCE, resolve);
    });
    await Promise.race([this.#stapler.settled(), late]);
    cancel();
  }

  /** Returns the ones in force unless they are for other names or expire soon; otherwise issues new ones. */
  async #internalFor(names: readonly string[]): Promise<readonly KeyPair[]> {
    const now = this.#clock.wall();
    const { internal } = this.store;
    const covered = internal.flatMap(({ leaf: { facts } }) => [...facts.names, ...facts.addresses]);
    const isSame = covered.length === names.length && names.every((name) => covered.includes(name));
    if (isSame && !internal.some((pair) => isEnding(pair, now))) return internal;
    return issueLocally(this.#authority, names, now);
  }

  /** Renews the certificates of the local authority when a third of their lifetime is left. */
  async #renew(): Promise<void> {
    const now = this.#clock.wall();
    const { internal } = this.store;
    if (this.#isRenewing || !internal.some((pair) => isEnding(pair, now))) return;
    this.#isRenewing = true;
    try {
      const names = internal.flatMap(({ leaf: { facts } }) => [...facts.names, ...facts.addresses]);
      const pairs = await issueLocally(this.#authority, names, now);
      // Another configuration may have been installed meanwhile.
      if (this.store.internal === internal && !this.#isStopped) await this.store.supplyInternal(pairs);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#observer.event?.({ what: 'warning', message: why });
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Puts prepared certificates into force; `config`: another configuration that they are for. */
  install(prepared: PreparedCertificates, config?: Config): void {
    this.#admin = config?.admin?.tls ?? this.#admin;
    this.store.install(prepared);
    this.#stapler.keep(this.store.held.map(({ pair }) => pair));
    this.#report(prepared);
    this.#lookAtDates();
  }

  /** Orders missing certificates for the configuration in force, whose listeners are open for the authorities' checks. */
  order(): void {
    this.#acme.install();
  }

  /** Gives up the configuration that was prepared. */
  discard(): void {
    this.#acme.discard();
  }

  get orders(): readonly AcmeStatus[] {
    return this.#acme.statuses;
  }

  /** Reads the files again. A certificate that cannot be used is left out, or stays as read before. */
  async reload(check?: () => void): Promise<CertificateReload> {
    const prepared = await inSlices(this.store.prepare(this.store.configs, true), check);
    await this.#waitForStaples();
    const changed = prepared.changed.map(pairText);
    this.install(prepared);
    await this.store.spread();
    if (changed.length > 0) this.#observer.event?.({ what: 'certificates_reloaded', detail: fewOf(changed) });
    return { changed, refused: prepared.findings.filter(isError).map(findingText) };
  }

  #report({ findings }: PreparedCertificates): void {
    const told = new Set<string>();
    for (const finding of findings) {
      const { file, message, hint } = finding;
      if (isError(finding)) this.#observer.event?.({ what: 'certificate_refused', file, detail: message });
      else {
        const line = `${findingText(finding)}${hint === '' ? '' : `. ${hint}`}`;
        told.add(line);
        if (!this.#warned.has(line)) this.#observer.event?.({ what: 'warning', message: line });
      }
    }
    this.#warned = told;
  }

  /** Emits an event for each certificate 30, 14 and 7 days before it expires, and when it has expired, each once. */
  #lookAtDates(): void {
    const reported = new Map<string, number>();
    const now = this.#clock.wall();
    for (const { pair, source } of this.store.held) {
      // It is renewed long before it expires.
      if (source === 'internal' || (source === 'acme' && !isLate(pair, now))) continue;
      const { fingerprint, notAfter } = pair.leaf.facts;
      const before = this.#reported.get(fingerprint) ?? Number.POSITIVE_INFINITY;
      const days = notAfter <= now ? 0 : NOTICE_DAYS.find((some) => notAfter - now <= some * DAY_MS);
      reported.set(fingerprint, Math.min(before, days ?? before));
      if (days === undefined || days >= before) continue;
      const about = { certificate: titleOf(pair.leaf.facts), file: pair.file, notAfter };
      if (days === 0) this.#observer.event?.({ what: 'certificate_expired', ...about });
      else this.#observer.event?.({ what: 'certificate_expiring', ...about, days });
    }
    this.#reported = reported;
  }

  /** In the order of the configuration. */
  status(): CertificateStatus[] {
    const now = this.#clock.wall();
    const problems = new Map<string, string[]>();
    for (const finding of this.store.findings)
      problems.set(finding.file, [...(problems.get(finding.file) ?? []), finding.message]);
    return this.store.held.map((held) => certificateStatus(held, problems.get(held.pair.file) ?? [], now));
  }

  stop(): void {
    this.#isStopped = true;
    this.#stop();
    this.#stapler.stop();
    this.#acme.stop();
    this.store.stop();
  }
}

/** The terms of all listeners, including the operators' one. */
export function termsIn({
  listen,
  admin,
}: {
  readonly listen: Config['listen'];
  readonly admin: { readonly tls: TlsConfig | null } | null;
}): TlsConfig[] {
  const all = [...listen.map(({ tls }) => tls), admin?.tls ?? null];
  return [...new Set(all.filter((tls) => tls !== null))];
}

/** The certificates of a configuration, and their problems. */
export interface Examined {
  readonly certificates: readonly CertificateStatus[];
  readonly findings: readonly CertificateFinding[];
}

/** Reads the certificates of a configuration that is not in force, for people. */
export function examineCertificates(config: Config): Examined {
  const store = new CertificateStore({ clock: systemClock });
  try {
    store.install(atOnce(store.prepare(termsIn(config), true)));
    const { held, findings } = store;
    const now = Date.now();
    return {
      certificates: held.map((one) => certificateStatus(one, [], now)),
      findings: [...findings, ...acmeFindings(config), ...uncovered(config, held)],
    };
  } catch (error) {
    if (error instanceof CertificateError) return { certificates: [], findings: error.findings };
    throw error;
  } finally {
    store.stop();
  }
}

/** The problems that would prevent the ordering of certificates. */
function acmeFindings(config: Config): readonly CertificateFinding[] {
  const findings = new Findings(0);
  for (const { acme } of termsIn(config)) if (acme !== null) examineAcme(acme, findings);
  return findings.all;
}

/** Finds hosts that no certificate covers: their clients get a certificate with another name. */
function uncovered({ hosts, listen }: Config, held: readonly HeldPair[]): CertificateFinding[] {
  const terms = listen.flatMap(({ tls }) => (tls === null ? [] : [tls]));
  if (terms.length === 0) return [];
  if (terms.some(({ internal }) => internal)) return notIssued(hosts);
  const covered = new Set(
    held.flatMap(({ pair }) => [...pair.leaf.facts.names, ...pair.leaf.facts.addresses]),
  );
  for (const { acme } of terms) for (const host of acme?.hosts ?? []) covered.add(host);
  const missing: string[] = [];
  for (const { names } of hosts)
    for (const host of names) {
      if (host.kind === 'regex') {
        // Whether a certificate is for what it matches is known only if there can be none.
        if (![...covered].some((known) => known.startsWith('*'))) missing.push(hostText(host));
        continue;
      }
      const name = host.kind === 'exact' ? host.name.replace(/^\[|\]$/g, '') : `*${host.suffix}`;
      if (!covered.has(name) && !(host.kind === 'exact' && covered.has(name.replace(/^[^.]+/, '*'))))
        missing.push(name);
    }
  if (missing.length === 0) return [];
  return [
    {
      severity: 'warning',
      file: '',
      line: 0,
      message: `no certificate covers ${fewOf(missing)}`,
      hint: 'Clients that ask for such a host by TLS are shown a certificate of another name.',
    },
  ];
}

/** Finds hosts that the local authority cannot issue for: those of regular expressions, as it has to know the names. */
function notIssued(hosts: Config['hosts']): CertificateFinding[] {
  const patterns = hosts.flatMap(({ names }) => names.filter(({ kind }) => kind === 'regex'));
  if (patterns.length === 0) return [];
  return [
    {
      severity: 'warning',
      file: '',
      line: 0,
      message: `the local certificate is not for ${fewOf(patterns.map(hostText))}`,
      hint: 'A certificate is for names: a host that a regular expression stands for is shown one of another name.',
    },
  ];
}

/** The names that the local authority issues certificates for: this machine, and the hosts of the file. */
export function namesIn({ hosts, listen, admin }: Config): string[] {
  const names = ['localhost', '127.0.0.1', '::1'];
  for (const { address } of [...listen, ...(admin === null ? [] : [{ address: admin.listen }])])
    if (address.kind === 'tcp' && !EVERYWHERE.includes(address.host)) names.push(address.host.toLowerCase());
  for (const { names: all } of hosts)
    for (const host of all)
      if (host.kind !== 'regex')
        names.push(host.kind === 'exact' ? host.name.replace(/^\[|\]$/g, '') : `*${host.suffix}`);
  return [...new Set(names)];
}

/** Is a third of its lifetime left, or less? */
function isEnding({ leaf: { facts } }: KeyPair, now: number): boolean {
  return facts.notAfter - now < (facts.notAfter - facts.notBefore) / 3;
}

/** Is its renewal overdue? */
function isLate({ leaf: { facts } }: KeyPair, now: number): boolean {
  return facts.notAfter - now < (facts.notAfter - facts.notBefore) / 5;
}

export function certificateStatus(
  { pair, source }: HeldPair,
  problems: readonly string[],
  now: number,
): CertificateStatus {
  const { facts } = pair.leaf;
  const { names, addresses, notBefore, notAfter } = facts;
  const isSoon = notAfter - now <= NOTICE_DAYS[2] * DAY_MS && source === 'file';
  return {
    name: titleOf(facts),
    names: [...names, ...addresses],
    issuer: facts.issuer,
    serial: facts.serial,
    fingerprint: facts.fingerprint,
    keyType: facts.keyType,
    notBefore,
    notAfter,
    state: notAfter <= now ? 'expired' : notBefore > now ? 'not_yet_valid' : isSoon ? 'expiring' : 'valid',
    source,
    file: pair.file,
    problems: [...problems],
  };
}

function isError({ severity }: CertificateFinding): boolean {
  return severity === 'error';
}

function fewOf(lines: readonly string[]): string {
  const more = lines.length - MOST_NAMED;
  return `${lines.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
