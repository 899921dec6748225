import type { BalancerEvent, Observer } from '../base/observer.js';
import { readRegularFile } from '../base/regular-file.js';
import type { Clock } from '../base/timer-wheel.js';
import { formatDuration } from '../base/units.js';
import { VERSION } from '../base/version.js';
import type { AcmeConfig } from '../config/types/tls.js';
import type { AcmeChallenges } from './acme-challenges.js';
import { AcmeLock } from './acme-lock.js';
import { AcmeError, type AcmeProblem, type ChallengeOffer } from './acme-protocol.js';
import {
  RATE_LIMIT_MS,
  RATE_LIMIT_PAUSE_MS,
  RESTART_DELAY_MS,
  type RenewalWindow,
  renewalTime,
  retryDelay,
  timeInWindow,
  windowDelay,
} from './acme-schedule.js';
import type { AcmeCertificate, AcmeListener } from './acme-source.js';
import { AcmeStore, describe, type StoredAccount, type StoredFailure } from './acme-store.js';
import { AcmeThread } from './acme-thread.js';

/** Where and how certificates are ordered: what managers differ in. */
export type AcmeTerms = Omit<AcmeConfig, 'hosts' | 'groups'>;

export interface AcmeManagerDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly challenges: AcmeChallenges;
  readonly onChange: AcmeListener;
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
/** So many orders are under way at a time. */
const MOST_ORDERS = 4;
/** How soon the store is looked at again while another process orders for it. */
const LOCKED_MS = 3000;
/** A failure is forgotten when nobody has tried again for so long. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1000;
/** How soon it is tried again to write what could not be written. */
const UNSAVED_MS = 60_000;
/** So long the thread is kept after its last work. */
const REST_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

/** One certificate that is wanted, for some names. */
class Entry {
  readonly hosts: readonly string[];
  certificate: AcmeCertificate | null = null;
  placeholder: AcmeCertificate | null = null;
  /** When the authority would have it renewed; null: it does not say. */
  window: RenewalWindow | null = null;
  renewAt = 0;
  failure: StoredFailure | null = null;
  isOrdering = false;
  /** The certificate is not in the store: it could not be written. */
  isUnsaved = false;

  constructor(hosts: readonly string[]) {
    this.hosts = hosts;
  }

  /** Names the certificate in the store. */
  get name(): string {
    return this.hosts[0] as string;
  }

  get dueAt(): number {
    return Math.max(this.certificate === null ? 0 : this.renewAt, this.failure?.retryAt ?? 0);
  }

  /** Has the certificate all of its names? The file of the certificate may be of a time when it had fewer. */
  get isWhole(): boolean {
    const { certificate, hosts } = this;
    return certificate !== null && hosts.every((host) => certificate.hosts.includes(host));
  }
}

/** A list of certificates that are wanted. */
class Wanted {
  readonly entries: readonly Entry[];
  readonly #byHosts = new Map<string, Entry>();
  readonly #byHost = new Map<string, Entry>();

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    for (const entry of entries) {
      this.#byHosts.set(entry.hosts.join(' '), entry);
      for (const host of entry.hosts) if (!this.#byHost.has(host)) this.#byHost.set(host, entry);
    }
  }

  find(hosts: readonly string[]): Entry | null {
    return this.#byHosts.get(hosts.join(' ')) ?? null;
  }

  certificateFor(host: string): AcmeCertificate | null {
    const entry = this.#byHost.get(host);
    if (entry === undefined) return null;
    const { certificate, placeholder } = entry;
    if (placeholder === null || certificate?.hosts.includes(host) === true) return certificate;
    return placeholder;
  }
}

/**
 * Orders certificates of one authority, keeps them in its store and renews them. All of it happens beside the requests:
 * a thread speaks ACME, files are read and written asynchronously, and a tick each second looks at what is due.
 */
export class AcmeManager {
  readonly #terms: AcmeTerms;
  readonly #deps: AcmeManagerDeps;
  readonly #store: AcmeStore;
  readonly #lock: AcmeLock;
  #thread: AcmeThread | null = null;
  #wanted = new Wanted([]);
  /** What `install` is to put in the place of `#wanted`. */
  #staged: Wanted | null = null;
  #account: Promise<StoredAccount> | null = null;
  #stopTicks: (() => void) | null = null;
  #stopped = false;
  /** Is a round of orders under way? */
  #isDriving = false;
  /** Nothing is ordered before this time; by the wall clock, as the other times. */
  #pausedUntil = 0;
  /** Why the authority or the store could not be used, how often in a row. */
  #outages = 0;
  #outage: { readonly message: string; readonly at: number } | null = null;
  #windowsAt = 0;
  #unsavedAt = NEVER;
  #restAt = NEVER;
  #saving: Promise<void> = Promise.resolve();

  constructor(terms: AcmeTerms, deps: AcmeManagerDeps) {
    this.#terms = terms;
    this.#deps = deps;
    this.#store = new AcmeStore(terms.store, terms.directory, (message) => this.#warn(message));
    this.#lock = new AcmeLock(this.#store.folder, deps.clock);
  }

