import { createHash } from 'node:crypto';
import type { IpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import type { RateLimitConfig } from '../config/types.js';
import type { FirewallRefusal, GuardedRequest, RequestGuard } from './guard.js';
import { RecentMap } from './recent-map.js';

/** Clients whose buckets are held at once, for each of the two kinds of key. */
const MAX_BUCKETS = 100_000;
/** A longer header or cookie is stored as its digest: 100,000 session tokens of 4 KiB would take 400 MiB. */
const MAX_KEY_LENGTH = 64;
/** A bucket that fills sooner is still kept this long, so that the maps are not exchanged all the time. */
const LEAST_KEEP_MS = 1000;
/** Rounding must not cost a client its last token: it may be short by a billionth. */
const ROUNDING = 1e-9;

interface Bucket {
  /** Tokens that are missing from a full bucket, at `at`. */
  missing: number;
  /** Monotonic ms. */
  at: number;
}

/**
 * A token bucket for each client: `burst` requests at once, refilled evenly by `requests` in `per` ms. Between any two
 * moments no client gets more than `burst` plus what was refilled between them. A full bucket is forgotten.
 *
 * A refusal says when to come back, with Retry-After (RFC 9110, 10.2.3) and with the fields of
 * draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "default";q=100;w=1` (the quota for a window in seconds)
 * and `RateLimit: "default";r=0;t=1` (what is left of it, and for how many seconds that holds).
 */
export class RateLimit implements RequestGuard {
  readonly name = 'rate_limit';
  readonly #config: RateLimitConfig;
  readonly #clock: Clock;
  /** Tokens per ms. */
  readonly #rate: number;
  readonly #policy: string;
  readonly #byAddress: RecentMap<Bucket>;
  /**
   * Buckets by a header or cookie. They are separate, so that no client can empty the bucket of an address by sending
   * that address in a header.
   */
  readonly #byValue: RecentMap<Bucket>;

  constructor(config: RateLimitConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#rate = config.requests / config.per;
    const window = Math.ceil(config.per / 1000);
    this.#policy = `RateLimit-Policy: "default";q=${Math.floor(this.#rate * window * 1000 + ROUNDING)};w=${window}\r\n`;
    const keepMs = Math.max(LEAST_KEEP_MS, config.burst / this.#rate);
    this.#byAddress = new RecentMap(MAX_BUCKETS, keepMs);
    this.#byValue = new RecentMap(MAX_BUCKETS, keepMs);
  }

  /** The number of buckets. */
  get size(): number {
    return this.#byAddress.size + this.#byValue.size;
  }

  /** Takes a token; a refused request takes none. */
  judge(request: GuardedRequest, client: IpAddress): FirewallRefusal | null {
    const bucket = this.#bucketOf(request, client);
    const short = bucket.missing + 1 - this.#config.burst;
    if (short > ROUNDING) return this.#refuse(short / this.#rate);
    bucket.missing++;
    return null;
  }

  /** Takes the token, if there is one, for a request that can't be read, of which only the client is known. */
  count(client: IpAddress): void {
    const bucket = this.#bucketOf(null, client);
    bucket.missing = Math.min(this.#config.burst, bucket.missing + 1);
  }

  /** The bucket as of now. */
  #bucketOf(request: GuardedRequest | null, client: IpAddress): Bucket {
    const now = this.#clock.now();
    const value = request === null ? '' : this.#valueOf(request);
    const buckets = value === '' ? this.#byAddress : this.#byValue;
    const key = value === '' ? client.key : value.length > MAX_KEY_LENGTH ? digest(value) : value;
    let bucket = buckets.get(key, now);
    if (bucket === undefined) {
      bucket = { missing: 0, at: now };
      buckets.set(value === '' ? key : ownCopy(key), bucket, now);
    }
    bucket.missing = Math.max(0, bucket.missing - (now - bucket.at) * this.#rate);
    bucket.at = now;
    return bucket;
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

function digest(value: string): string {
  return createHash('sha256').update(value, 'latin1').digest('base64');
}

/** A value cut from a head keeps the whole head in memory; a copy does not. */
function ownCopy(value: string): string {
  return Buffer.from(value, 'latin1').toString('latin1');
}
