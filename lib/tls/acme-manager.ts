import type { BalancerEvent, Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { formatDuration } from '../base/units.js';
import { describe, isNewer } from './acme-certificate.js';
import type { AcmeChallenges } from './acme-challenges.js';
import { AcmeFolder } from './acme-folder.js';
import { AcmeOrdering, type AcmeTerms, problemOf } from './acme-ordering.js';
import type { AcmeProblem } from './acme-protocol.js';
import { RATE_LIMIT_MS, RATE_LIMIT_PAUSE_MS, retryDelay, windowDelay } from './acme-schedule.js';
import type { AcmeCertificate, AcmeListener } from './acme-source.js';
import type { AcmeStore, OpenAcmeStore } from './acme-store.js';
import { WantedCertificate, WantedCertificates } from './acme-wanted.js';

export interface AcmeManagerDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly challenges: AcmeChallenges;
  readonly onChange: AcmeListener;
  /** By default the folder that the terms name. */
  readonly openStore?: OpenAcmeStore | undefined;
}

/** What is known of a certificate, wanted or there. Times are Unix times in ms. */
export interface AcmeStatus {
  readonly hosts: readonly string[];
  /** valid: issued by the authority. self_signed: one of our own is served until there is one. ordering: being ordered now. */
  readonly state: 'valid' | 'self_signed' | 'ordering';
  readonly directory: string;
  /** null: no certificate was issued yet. */
  readonly notAfter: number | null;
  /** When it is ordered, renewed or tried again. */
  readonly nextOrderAt: number;
  /** Orders that failed since the last that did not. */
  readonly failures: number;
  /** Why the last order failed; null: it did not. */
  readonly error: string | null;
  readonly errorAt: number | null;
}

const TICK_MS = 1000;
/** The most orders under way at a time. */
const MOST_ORDERS = 4;
/** How soon the store is looked at again while another process orders for it. */
const LOCKED_MS = 3000;
/** A failure is forgotten when nobody has tried again for this long. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1000;
/** How soon it is tried again to write what could not be written. */
const UNSAVED_MS = 60_000;
const AWAY = 'nothing is ordered until the store that nodes share is back';
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Orders certificates of one authority, keeps them in its store and renews them. All of it happens beside the requests:
 * a thread speaks ACME, files are read and written asynchronously, and a tick each second looks at what is due.
 */
export class AcmeManager {
  readonly #terms: AcmeTerms;
  readonly #deps: AcmeManagerDeps;
  readonly #store: AcmeStore;
  readonly #ordering: AcmeOrdering;
  #wanted = new WantedCertificates([]);
  /** What `install` is to put in the place of `#wanted`. */
  #staged: WantedCertificates | null = null;
  #stopTicks: (() => void) | null = null;
  #stopped = false;
  /** Is a round of orders under way? */
  #isDriving = false;
  /** Nothing is ordered before this time; by the wall clock, as the other times. */
  #pausedUntil = 0;
  /** How often in a row the authority or the store could not be used. */
  #outages = 0;
  #outage: { readonly message: string; readonly at: number } | null = null;
  #windowsAt = 0;
  #unsavedAt = NEVER;
  #saving: Promise<void> = Promise.resolve();

  constructor(terms: AcmeTerms, deps: AcmeManagerDeps) {
    this.#terms = terms;
    this.#deps = deps;
    const { clock, challenges, onChange, openStore } = deps;
    const warn = (message: string): void => this.#warn(message);
    this.#store =
      openStore?.(terms, {
        warn,
        onNews: (concerns) => void this.#followOthers(concerns),
        onChallenges: (offers) => this.#ordering.answerForOthers(offers),
      }) ?? new AcmeFolder(terms.store, terms.directory, { clock, warn });
    this.#ordering = new AcmeOrdering(terms, { store: this.#store, challenges, onChange });
  }

  /**
   * Makes ready for another list of certificates, each for a group of names. Resolves when there is something to serve for
   * each name: the certificate of the store, or a self-signed one. Nothing is ordered for new names before `install`. What
   * fails is told to the observer.
   */
  async stage(groups: readonly (readonly string[])[]): Promise<void> {
    const before = this.#wanted;
    const staged = new WantedCertificates(
      groups.map((hosts) => before.find(hosts) ?? new WantedCertificate(hosts)),
    );
    this.#staged = staged;
    const fresh = staged.entries.filter(({ hosts }) => before.find(hosts) === null);
    await this.#read(fresh);
    await this.#placeholders(fresh.filter(({ isWhole }) => !isWhole));
  }

