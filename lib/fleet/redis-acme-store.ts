import type { Clock } from '../base/timer-wheel.js';
import { certificateText, isFor, isNewer, readCertificate } from '../tls/acme-certificate.js';
import { AcmeFolder, authorityName } from '../tls/acme-folder.js';
import type { ChallengeOffer } from '../tls/acme-protocol.js';
import type { AcmeCertificate } from '../tls/acme-source.js';
import {
  type AcmeStore,
  type AcmeStoreUser,
  type OrderLock,
  readAccount,
  readFailures,
  type StoredAccount,
  type StoredFailure,
} from '../tls/acme-store.js';
import { AcmeLease } from './acme-lease.js';
import { type AcmeKeys, AcmeNews, CHANGE, KEEP_MS, setName } from './acme-news.js';
import type { FleetLink } from './fleet-link.js';
import { Script } from './script.js';

/** How long the lease of a node that orders lasts when it is not extended, in ms. */
const LEASE_MS = 30_000;
/**
 * How long after a loss of Redis no other node begins to order, in ms: the one that was ordering takes its lease again
 * first.
 */
const RESUME_MS = 5000;
const LEASE_ENDED = 'the lease to order has ended meanwhile';

/**
 * Keeps a certificate unless there is one that was issued later. KEYS: version, what was issued, the certificate, the
 * account. ARGV: Unix times of its beginning and its end in ms, ms until then, its text, the names it is for.
 */
const KEEP = new Script(`${CHANGE}
local known = redis.call('GET', KEYS[3])
if known then
  local begins, ends = string.match(known, '^(%d+) (%d+) ')
  local later = (tonumber(begins) or 0) - tonumber(ARGV[1])
  if later > 0 or (later == 0 and tonumber(ends) >= tonumber(ARGV[2])) then return 0 end
end
redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], change(), ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ${KEEP_MS})
redis.call('PEXPIRE', KEYS[2], ${KEEP_MS})
redis.call('PEXPIRE', KEYS[4], ${KEEP_MS})
return 1
`);

export interface RedisAcmeTerms {
  readonly clock: Clock;
  readonly prefix: string;
  /** Of this node, for people. */
  readonly node: string;
  /** The folder of this node, which has copies. */
  readonly store: string;
  readonly directory: string;
  /** Resolves when it is known whether Redis answers. */
  readonly untilKnown: () => Promise<void>;
  readonly onClose: (store: RedisAcmeStore) => void;
}

/**
 * What nodes share of one authority, in Redis: the account, certificates with their keys, failures, open challenges and the
 * lease of who orders. The folder of each node has a copy of account and certificates. While Redis is away a node goes by
 * its copies, and orders nothing; what Redis has lost is written again from them.
 */
export class RedisAcmeStore implements AcmeStore {
  readonly #link: FleetLink;
  readonly #terms: RedisAcmeTerms;
  readonly #user: AcmeStoreUser;
  readonly #folder: AcmeFolder;
  readonly #place: string;
  readonly #keys: AcmeKeys;
  readonly #lease: AcmeLease;
  readonly #news: AcmeNews;
  /** From when on this node may begin to order, by the clock. */
  #resumeAt = Number.NEGATIVE_INFINITY;

