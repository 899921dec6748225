import { identityOf } from '../base/identity.js';
import type { IpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import type { RateLimitConfig } from '../config/types.js';
import type { ClientTables } from '../shared/client-tables.js';
import type { Digest, KeyedHash } from '../shared/keyed-hash.js';
import type { BucketTerms, RateBuckets } from '../shared/rate-buckets.js';
import type { FirewallRefusal, GuardedRequest, RequestGuard } from './guard.js';

/** Rounding must not make a window shorter or a wait longer by one. */
const ROUNDING = 1e-9;

/**
 * A token bucket for each client: `burst` requests at once, refilled evenly by `requests` in `per` ms. Between any two
 * moments no client gets more than `burst` plus what was refilled between them, in all threads together.
 *
 * A refusal says when to come back, with Retry-After (RFC 9110, 10.2.3) and with the fields of
 * draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "default";q=100;w=1` (the quota for a window in seconds)
 * and `RateLimit: "default";r=0;t=1` (what is left of it, and for how many seconds that holds).
 */
export class RateLimit implements RequestGuard {
  readonly name = 'rate_limit';
  readonly #config: RateLimitConfig;
  readonly #clock: Clock;
  readonly #policy: string;
  readonly #buckets: RateBuckets;
  readonly #terms: BucketTerms;
  readonly #byAddress: KeyedHash;
  /**
   * Buckets by a header or cookie. They are separate, so that no client can empty the bucket of an address by sending
   * that address in a header.
   */
  readonly #byValue: KeyedHash;

  /** `names`: those of the limit's scope, by which every thread and the next configuration find the same buckets. */
  constructor(config: RateLimitConfig, clock: Clock, clients: ClientTables, names: readonly string[]) {
    this.#config = config;
    this.#clock = clock;
    this.#buckets = clients.rates;
    const interval = config.per / config.requests;
    this.#terms = { interval, depth: config.burst * interval };
    const settings = identityOf(config);
    this.#byAddress = clients.scopes.hashFor(`rate_limit by address ${settings}`, names);
    this.#byValue = clients.scopes.hashFor(`rate_limit by value ${settings}`, names);
    const window = Math.ceil(config.per / 1000);
    this.#policy = `RateLimit-Policy: "default";q=${Math.floor((config.requests / config.per) * window * 1000 + ROUNDING)};w=${window}\r\n`;
  }

  /** Takes a token; a refused request takes none. */
  judge(request: GuardedRequest, client: IpAddress): FirewallRefusal | null {
    const wait = this.#buckets.take(this.#clientOf(request, client), this.#terms, this.#clock.now());
    return wait === 0 ? null : this.#refuse(wait);
  }

  /** Takes the token, if there is one, for a request that can't be read, of which only the client is known. */
  count(client: IpAddress): void {
    this.#buckets.spend(this.#byAddress.ofClient(client), this.#terms, this.#clock.now());
  }

  #clientOf(request: GuardedRequest, client: IpAddress): Digest {
    const value = this.#valueOf(request);
    return value === '' ? this.#byAddress.ofClient(client) : this.#byValue.ofText(value);
  }

  /** The header or cookie that identifies the client; empty when its address does. */
  #valueOf(request: GuardedRequest): string {
    const { key } = this.#config;
    if (key.kind === 'client_ip') return '';
    const values = key.kind === 'header' ? request.spellings(key.name) : request.cookie(key.name);
    return values[0] ?? '';
  }

  #refuse(waitMs: number): FirewallRefusal {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000 - ROUNDING));
    const fields = `Retry-After: ${seconds}\r\n${this.#policy}RateLimit: "default";r=0;t=${seconds}\r\n`;
    return { status: this.#config.status, fields };
  }
}
