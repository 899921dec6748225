import type { IpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import { statusIn } from '../config/statuses.js';
import type { BanConfig } from '../config/types.js';
import { type ClientGuard, FORBIDDEN } from './guard.js';
import { RecentMap } from './recent-map.js';

/** Clients that may be banned at once. */
const MAX_BANS = 100_000;
/** Offences remembered, over all clients: 8 MB. */
const MAX_OFFENCES = 1_000_000;
const MAX_OFFENDERS = 10_000;

/** When a client's last offences were, as many as make a ban. */
interface Offences {
  readonly times: Float64Array;
  /** Where the next one goes: on the oldest. */
  next: number;
}

/**
 * Refuses clients by what they did: whoever got `count` responses of the named statuses `within` ms is refused `for`
 * ms from then on, and has a clean record after that. What a client gets while it is banned prolongs nothing.
 */
export class Ban implements ClientGuard {
  readonly name = 'ban';
  readonly refusal = FORBIDDEN;
  readonly #config: BanConfig;
  readonly #clock: Clock;
  readonly #offenders: RecentMap<Offences>;
  /** Until when, in monotonic ms. */
  readonly #bans: RecentMap<number>;

  constructor(config: BanConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const offenders = Math.max(2, Math.min(MAX_OFFENDERS, Math.floor(MAX_OFFENCES / config.count)));
    this.#offenders = new RecentMap(offenders, config.within);
    this.#bans = new RecentMap(MAX_BANS, config.for);
  }

  /** Clients that are banned or on record. */
  get size(): number {
    return this.#offenders.size + this.#bans.size;
  }

  admits(client: IpAddress): boolean {
    return this.#bans.size === 0 || !this.#isBanned(client.key, this.#clock.now());
  }

  /** Told of every response; the one place where records grow. True when it was the one that makes a ban. */
  note(client: IpAddress, status: number): boolean {
    if (!statusIn(this.#config.status, status)) return false;
    const now = this.#clock.now();
    if (this.#isBanned(client.key, now)) return false;
    const { times, next } = this.#advance(client.key, now);
    // `next` is the oldest again: with it, as many as make a ban.
    if (now - (times[next] as number) > this.#config.within) return false;
    this.#offenders.delete(client.key);
    this.#bans.set(client.key, now + this.#config.for, now);
    return true;
  }

  /** Writes down an offence of now, in the place of the client's oldest. */
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

  /** Clients that are banned, each with the ms that are left of it. */
  *standing(): Generator<[client: string, leftMs: number]> {
    const now = this.#clock.now();
    for (const [client, until] of this.#bans.entries()) if (until > now) yield [client, until - now];
  }

  /** Lets a client in again, with a clean record; false when it was not banned. `client`: an `IpAddress.key`. */
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
