import type { IpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import { statusIn } from '../config/statuses.js';
import type { BanConfig } from '../config/types.js';
import { type ClientGuard, FORBIDDEN } from './guard.js';
import { RecentMap } from './recent-map.js';

/** Clients that may be banned at once. */
const MAX_BANS = 100_000;
/** Offences recorded, over all clients: 8 MB. */
const MAX_OFFENCES = 1_000_000;
const MAX_OFFENDERS = 10_000;

/** The times of a client's last offences, as many as lead to a ban. */
interface Offences {
  readonly times: Float64Array;
  /** The index of the next one: it overwrites the oldest. */
  next: number;
}

/**
 * Refuses clients for their past responses: a client that got `count` responses with one of the statuses `within` ms is
 * refused `for` ms from then on, and its record is cleared. Responses during a ban do not prolong it.
 */
export class Ban implements ClientGuard {
  readonly name = 'ban';
  readonly refusal = FORBIDDEN;
  readonly #config: BanConfig;
  readonly #clock: Clock;
  readonly #offenders: RecentMap<Offences>;
  /** The end of each ban, in monotonic ms. */
  readonly #bans: RecentMap<number>;

  constructor(config: BanConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const offenders = Math.max(2, Math.min(MAX_OFFENDERS, Math.floor(MAX_OFFENCES / config.count)));
    this.#offenders = new RecentMap(offenders, config.within);
    this.#bans = new RecentMap(MAX_BANS, config.for);
  }

  /** Clients that are banned or have a record. */
  get size(): number {
    return this.#offenders.size + this.#bans.size;
  }

  admits(client: IpAddress): boolean {
    return this.#bans.size === 0 || !this.#isBanned(client.key, this.#clock.now());
  }

  /** Called for every response; records grow nowhere else. True if this response led to a ban. */
  note(client: IpAddress, status: number): boolean {
    if (!statusIn(this.#config.status, status)) return false;
    const now = this.#clock.now();
    if (this.#isBanned(client.key, now)) return false;
    const { times, next } = this.#advance(client.key, now);
    // `next` is the oldest again: it and all later ones lead to a ban if it is recent enough.
    if (now - (times[next] as number) > this.#config.within) return false;
    this.#offenders.delete(client.key);
    this.#bans.set(client.key, now + this.#config.for, now);
    return true;
  }

  /** Records an offence at the present time in place of the client's oldest. */
  #advance(key: string, now: number): Offences {
    let record = this.#offenders.get(key, now);
    if (record === undefined) {
      const times = new Float64Array(this.#config.count).fill(Number.NEGATIVE_INFINITY);
      record = { times, next: 0 };
      this.#offenders.set(key, record, now);
    }
    record.times[record.next] = now;
    record.next = (record.next + 1) % record.times.length;
    return record;
  }

  /** Clients that are banned, each with the ms until its ban ends. */
  *banned(): Generator<[client: string, leftMs: number]> {
    const now = this.#clock.now();
    for (const [client, until] of this.#bans.entries()) if (until > now) yield [client, until - now];
  }

  /** Ends the ban of a client (an `IpAddress.key`) and clears its record; false when it was not banned. */
  lift(client: string): boolean {
    const wasBanned = this.#isBanned(client, this.#clock.now());
    this.#bans.delete(client);
    this.#offenders.delete(client);
    return wasBanned;
  }

  #isBanned(key: string, now: number): boolean {
    const until = this.#bans.get(key, now);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#bans.delete(key);
    return false;
  }
}
