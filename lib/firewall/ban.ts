import { identityOf } from '../base/identity.js';
import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import { statusIn } from '../config/statuses.js';
import type { BanConfig } from '../config/types.js';
import type { ClientBans } from '../shared/client-bans.js';
import type { ClientOffences } from '../shared/client-offences.js';
import type { ClientTables } from '../shared/client-tables.js';
import type { KeyedHash } from '../shared/keyed-hash.js';
import { type ClientGuard, FORBIDDEN } from './guard.js';

/**
 * Refuses clients for their past responses: a client that got `count` responses with one of the statuses `within` ms is
 * refused `for` ms from then on, in all threads, and its record is cleared. Responses during a ban do not prolong it.
 */
export class Ban implements ClientGuard {
  readonly name = 'ban';
  readonly refusal = FORBIDDEN;
  readonly #config: BanConfig;
  readonly #clock: Clock;
  readonly #offences: ClientOffences;
  readonly #bans: ClientBans;
  readonly #hash: KeyedHash;

  /** `names`: those of the ban's scope, by which every thread and the next configuration find the same bans. */
  constructor(config: BanConfig, clock: Clock, clients: ClientTables, names: readonly string[]) {
    this.#config = config;
    this.#clock = clock;
    this.#offences = clients.offences;
    this.#bans = clients.bans;
    this.#hash = clients.scopes.hashFor(`ban ${identityOf(config)}`, names);
  }

  admits(client: IpAddress): boolean {
    return this.#bans.isEmpty || !this.#bans.isBanned(this.#hash.ofClient(client), this.#clock.now());
  }

  /** Called for every response; records grow nowhere else. True if this response led to a ban. */
  note(client: IpAddress, status: number): boolean {
    if (!statusIn(this.#config.status, status)) return false;
    const now = this.#clock.now();
    if (this.#bans.isBanned(this.#hash.ofClient(client), now)) return false;
    if (!this.#offences.note(this.#hash.ofClient(client), this.#config, now)) return false;
    const isNew = this.#bans.add(this.#hash, client, now + this.#config.for, now);
    // Another thread may have noted a response since the record was removed.
    this.#offences.forget(this.#hash.ofClient(client), this.#config);
    return isNew;
  }

  /** Bans a client (an `IpAddress.key`) for `ms`, as another node has; false if it is banned already, or none can be. */
  adopt(client: string, ms: number): boolean {
    const address = clientOf(client);
    const now = this.#clock.now();
    return address !== null && this.#bans.add(this.#hash, address, now + ms, now);
  }

  /** Clients that are banned, each with the ms until its ban ends. */
  *banned(): Generator<[client: string, leftMs: number]> {
    const now = this.#clock.now();
    for (const { client, until } of this.#bans.list(this.#hash, now)) yield [client, until - now];
  }

  /** Ends the ban of a client (an `IpAddress.key`) and clears its record; false when it was not banned. */
  lift(client: string): boolean {
    const address = clientOf(client);
    if (address === null) return false;
    const wasBanned = this.#bans.lift(this.#hash.ofClient(address), this.#clock.now());
    this.#offences.forget(this.#hash.ofClient(address), this.#config);
    return wasBanned;
  }

  /** The same for the bans that this one continues. */
  get identity(): string {
    return this.#hash.identity;
  }

  /** Ends all bans: no configuration has them any more. */
  end(): void {
    this.#bans.clear(this.#hash);
  }
}

/** The client that an `IpAddress.key` stands for. */
function clientOf(key: string): IpAddress | null {
  const { unix } = IpAddress;
  return key === unix.key ? unix : parseIpAddress(key.replace(/\/64$/, ''));
}
