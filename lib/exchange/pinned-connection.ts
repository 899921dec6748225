import type { ClientPin, ClientSide } from '../http/flow.js';
import type { Lease, LeaseListener } from '../servers/lease.js';
import type { Server } from '../servers/server.js';

/**
 * A connection to a server that one client's connection has to itself: NTLM and Negotiate authenticate a connection
 * and not a request (RFC 4559), so that whoever was lent it next would be taken for somebody else. The client's further
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
    if (this.lease.pool.reclaim(this.lease)) this.lease.discard();
  }
}

/** The server that `client` has a connection of its own to; null when it has none, or none any more. */
export function pinnedServer({ pin }: ClientSide): Server | null {
  if (!(pin instanceof PinnedConnection)) return null;
  return pin.server.takesBound && pin.lease.pool.isKept(pin.lease) ? pin.server : null;
}

/** The client's own connection to `server`, else what its pool lends: null when `requester` is told later. */
export function leaseFor({ pin }: ClientSide, server: Server, requester: LeaseListener): Lease | null {
  if (pin instanceof PinnedConnection && pin.server === server && pin.lease.pool.reclaim(pin.lease))
    return pin.lease;
  return server.pool.lease(requester);
}

/** Is `lease` the client's own, or does its request make it that? */
export function isPinned(client: ClientSide, lease: Lease): boolean {
  const { pin, head } = client;
  return (pin instanceof PinnedConnection && pin.lease === lease) || head.authenticatesConnection;
}

/** A request of `client` is answered: the connection goes back to its pool, or is kept for the client's next one. */
export function giveBack(client: ClientSide, server: Server, lease: Lease): void {
  if (!isPinned(client, lease)) {
    lease.release();
    return;
  }
  const { pin } = client;
  if (!(pin instanceof PinnedConnection) || pin.lease !== lease) {
    pin?.release();
    client.pin = new PinnedConnection(server, lease);
  }
  lease.release(true);
}
