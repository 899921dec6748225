import { isFor } from './acme-certificate.js';
import { RESTART_DELAY_MS, type RenewalWindow, renewalTime, timeInWindow } from './acme-schedule.js';
import type { AcmeCertificate } from './acme-source.js';
import type { StoredFailure } from './acme-store.js';

/** One certificate that is wanted, for some names. */
export class WantedCertificate {
  readonly hosts: readonly string[];
  certificate: AcmeCertificate | null = null;
  placeholder: AcmeCertificate | null = null;
  failure: StoredFailure | null = null;
  isOrdering = false;
  /** The certificate is not in the store: it could not be written. */
  isUnsaved = false;
  #renewAt = 0;
  /** When the authority suggests renewing it; null: it does not say. */
  #window: RenewalWindow | null = null;

  constructor(hosts: readonly string[]) {
    this.hosts = hosts;
  }

  /** Names the certificate. */
  get name(): string {
    return this.hosts[0] as string;
  }

  /** When it is ordered, in Unix time in ms. */
  get dueAt(): number {
    return Math.max(this.certificate === null ? 0 : this.#renewAt, this.failure?.retryAt ?? 0);
  }

  /** The lower, the sooner it is ordered: names without a certificate first, then what has been due for longest. */
  get rank(): number {
    return this.isWhole ? this.dueAt : this.dueAt - 1e15;
  }

  /** Has the certificate all of its names? The file of the certificate may be of a time when it had fewer. */
  get isWhole(): boolean {
    return this.certificate !== null && isFor(this.certificate, this.hosts);
  }

  /** Another certificate is in force. */
  adopt(certificate: AcmeCertificate): void {
    this.certificate = certificate;
    this.#window = null;
    this.#renewAt = this.isWhole ? renewalTime(certificate) : 0;
    if (this.isWhole) this.placeholder = null;
  }

  /** The authority suggests renewing this certificate in this window. */
  suggest(certificate: AcmeCertificate, window: RenewalWindow): void {
    const known = this.#window;
    if (this.certificate !== certificate) return;
    if (known !== null && known.start === window.start && known.end === window.end) return;
    this.#window = window;
    this.#renewAt = timeInWindow(window, certificate);
  }

  /** A person may have mended what was wrong: no failure but a rate limit is waited for long. */
  hurry(): void {
    const { failure } = this;
    if (failure === null || failure.isRateLimit) return;
    this.failure = { ...failure, retryAt: Math.min(failure.retryAt, failure.at + RESTART_DELAY_MS) };
  }
}

/** A list of certificates that are wanted. */
export class WantedCertificates {
  readonly entries: readonly WantedCertificate[];
  readonly #byHosts = new Map<string, WantedCertificate>();
  readonly #byHost = new Map<string, WantedCertificate>();

  constructor(entries: readonly WantedCertificate[]) {
    this.entries = entries;
    for (const entry of entries) {
      this.#byHosts.set(entry.hosts.join(' '), entry);
      for (const host of entry.hosts) if (!this.#byHost.has(host)) this.#byHost.set(host, entry);
    }
  }

  find(hosts: readonly string[]): WantedCertificate | null {
    return this.#byHosts.get(hosts.join(' ')) ?? null;
  }

  /** What is to be ordered next at this time, of what is not being ordered; null: nothing. */
  next(now: number): WantedCertificate | null {
    let next: WantedCertificate | null = null;
    for (const entry of this.entries) {
      if (entry.isOrdering || entry.dueAt > now) continue;
      if (next === null || entry.rank < next.rank) next = entry;
    }
    return next;
  }

  certificateFor(host: string): AcmeCertificate | null {
    const entry = this.#byHost.get(host);
    if (entry === undefined) return null;
    const { certificate, placeholder } = entry;
    if (placeholder === null || certificate?.hosts.includes(host) === true) return certificate;
    return placeholder;
  }
}
