import { AddressSet } from '../base/address-set.js';
import type { IpAddress } from '../base/ip-address.js';
import type { Clock } from '../base/timer-wheel.js';
import { parseHostName } from '../config/host-name.js';
import { USUAL_RETRY_AFTER } from '../config/maintenance.js';
import type { MaintenanceConfig } from '../config/types.js';
import type { LocalReply, Maintenance } from '../exchange/context.js';
import { HostTable } from './host-table.js';

/** A host that an operator has put into maintenance. Plain data: all threads of a balancer have the same. */
export interface HostMaintenance {
  /** As in the settings file: `www.mango.com`, `*.mango.com`; `*` is every host. */
  readonly host: string;
  /** ms since the epoch. */
  readonly since: number;
  /** ms since the epoch; null: it ends when an operator ends it. */
  readonly until: number | null;
  /** Addresses and CIDRs of the clients that are served as usual. */
  readonly allow: readonly string[];
}

/** The host that stands for all of them. */
export const EVERY_HOST = '*';

/**
 * The hosts in maintenance, for requests. The exact name is looked for first, then the longest wildcard, then `*`. A wildcard
 * closes the hosts that are served by it: those that the settings name more closely are hosts of their own.
 */
export class HostMaintenances {
  readonly #hosts = new HostTable<Closed>();
  #everywhere: Closed | null = null;
  readonly #clock: Clock;

  private constructor(list: Iterable<HostMaintenance>, clock: Clock) {
    this.#clock = clock;
    for (const one of list) {
      const closed = { ...one, allow: new AddressSet(one.allow) };
      if (one.host === EVERY_HOST) this.#everywhere = closed;
      else this.#hosts.add(parseHostName(one.host), closed);
    }
  }

  /** null when there are none: nothing is asked per request then. */
  static of(list: readonly HostMaintenance[], clock: Clock): HostMaintenances | null {
    return list.length === 0 ? null : new HostMaintenances(list, clock);
  }

  /** What a request for the host is answered; null: it is served. `settings`: how closely these name hosts. */
  judge(host: string, client: IpAddress, settings: Pick<HostTable<unknown>, 'closeness'>): LocalReply | null {
    const own = this.#hosts.find(host);
    const isMeant = own !== undefined && this.#hosts.closeness(host) >= settings.closeness(host);
    const found = isMeant ? own : this.#everywhere;
    if (found === null || found.allow.has(client)) return null;
    if (found.until === null) return inMaintenance(found.host, USUAL_RETRY_AFTER);
    const left = found.until - this.#clock.wall();
    return left <= 0 ? null : inMaintenance(found.host, left);
  }
}

interface Closed {
  readonly host: string;
  readonly until: number | null;
  readonly allow: AddressSet;
}

/** A place of the settings file that is in maintenance, for requests. */
export class PlaceInMaintenance implements Maintenance {
  static readonly #made = new WeakMap<MaintenanceConfig, PlaceInMaintenance>();
  readonly #allow: AddressSet;
  readonly #reply: LocalReply;

  private constructor({ name, allow, retryAfter }: MaintenanceConfig) {
    this.#allow = new AddressSet(allow);
    this.#reply = inMaintenance(name, retryAfter);
  }

  /** One for all routes that inherit it; null: the place is open. */
  static of(config: MaintenanceConfig | null): PlaceInMaintenance | null {
    if (config === null) return null;
    const known = PlaceInMaintenance.#made.get(config) ?? new PlaceInMaintenance(config);
    PlaceInMaintenance.#made.set(config, known);
    return known;
  }

  /** What a request is answered; null: it is served. */
  judge(client: IpAddress): LocalReply | null {
    return this.#allow.has(client) ? null : this.#reply;
  }
}

function inMaintenance(name: string, retryAfterMs: number): LocalReply {
  return {
    status: 503,
    reason: 'maintenance',
    detail: `maintenance of ${name === EVERY_HOST ? 'every host' : name}`,
    fields: `Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`,
  };
}
