import type { Availability } from '../../base/observer.js';
import type { ServerTlsSetting } from '../../config/settings.js';
import type { BanList, MaintenanceStatus } from './status.js';

/** Why a change was refused. */
export type OperationCode =
  | 'unknown_server'
  | 'unknown_route'
  | 'unknown_host'
  | 'duplicate_server'
  | 'last_server'
  | 'unknown_ban'
  | 'bad_value'
  | 'upgrading'
  | 'ending';

/** The change was refused, and nothing was changed. The message is one line and says what to do. */
export class OperationError extends Error {
  readonly code: OperationCode;

  constructor(code: OperationCode, message: string) {
    super(message);
    this.name = 'OperationError';
    this.code = code;
  }
}

/** Changes to servers of a running balancer, by name: they apply to every server of that name. */
export interface Operations {
  /**
   * `draining` and `maintenance` take no new requests; `maintenance` does not serve bound clients either. This and the
   * other operations throw an OperationError if they can't be done; then nothing has changed.
   */
  setAvailability(name: string, to: Availability): void;
  /** 0 to 256; with 0 the server takes no new requests. */
  setWeight(name: string, weight: number): void;
  /**
   * Adds a server to a route, and to the routes that share its list of servers. A server of the file that was removed
   * there is restored.
   */
  addServer(route: string, server: NewServer): void;
  /** Removes a server from every route: requests in flight finish, then its connections close. */
  removeServer(name: string): void;
}

/** How a host is put into maintenance. */
export interface MaintenanceTerms {
  /** ms, after which it ends by itself; null, which is the default: it does not. */
  readonly forMs?: number | null;
  /** Addresses and CIDRs of the clients that are served as usual; none by default. */
  readonly allow?: readonly string[];
}

/** Puts hosts into maintenance: their requests are answered with 503, whatever servers they have. */
export interface MaintenanceOperations {
  /**
   * `host`: a name of the settings file, a name that a wildcard of it stands for, or `*` for every host. `terms`: null ends
   * it. Throws an OperationError for a host that the file does not have, and for wrong terms.
   */
  setHostMaintenance(host: string, terms: MaintenanceTerms | null): void;
  /** Those of operators, and the places that the settings file has in maintenance. */
  maintenances(): readonly MaintenanceStatus[];
}

/** Lists and ends bans of clients. */
export interface BanOperations {
  bans(): BanList;
  /**
   * Ends the bans of a client, with a clean record, and returns the names of the firewalls that had banned it. `client`:
   * an address; for IPv6 any address of its /64. Throws an OperationError when it is not an address, or not banned.
   */
  unban(client: string): readonly string[];
}

/** The settings of a server, like an entry of `servers` in the file. */
export interface NewServer {
  /** `host:port`, or `https://host:port`. */
  readonly address: string;
  readonly name?: string;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly max_connections?: number;
  /**
   * Without it, a server with https:// gets the TLS settings of the other servers with TLS of its route, if they are all
   * the same. A passphrase can be given only in the file.
   */
  readonly tls?: ServerTlsSetting;
}
