import type { ClientPin, ClientSide } from '../http/flow.js';
import type { Lease, LeaseListener } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';

/**
 * Server connections that belong to one client connection. No other client gets them, as long as both connections last.
 * There are two kinds:
 *
 * - NTLM and Negotiate authenticate a connection, not a request (RFC 4559), so that the next client on it would have the
 *   rights of this one. The client's further requests go to that server, as it expects.
 * - A PROXY header tells a server whose connection it is. The client's further requests go to any server that is picked,
 *   and use the connection there that was announced with the client's address.
 */
class OwnConnections implements ClientPin {
  #pinned: { readonly server: Server; readonly lease: Lease } | null = null;
  /** Connections announced with the client's address, one for each server. */
  readonly #announced = new Map<Server, Lease>();

  /** The connection that the client has authenticated. */
  get pinned(): { readonly server: Server; readonly lease: Lease } | null {
    return this.#pinned;
  }

  /** `lease` replaces the previous pinned one. */
  pin(server: Server, lease: Lease): void {
    if (this.#pinned?.lease === lease) return;
    if (this.#pinned !== null) drop(this.#pinned.lease);
    this.#pinned = { server, lease };
  }

  announce(server: Server, lease: Lease): void {
    this.#announced.set(server, lease);
  }

  /** Takes the connection to `server` back into use; null when it is gone. */
  reclaim(server: Server): Lease | null {
    if (this.#pinned?.server === server && this.#pinned.lease.reclaim()) return this.#pinned.lease;
    const announced = this.#announced.get(server);
    if (announced === undefined) return null;
    if (announced.reclaim()) return announced;
    this.#announced.delete(server);
    return null;
  }

  /** The client's connection has ended. */
  release(): void {
    if (this.#pinned !== null) drop(this.#pinned.lease);
    for (const lease of this.#announced.values()) drop(lease);
    this.#announced.clear();
  }
}

/** Closes an idle connection; a connection in use ends with its request. */
function drop(lease: Lease): void {
  if (lease.reclaim()) lease.discard();
}

/** The server to which the client has authenticated a connection; null when there is none any more. */
export function pinnedServer(pin: ClientPin): Server | null {
  if (!(pin instanceof OwnConnections) || pin.pinned === null) return null;
  const { server, lease } = pin.pinned;
  return server.takesBound && lease.isKept ? server : null;
}

/** The client's own connection to `server`, else one of its pool. Null: `requester` is called later. */
export function leaseFor(pin: ClientPin, server: Server, requester: LeaseListener): Lease | null {
  const own = pin instanceof OwnConnections ? pin.reclaim(server) : null;
  return own ?? server.pool.lease(requester);
}

/** Has the client authenticated the connection of `lease`, or does its current request? */
export function isPinned(client: ClientSide, lease: Lease): boolean {
  const { pin, head } = client;
  return (pin instanceof OwnConnections && pin.pinned?.lease === lease) || head.authenticatesConnection;
}

/** A request of `client` is answered: the connection returns to its pool, or is kept for the client's next request. */
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
