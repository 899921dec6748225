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
  | 'ending';

/** A change that cannot be made; nothing was changed. The message is one line and says what to do. */
export class OperationError extends Error {
  readonly code: OperationCode;

  constructor(code: OperationCode, message: string) {
    super(message);
    this.name = 'OperationError';
    this.code = code;
  }
}

/** What a balancer can be told about its servers while it runs, by name: it applies to every server of that name. */
export interface Operations {
  /**
   * `draining` and `maintenance` take no new requests; `maintenance` does not serve clients bound to the server either.
   * This and the others throw an OperationError when they can't be done; then nothing has changed.
   */
  setAvailability(name: string, to: Availability): void;
  /** 0 to 256; 0 takes no new requests. */
  setWeight(name: string, weight: number): void;
  /**
   * Adds a server to a route, and to the routes that share its list of servers. One that the file has
   * there and that was removed comes back.
   */
  addServer(route: string, server: NewServer): void;
  /** Takes it out of every route: requests on it finish, then its connections close. */
  removeServer(name: string): void;
}

/** What can be asked and told of clients that are refused for what they did. */
export interface BanOperations {
  bans(): BanList;
  /**
   * Lets a client in again, with a clean record, and returns the names of the firewalls that had banned it. `client`: an
   * address; of an IPv6 client any of its /64. Throws an OperationError when it is no address, or not banned.
   */
  unban(client: string): readonly string[];
}

/** A server as an entry of `servers` in the file would describe it. */
export interface NewServer {
  /** `host:port`, or `https://host:port`. */
  readonly address: string;
  readonly name?: string;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly max_connections?: number;
  /**
   * Without it a server with https:// in front of its address has what the servers with TLS of its route have in common,
   * if all of them have the same. A passphrase is given in the file only.
   */
  readonly tls?: ServerTlsSetting;
}
