import type { Backend } from '../backend/backend.js';
import type { Lease, LeaseRequester } from '../backend/lease.js';
import type { ClientBond, ClientSide } from '../http/flow.js';

/**
 * A connection to a server that one client's connection has to itself: NTLM and Negotiate authenticate a connection
 * and not a request (RFC 4559), so that whoever was lent it next would be taken for somebody else. The client's further
 * requests go there, as its server expects, for as long as both connections last.
 */
class Bond implements ClientBond {
  readonly backend: Backend;
  readonly lease: Lease;

  constructor(backend: Backend, lease: Lease) {
    this.backend = backend;
    this.lease = lease;
  }

  /** The client is gone, or authenticates elsewhere. */
  release(): void {
    if (this.lease.pool.reclaim(this.lease)) this.lease.discard();
  }
}

/** The server that `client` has a connection of its own to; null when it has none, or none any more. */
export function bondedTo({ bond }: ClientSide): Backend | null {
  if (!(bond instanceof Bond)) return null;
  return bond.backend.takesBound && bond.lease.pool.isKept(bond.lease) ? bond.backend : null;
}

/** The client's own connection to `backend`, else what its pool lends: null when `requester` is told later. */
export function leaseFor({ bond }: ClientSide, backend: Backend, requester: LeaseRequester): Lease | null {
  if (bond instanceof Bond && bond.backend === backend && bond.lease.pool.reclaim(bond.lease))
    return bond.lease;
  return backend.pool.lease(requester);
}

/** Is `lease` the client's own, or does its request make it that? */
export function isBound(client: ClientSide, lease: Lease): boolean {
  const { bond, head } = client;
  return (bond instanceof Bond && bond.lease === lease) || head.authenticatesConnection;
}

/** A request of `client` is answered: the connection goes back to its pool, or is kept for the client's next one. */
export function giveBack(client: ClientSide, backend: Backend, lease: Lease): void {
  if (!isBound(client, lease)) {
    lease.release();
    return;
  }
  const { bond } = client;
  if (!(bond instanceof Bond) || bond.lease !== lease) {
    bond?.release();
    client.bond = new Bond(backend, lease);
  }
  lease.release(true);
}
