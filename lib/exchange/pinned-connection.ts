import type { ClientPin, ClientSide } from '../http/flow.js';
import type { Lease, LeaseListener } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';

/**
 * Connections to servers that one client's connection has to itself. They are lent to no other client, for as long as both
 * connections last. There are two kinds:
 *
 * - NTLM and Negotiate authenticate a connection and not a request (RFC 4559), so that the next client on it would be taken
 *   for this one. The client's further requests go to that server, as it expects.
 * - A PROXY header tells a server whose connection it is. The client's further requests go to whichever server is picked,
 *   and find the connection there that has told of this client.
 */
class OwnConnections implements ClientPin {
  #pinned: { readonly server: Server; readonly lease: Lease } | null = null;
  /** Those that have told of the client, one for each server. */
  readonly #announced = new Map<Server, Lease>();

  /** The one that the client has authenticated. */
  get pinned(): { readonly server: Server; readonly lease: Lease } | null {
    return this.#pinned;
  }

  /** `lease` takes the place of the one before. */
  pin(server: Server, lease: Lease): void {
    if (this.#pinned?.lease === lease) return;
    if (this.#pinned !== null) drop(this.#pinned.lease);
    this.#pinned = { server, lease };
  }

  announce(server: Server, lease: Lease): void {
    this.#announced.set(server, lease);
  }

  /** Takes the one to `server` back into use; null when there is none any more. */
  reclaim(server: Server): Lease | null {
    if (this.#pinned?.server === server && this.#pinned.lease.reclaim()) return this.#pinned.lease;
    const announced = this.#announced.get(server);
    if (announced === undefined) return null;
    if (announced.reclaim()) return announced;
    this.#announced.delete(server);
    return null;
  }

  /** The client is gone. */
  release(): void {
    if (this.#pinned !== null) drop(this.#pinned.lease);
    for (const lease of this.#announced.values()) drop(lease);
    this.#announced.clear();
  }
}

/** Closes what is kept; what is in use ends with its request. */
function drop(lease: Lease): void {
  if (lease.reclaim()) lease.discard();
}

/** The server to which a client has authenticated a connection; null when it has none any more. */
export function pinnedServer(pin: ClientPin): Server | null {
  if (!(pin instanceof OwnConnections) || pin.pinned === null) return null;
  const { server, lease } = pin.pinned;
  return server.takesBound && lease.isKept ? server : null;
}

/** The client's own connection to `server`, else what its pool lends: null when `requester` is told later. */
export function leaseFor(pin: ClientPin, server: Server, requester: LeaseListener): Lease | null {
  const own = pin instanceof OwnConnections ? pin.reclaim(server) : null;
  return own ?? server.pool.lease(requester);
}

/** Is `lease` one that the client has authenticated, or does its request do so? */
export function isPinned(client: ClientSide, lease: Lease): boolean {
  const { pin, head } = client;
  return (pin instanceof OwnConnections && pin.pinned?.lease === lease) || head.authenticatesConnection;
}

/** A request of `client` is answered: the connection goes back to its pool, or is kept for the client's next one. */
export function giveBack(client: ClientSide, server: Server, lease: Lease): void {
  const isAuthenticated = isPinned(client, lease);
  if (!isAuthenticated && server.pool.limits.sendProxy === null) {
    lease.release();
    return;
  }
  if (!(client.pin instanceof OwnConnections)) client.pin = new OwnConnections();
  const own = client.pin as OwnConnections;
  if (isAuthenticated) own.pin(server, lease);
  else own.announce(server, lease);
  lease.release(true);
}