  constructor(link: FleetLink, terms: RedisAcmeTerms, user: AcmeStoreUser) {
    const { clock, prefix, node, store, directory } = terms;
    this.#link = link;
    this.#terms = terms;
    this.#user = user;
    this.#folder = new AcmeFolder(store, directory, { clock, warn: (message) => user.warn(message) });
    this.#place = `${prefix}:{acme}:${authorityName(directory)}`;
    this.#keys = {
      version: `${this.#place}:version`,
      challenges: `${this.#place}:challenges`,
      nodes: `${this.#place}:nodes`,
      issued: `${this.#place}:issued`,
    };
    this.#lease = new AcmeLease(link, { clock, key: `${this.#place}:lock`, node, leaseMs: LEASE_MS });
    this.#news = new AcmeNews(link, this.#keys, user);
  }

  /** Challenges that other nodes have open now are answered before the first listener opens. */
  async open(): Promise<void> {
    await this.#folder.open();
    await this.#terms.untilKnown();
    if (this.#link.state === 'shared') await this.#news.look().catch(() => {});
  }

  /** Takes over what other nodes have changed; called a few times each second while Redis answers. */
  look(): Promise<void> {
    return this.#news.look();
  }

  /** Redis answers again, or for the first time. */
  begin(wasLost: boolean): void {
    if (wasLost) this.#resumeAt = this.#terms.clock.now() + RESUME_MS;
    this.#news.begin();
    this.#lease.extend(true);
  }

  async readAccount(): Promise<StoredAccount | null> {
    const text = await this.#link.call('GET', [this.#account]);
    const shared = this.#understand(this.#account, text, readAccount);
    const local = await this.#folder.readAccount();
    if (shared === null) {
      if (local !== null) await this.#shareAccount(local);
      return local;
    }
    if (local?.key !== shared.key || local.url !== shared.url || local.email !== shared.email)
      await this.#folder.writeAccount(shared);
    return shared;
  }

  async writeAccount(account: StoredAccount): Promise<void> {
    await this.#shareAccount(account);
    await this.#folder.writeAccount(account);
  }

  async #shareAccount(account: StoredAccount): Promise<void> {
    await this.#link.call('SET', [this.#account, JSON.stringify(account), 'PX', KEEP_MS]);
  }

  /** While Redis is away: the copy of this node. */
  async readCertificate(hosts: readonly string[]): Promise<AcmeCertificate | null> {
    const local = await this.#folder.readCertificate(hosts);
    if (this.#link.state !== 'shared') return local;
    try {
      const key = this.#certificate(hosts);
      const shared = this.#understand(key, await this.#link.call('GET', [key]), readCertificate);
      const own = local !== null && isFor(local, hosts) ? local : null;
      if (shared === null || (own !== null && isNewer(own, shared))) {
        if (own !== null) await this.#share(hosts, own);
        return local;
      }
      if (shared.cert !== local?.cert) await this.#copy(hosts, shared);
      return shared;
    } catch {
      // The link has noted that Redis is lost.
      return local;
    }
  }

  async #copy(hosts: readonly string[], certificate: AcmeCertificate): Promise<void> {
    try {
      await this.#folder.writeCertificate(hosts, certificate);
    } catch (error) {
      const { message } = error as Error;
      this.#user.warn(`acme: the certificate of ${hosts[0]} is used, but has no copy here: ${message}`);
    }
  }

  /** The copy first, so that it is not lost with Redis. */
  async writeCertificate(hosts: readonly string[], certificate: AcmeCertificate): Promise<void> {
    await this.#folder.writeCertificate(hosts, certificate);
    await this.#share(hosts, certificate);
  }

  async #share(hosts: readonly string[], certificate: AcmeCertificate): Promise<void> {
    const { version, issued } = this.#keys;
    const { notBefore, notAfter } = certificate;
    const left = Math.ceil(notAfter - this.#terms.clock.wall());
    if (left <= 0) return;
    const keys = [version, issued, this.#certificate(hosts), this.#account];
    const text = certificateText(certificate);
    await KEEP.run(this.#link, keys, [notBefore, notAfter, left, text, setName(hosts)]);
  }

  /** None while Redis is away, when nothing is ordered anyway. */
  async readFailures(): Promise<Map<string, StoredFailure>> {
    if (this.#link.state !== 'shared') return new Map();
    try {
      const text = await this.#link.call('GET', [this.#failures]);
      return this.#understand(this.#failures, text, readFailures) ?? new Map<string, StoredFailure>();
    } catch {
      return new Map();
    }
  }

  async writeFailures(failures: ReadonlyMap<string, StoredFailure>): Promise<void> {
    const text = JSON.stringify(Object.fromEntries(failures));
    await this.#link.call('SET', [this.#failures, text, 'PX', KEEP_MS]);
  }

  async acquire(): Promise<OrderLock> {
    if (this.#link.state !== 'shared') return 'away';
    if (!this.#lease.isHeld && this.#terms.clock.now() < this.#resumeAt) return 'taken';
    try {
      return (await this.#lease.take()) ? 'held' : 'taken';
    } catch {
      return 'away';
    }
  }

  refresh(): void {
    this.#lease.extend();
  }

  release(): Promise<void> {
    return this.#lease.giveBack();
  }

  async publish(offers: readonly ChallengeOffer[]): Promise<void> {
    // Redis is asked: a machine that was suspended does not know by its clock how long.
    if (!this.#lease.isHeld || !(await this.#lease.take())) throw new Error(LEASE_ENDED);
    await this.#news.publish(offers);
    if (!this.#lease.isHeld) throw new Error(LEASE_ENDED);
  }

  withdraw(offers: readonly ChallengeOffer[]): Promise<void> {
    return this.#news.withdraw(offers);
  }

  close(): void {
    this.#terms.onClose(this);
    if (this.#link.state !== 'shared') return;
    // What cannot be said now is known when the lease has expired, and when others miss this node.
    this.#lease.giveBack().catch(() => {});
    this.#news.leave().catch(() => {});
  }

  get #account(): string {
    return `${this.#place}:account`;
  }

  get #failures(): string {
    return `${this.#place}:failures`;
  }

  #certificate(hosts: readonly string[]): string {
    return `${this.#place}:certificate:${setName(hosts)}`;
  }

  /** What cannot be understood counts as missing, with a warning. */
  #understand<T>(key: string, value: unknown, understand: (text: string) => T): T | null {
    if (typeof value !== 'string') return null;
    try {
      return understand(value);
    } catch (error) {
      this.#user.warn(`acme: ${key} in Redis cannot be understood (${(error as Error).message})`);
      return null;
    }
  }
}
