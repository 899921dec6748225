import type { Availability } from '../../base/observer.js';
import type { ServerTlsSetting } from '../../config/settings.js';
import type { BanList } from './status.js';

/** Why a change was refused. */
export type OperationCode =
  | 'unknown_server'
  | 'unknown_route'
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
