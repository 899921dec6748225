import type { ClientPin, ClientSide } from '../http/flow.js';
import type { Lease, LeaseListener } from '../servers/contracts.js';
import type { Server } from '../servers/server.js';

/**
 * A connection to a server that one client's connection has to itself: NTLM and Negotiate authenticate a connection
 * and not a request (RFC 4559), so that the next client on it would be taken for this one. The client's further
 * requests go there, as its server expects, for as long as both connections last.
 */
class PinnedConnection implements ClientPin {
  readonly server: Server;
  readonly lease: Lease;

  constructor(server: Server, lease: Lease) {
    this.server = server;
    this.lease = lease;
  }

  /** The client is gone, or authenticates elsewhere. */
  release(): void {
    if (this.lease.reclaim()) this.lease.discard();
  }
}

/** The server to which a client has a connection of its own by `pin`; null when it has none any more. */
export function pinnedServer(pin: ClientPin): Server | null {
  if (!(pin instanceof PinnedConnection)) return null;
  return pin.server.takesBound && pin.lease.isKept ? pin.server : null;
}

/** The connection to `server` that `pin` is, else what its pool lends: null when `requester` is told later. */
export function leaseFor(pin: ClientPin, server: Server, requester: LeaseListener): Lease | null {
  if (pin instanceof PinnedConnection && pin.server === server && pin.lease.reclaim()) return pin.lease;
  return server.pool.lease(requester);
}

/** Is `lease` the client's own, or does its request make it that? */
export function isPinned(client: ClientSide, lease: Lease): boolean {
  const { pin, head } = client;
  return (pin instanceof PinnedConnection && pin.lease === lease) || head.authenticatesConnection;
}

/** A request of `client` is answered: the connection goes back to its pool, or is kept for the client's next one. */
export function giveBack(client: ClientSide, server: Server, lease: Lease): void {
  const { pin } = client;
  if (!isPinned(client, lease)) {
    lease.release();
    return;
  }
  if (!(pin instanceof PinnedConnection) || pin.lease !== lease) {
    pin?.release();
    client.pin = new PinnedConnection(server, lease);
  }
  lease.release(true);
}