  /** What was staged is wanted from now on, and what is due is ordered. */
  install(): void {
    const staged = this.#staged;
    if (staged === null || this.#stopped) return;
    this.#staged = null;
    this.#wanted = staged;
    this.#hurry();
    this.#stopTicks ??= this.#deps.clock.every(TICK_MS, () => this.#tick());
    this.#tick();
  }

  /** What was staged is not wanted. */
  discard(): void {
    this.#staged = null;
  }

  certificateFor(host: string): AcmeCertificate | null {
    return this.#wanted.certificateFor(host) ?? this.#staged?.certificateFor(host) ?? null;
  }

  get statuses(): AcmeStatus[] {
    return this.#wanted.entries.map((entry) => {
      const { hosts, certificate, failure } = entry;
      const outage = entry.dueAt <= this.#now ? this.#outage : null;
      const state = entry.isOrdering ? 'ordering' : entry.isWhole ? 'valid' : 'self_signed';
      return {
        hosts,
        state,
        directory: this.#terms.directory,
        notAfter: certificate?.notAfter ?? null,
        nextOrderAt: Math.round(Math.max(entry.dueAt, this.#pausedUntil, this.#now)),
        failures: failure?.failures ?? 0,
        error: failure?.error ?? outage?.message ?? null,
        errorAt: Math.round(failure?.at ?? outage?.at ?? 0) || null,
      };
    });
  }

  /** Orders that are under way are given up; the authority forgets them after a while. */
  stop(): void {
    this.#stopped = true;
    this.#stopTicks?.();
    this.#ordering.stop();
    this.#store.close();
  }

  /** Reads the certificates and failures that the store has for these names. */
  async #read(entries: readonly WantedCertificate[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await this.#store.open();
      const failures = await this.#store.readFailures();
      for (const entry of entries) {
        const certificate = await this.#store.readCertificate(entry.hosts);
        if (certificate !== null) entry.adopt(certificate);
        entry.failure = failures.get(entry.name) ?? null;
      }
    } catch (error) {
      this.#noteOutage(`the store cannot be used: ${(error as Error).message}`);
    }
  }

  /** What people may have mended is tried again soon. */
  #hurry(): void {
    this.#pausedUntil = 0;
    for (const entry of this.#wanted.entries) entry.hurry();
  }

  /** Makes self-signed certificates, and says for which names. */
  async #placeholders(entries: readonly WantedCertificate[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      const made = entries.map(async (entry) => {
        const pair = await this.#ordering.selfSign(entry.hosts);
        entry.placeholder = describe(pair, true);
      });
      await Promise.all(made);
    } catch (error) {
      if (!this.#stopped)
        this.#warn(`acme: no self-signed certificate could be made: ${(error as Error).message}`);
      return;
    }
    const names = entries.flatMap(({ hosts }) => hosts);
    const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
    this.#warn(
      `acme: no certificate yet for ${shown}: self-signed ones are served until ${this.#authority} has issued them`,
    );
  }

  get #authority(): string {
    return new URL(this.#terms.directory).host;
  }

  get #now(): number {
    return this.#deps.clock.wall();
  }

  #tick(): void {
    const now = this.#now;
    if (this.#isDriving) {
      this.#store.refresh();
      return;
    }
    this.#ordering.rest(now);
    if (this.#unsavedAt <= now) void this.#save();
    if (this.#pausedUntil > now) return;
    if (this.#windowsAt <= now) void this.#askForWindows();
    if (this.#due() !== null) void this.#drive();
  }

  /** What is ordered next. */
  #due(): WantedCertificate | null {
    const now = this.#now;
    return this.#stopped || this.#pausedUntil > now ? null : this.#wanted.next(now);
  }

  /** Orders all that is due, a few at a time, while this process has the lock of the store. */
  async #drive(): Promise<void> {
    this.#isDriving = true;
    try {
      await this.#store.open();
      const lock = await this.#store.acquire();
      this.#noteAway(lock === 'away');
      if (lock === 'held') await this.#orderAll();
      else {
        this.#pausedUntil = this.#now + LOCKED_MS;
        await this.#readIssued(({ dueAt }) => dueAt <= this.#now);
      }
    } catch (error) {
      this.#noteOutage(`the store cannot be used: ${(error as Error).message}`);
    } finally {
      await this.#store.release().catch(() => {});
      this.#isDriving = false;
    }
  }

  async #orderAll(): Promise<void> {
    await this.#readFailures();
    const lanes = Array.from({ length: MOST_ORDERS }, async () => {
      for (let entry = this.#due(); entry !== null; entry = this.#due()) await this.#renew(entry);
    });
    await Promise.all(lanes);
  }

  /** Takes over certificates that another process was issued. */
  async #readIssued(isMeant: (entry: WantedCertificate) => boolean): Promise<void> {
    if (this.#stopped) return;
    await this.#readFailures();
    const entries = new Set(this.#wanted.entries.concat(this.#staged?.entries ?? []));
    for (const entry of entries) if (!entry.isOrdering && isMeant(entry)) await this.#readNewer(entry);
  }

  /** Where another process has failed meanwhile, this one waits as long. */
  async #readFailures(): Promise<void> {
    const failures = await this.#store.readFailures();
    for (const entry of this.#wanted.entries) {
      const found = failures.get(entry.name);
      if (found === undefined || entry.dueAt > this.#now || found.at <= (entry.failure?.at ?? 0)) continue;
      entry.failure = found;
      if (!found.isRateLimit) continue;
      const until = Math.min(found.at + RATE_LIMIT_PAUSE_MS, found.retryAt);
      this.#pausedUntil = Math.max(this.#pausedUntil, until);
    }
  }

  /** Others have changed what is stored. */
  async #followOthers(concerns: (hosts: readonly string[]) => boolean): Promise<void> {
    if (this.#unsavedAt !== NEVER) this.#unsavedAt = 0;
    try {
      await this.#readIssued(({ hosts }) => concerns(hosts));
    } catch (error) {
      this.#warn(`acme: what others have ordered cannot be read: ${(error as Error).message}`);
    }
  }

  /** Takes over a certificate that another process put into the store. */
  async #readNewer(entry: WantedCertificate): Promise<void> {
    const found = await this.#store.readCertificate(entry.hosts);
    if (found === null || found.cert === entry.certificate?.cert) return;
    const own = entry.certificate;
    if (own !== null && !own.isSelfSigned && isNewer(own, found)) return;
    entry.adopt(found);
    if (entry.isWhole) entry.failure = null;
    await this.#deps.onChange(entry.hosts);
    // What is found while it is staged is no change.
    if (this.#wanted.entries.includes(entry))
      this.#tell({ what: 'certificates_reloaded', detail: `${entry.name} (ordered elsewhere)` });
  }

  /** One order. What fails is noted, and tried again later. */
  async #renew(entry: WantedCertificate): Promise<void> {
    entry.isOrdering = true;
    try {
      await this.#readNewer(entry);
      // It may have come meanwhile, too.
      if (entry.dueAt > this.#now) return;
      const replaces = entry.isWhole ? (entry.certificate?.cert ?? null) : null;
      const pair = await this.#ordering.order(entry.hosts, replaces);
      if (this.#stopped) return;
      entry.adopt(describe(pair, false));
      this.#outages = 0;
      this.#outage = null;
      await this.#forgetFailure(entry);
      entry.isUnsaved = true;
      await this.#save();
      await this.#deps.onChange(entry.hosts);
      const { notAfter } = entry.certificate as AcmeCertificate;
      this.#tell({ what: 'certificate_ordered', host: entry.name, hosts: entry.hosts, notAfter });
      this.#windowsAt = 0;
    } catch (error) {
      if (!this.#stopped) await this.#noteFailure(entry, problemOf(error));
    } finally {
      entry.isOrdering = false;
    }
  }

  /** Writes what is not in the store yet, after what is being written now. */
  #save(): Promise<void> {
    this.#unsavedAt = NEVER;
    this.#saving = this.#saving.then(() => this.#writeUnsaved());
    return this.#saving;
  }

  async #writeUnsaved(): Promise<void> {
    for (const entry of this.#wanted.entries) {
      const { certificate, hosts, name } = entry;
      if (!entry.isUnsaved || certificate === null) continue;
      try {
        await this.#store.writeCertificate(hosts, certificate);
        entry.isUnsaved = entry.certificate !== certificate;
      } catch (error) {
        this.#unsavedAt = this.#now + UNSAVED_MS;
        const { message } = error as Error;
        this.#warn(`acme: the certificate of ${name} is used, but could not be kept: ${message}`);
        return;
      }
    }
  }

  async #noteFailure(entry: WantedCertificate, problem: AcmeProblem): Promise<void> {
    const now = this.#now;
    if (isOutage(problem)) {
      this.#noteOutage(problem.message, problem.retryAfterMs, entry);
      return;
    }
    const failures = (entry.failure?.failures ?? 0) + 1;
    const isRateLimit = problem.type === 'rateLimited';
    const wanted = Math.max(
      problem.retryAfterMs,
      isRateLimit && problem.retryAfterMs === 0 ? RATE_LIMIT_MS : 0,
    );
    const delay = Math.max(retryDelay(failures), wanted);
    if (isRateLimit) this.#pausedUntil = now + Math.min(wanted, RATE_LIMIT_PAUSE_MS);
    entry.failure = { failures, at: now, retryAt: now + delay, error: problem.message, isRateLimit };
    await this.#writeFailures();
    this.#tellFailure(entry, problem.message, delay);
  }

  async #forgetFailure(entry: WantedCertificate): Promise<void> {
    if (entry.failure === null) return;
    entry.failure = null;
    await this.#writeFailures();
  }

  /** Writes the failures of all names, for other processes with the same store. */
  async #writeFailures(): Promise<void> {
    try {
      const failures = await this.#store.readFailures();
      for (const { name, failure } of this.#wanted.entries) {
        if (failure === null) failures.delete(name);
        else failures.set(name, failure);
      }
      // Of names that are no longer wanted.
      for (const [name, { retryAt }] of failures)
        if (retryAt < this.#now - FORGOTTEN_MS) failures.delete(name);
      await this.#store.writeFailures(failures);
    } catch (error) {
      this.#warn(`acme: ${(error as Error).message}; a restart would not know of the last failures`);
    }
  }

  /** Whether it is known which process orders. The store itself reports when that changes. */
  #noteAway(isAway: boolean): void {
    if (isAway) this.#outage = { message: AWAY, at: this.#now };
    else if (this.#outage?.message === AWAY) this.#outage = null;
  }

  /** The authority or the store cannot be used, which says nothing of a name: nothing is ordered for a while. */
  #noteOutage(message: string, retryAfterMs = 0, entry: WantedCertificate | null = null): void {
    const now = this.#now;
    // Orders under way at the same time fail together: that is one outage.
    if (this.#pausedUntil <= now) {
      this.#outages++;
      this.#pausedUntil = now + Math.max(retryDelay(this.#outages), retryAfterMs);
    }
    const isNew = this.#outage?.message !== message;
    this.#outage = { message, at: now };
    const delay = this.#pausedUntil - now;
    if (entry !== null) this.#tellFailure(entry, message, delay);
    else if (isNew)
      this.#warn(`acme: ${message}; tried again in ${formatDuration(Math.ceil(delay / 1000) * 1000)}`);
  }

  /** Asks the authority when certificates should be renewed (RFC 9773): soon after they were issued, then every few hours. */
  async #askForWindows(): Promise<void> {
    this.#windowsAt = NEVER;
    let delay = windowDelay(0);
    for (const entry of this.#wanted.entries) {
      const { certificate } = entry;
      if (certificate === null || !entry.isWhole || this.#stopped) continue;
      try {
        const { window, retryAfterMs } = await this.#ordering.window(certificate.cert);
        // The directory does not offer it: none of the others is asked for.
        if (window === null) break;
        if (retryAfterMs > 0) delay = Math.min(delay, windowDelay(retryAfterMs));
        entry.suggest(certificate, window);
      } catch {
        // Renewal at two thirds of the lifetime does not depend on it (RFC 9773, 4.3.3).
        break;
      }
    }
    this.#windowsAt = Math.min(this.#windowsAt, this.#now + delay);
  }

  #tellFailure({ name, hosts }: WantedCertificate, reason: string, retryMs: number): void {
    this.#tell({ what: 'certificate_failed', host: name, hosts, reason, retryMs });
  }

  #warn(message: string): void {
    this.#tell({ what: 'warning', message });
  }

  #tell(event: BalancerEvent): void {
    this.#deps.observer.event?.(event);
  }
}

function isOutage({ type }: AcmeProblem): boolean {
  return type === 'unreachable' || type === 'serverInternal' || type === 'account' || type === 'internal';
}