  /**
   * Makes ready for another list of certificates, each for a group of names. Resolves when there is something to serve for
   * each name: the certificate of the store, or a self-signed one. Nothing is ordered for new names before `install`. What
   * fails is told to the observer.
   */
  async stage(groups: readonly (readonly string[])[]): Promise<void> {
    const before = this.#wanted;
    const staged = new Wanted(groups.map((hosts) => before.find(hosts) ?? new Entry(hosts)));
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
    this.#thread?.stop();
    void this.#lock.release().catch(() => {});
  }

  /** What the store has of these. */
  async #read(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await this.#store.open();
      const failures = await this.#store.readFailures();
      for (const entry of entries) {
        const certificate = await this.#store.readCertificate(entry.name);
        if (certificate !== null) this.#adopt(entry, certificate);
        entry.failure = failures.get(entry.name) ?? null;
      }
    } catch (error) {
      this.#noteOutage(`the store cannot be used: ${(error as Error).message}`);
    }
  }

  /** Goes by another certificate. */
  #adopt(entry: Entry, certificate: AcmeCertificate): void {
    entry.certificate = certificate;
    entry.window = null;
    entry.renewAt = entry.isWhole ? renewalTime(certificate) : 0;
    if (entry.isWhole) entry.placeholder = null;
  }

  /** A person may have mended what was wrong: no failure but a rate limit is waited for long. */
  #hurry(): void {
    this.#pausedUntil = 0;
    for (const entry of this.#wanted.entries) {
      const { failure } = entry;
      if (failure === null || failure.isRateLimit) continue;
      entry.failure = { ...failure, retryAt: Math.min(failure.retryAt, failure.at + RESTART_DELAY_MS) };
    }
  }

  /** Makes self-signed certificates, and says for which names. */
  async #placeholders(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      const made = entries.map(async (entry) => {
        const pair = await this.#work.do({ kind: 'self_sign', names: entry.hosts });
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

  #tick(): void {
    const now = this.#now;
    this.#restThread(now);
    if (this.#isDriving) {
      this.#lock.refresh();
      return;
    }
    if (this.#unsavedAt <= now) void this.#save();
    if (this.#pausedUntil > now) return;
    if (this.#windowsAt <= now) void this.#askForWindows();
    if (this.#due() !== null) void this.#drive();
  }

  #restThread(now: number): void {
    if (this.#thread === null || this.#thread.isBusy || this.#isDriving) return;
    if (this.#restAt === NEVER) this.#restAt = now + REST_MS;
    if (this.#restAt > now) return;
    this.#thread.rest();
    // Another one reads the file of `ca` anew.
    this.#thread = null;
  }

  /** What is ordered next: names without a certificate first, then what has been due for longest. */
  #due(): Entry | null {
    const now = this.#now;
    if (this.#stopped || this.#pausedUntil > now) return null;
    let next: Entry | null = null;
    for (const entry of this.#wanted.entries) {
      if (entry.isOrdering || entry.dueAt > now) continue;
      if (next === null || rank(entry) < rank(next)) next = entry;
    }
    return next;
  }

  /** Orders all that is due, a few at a time, while this process has the lock of the store. */
  async #drive(): Promise<void> {
    this.#isDriving = true;
    try {
      await this.#store.open();
      if (!(await this.#lock.acquire())) {
        this.#pausedUntil = this.#now + LOCKED_MS;
        await this.#readIssued();
        return;
      }
      const lanes = Array.from({ length: MOST_ORDERS }, async () => {
        for (let entry = this.#due(); entry !== null; entry = this.#due()) await this.#renew(entry);
      });
      await Promise.all(lanes);
    } catch (error) {
      this.#noteOutage(`the store cannot be used: ${(error as Error).message}`);
    } finally {
      await this.#lock.release().catch(() => {});
      this.#isDriving = false;
    }
  }

  /** Another process orders for this store: what it was issued is ours too. */
  async #readIssued(): Promise<void> {
    for (const entry of this.#wanted.entries) {
      if (entry.dueAt <= this.#now) await this.#readNewer(entry);
    }
  }

  /** Takes over a certificate that another process put into the store. Is there one that need not be renewed? */
  async #readNewer(entry: Entry): Promise<boolean> {
    const found = await this.#store.readCertificate(entry.name);
    if (found === null || found.cert === entry.certificate?.cert) return false;
    if (found.notAfter <= (entry.certificate?.notAfter ?? 0)) return false;
    this.#adopt(entry, found);
    if (entry.isWhole) entry.failure = null;
    await this.#deps.onChange(entry.hosts);
    return entry.dueAt > this.#now;
  }

  /** One order. What fails is noted, and tried again later. */
  async #renew(entry: Entry): Promise<void> {
    entry.isOrdering = true;
    try {
      if (await this.#readNewer(entry)) return;
      const pair = await this.#order(entry);
      if (this.#stopped) return;
      this.#adopt(entry, describe(pair, false));
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

  async #order(entry: Entry): Promise<{ readonly cert: string; readonly key: string }> {
    try {
      return await this.#orderWith(await this.#registered(), entry);
    } catch (error) {
      if (problemOf(error).type !== 'accountDoesNotExist') throw error;
      // The authority has forgotten the account, as test authorities do: the key is registered again.
      return this.#orderWith(await this.#registered(true), entry);
    }
  }

  async #orderWith(
    account: StoredAccount,
    entry: Entry,
  ): Promise<{ readonly cert: string; readonly key: string }> {
    const offered: ChallengeOffer[] = [];
    const { challenges, onChange } = this.#deps;
    const replaces = entry.isWhole ? (entry.certificate?.cert ?? null) : null;
    const { key, url } = account;
    try {
      return await this.#work.do(
        {
          kind: 'order',
          account: { key, url },
          names: entry.hosts,
          challenge: this.#terms.challenge,
          replaces,
        },
        async (offers) => {
          const added = offers.map((offer) => {
            offered.push(offer);
            return challenges.add(offer);
          });
          await Promise.all(added);
          if (offers.some(({ pair }) => pair !== null)) await onChange(offers.map(({ host }) => host));
        },
      );
    } finally {
      for (const offer of offered) challenges.remove(offer);
      const withCertificate = offered.filter(({ pair }) => pair !== null);
      if (withCertificate.length > 0) await onChange(withCertificate.map(({ host }) => host));
    }
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
    const stored = await this.#store.readAccount();
    if (stored !== null && !isForgotten && stored.email === email) return stored;
    const { key, url } = await this.#work
      .do({ kind: 'register', key: stored?.key ?? null, email, externalAccount })
      .catch((error: unknown) => {
        const { message, retryAfterMs } = problemOf(error);
        // No name can be ordered without an account.
        throw new AcmeError({ type: 'account', message: `no account: ${message}`, retryAfterMs });
      });
    const account = { key, url, email };
    await this.#store.writeAccount(account);
    return account;
  }

  /** Writes what is not in the store yet, after what is being written now. */
  #save(): Promise<void> {
    this.#unsavedAt = NEVER;
    this.#saving = this.#saving.then(() => this.#writeUnsaved());
    return this.#saving;
  }

  async #writeUnsaved(): Promise<void> {
    for (const entry of this.#wanted.entries) {
      const { certificate, name } = entry;
      if (!entry.isUnsaved || certificate === null) continue;
      try {
        await this.#store.writeCertificate(name, certificate);
        entry.isUnsaved = entry.certificate !== certificate;
      } catch (error) {
        this.#unsavedAt = this.#now + UNSAVED_MS;
        const { message } = error as Error;
        this.#warn(`acme: the certificate of ${name} is used, but could not be kept: ${message}`);
        return;
      }
    }
  }

  async #noteFailure(entry: Entry, problem: AcmeProblem): Promise<void> {
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

  async #forgetFailure(entry: Entry): Promise<void> {
    if (entry.failure === null) return;
    entry.failure = null;
    await this.#writeFailures();
  }

  /** Of all names: another process with the same store is told too. */
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

  /** The authority or the store cannot be used, which says nothing of a name: nothing is ordered for a while. */
  #noteOutage(message: string, retryAfterMs = 0, entry: Entry | null = null): void {
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
        const { window, retryAfterMs } = await this.#work.do({ kind: 'window', cert: certificate.cert });
        // The directory does not offer it: none of the others is asked for.
        if (window === null) break;
        if (retryAfterMs > 0) delay = Math.min(delay, windowDelay(retryAfterMs));
        if (entry.certificate === certificate) suggest(entry, certificate, window);
      } catch {
        // Renewal at two thirds of the lifetime does not depend on it (RFC 9773, 4.3.3).
        break;
      }
    }
    this.#windowsAt = Math.min(this.#windowsAt, this.#now + delay);
  }

  #tellFailure({ name, hosts }: Entry, reason: string, retryMs: number): void {
    this.#tell({ what: 'certificate_failed', host: name, hosts, reason, retryMs });
  }

  #warn(message: string): void {
    this.#tell({ what: 'warning', message });
  }

  #tell(event: BalancerEvent): void {
    this.#deps.observer.event?.(event);
  }
}

function suggest(entry: Entry, certificate: AcmeCertificate, window: RenewalWindow): void {
  const known = entry.window;
  if (known !== null && known.start === window.start && known.end === window.end) return;
  entry.window = window;
  entry.renewAt = timeInWindow(window, certificate);
}

function rank({ isWhole, dueAt }: Entry): number {
  return isWhole ? dueAt : dueAt - 1e15;
}

function isOutage({ type }: AcmeProblem): boolean {
  return type === 'unreachable' || type === 'serverInternal' || type === 'account' || type === 'internal';
}

function problemOf(error: unknown): AcmeProblem {
  if (error instanceof AcmeError) return error.problem;
  return { type: 'internal', message: (error as Error).message, retryAfterMs: 0 };
}
