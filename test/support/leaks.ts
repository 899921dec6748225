import type { Test } from 'tap';
import { objectsTaken } from '../../lib/base/collections.js';
import { readBuffersInUse } from '../../lib/net/read-buffer.js';
import type { Pool } from '../../lib/servers/pool.js';
import type { Server } from '../../lib/servers/server.js';
import { onCreated } from './created.js';

/**
 * Counts what the balancers of a test file take and must give back. Import it before anything is started, and make
 * `nothingIsLeft` the last test of the file.
 */

const PATIENCE_MS = 10_000;

const pools = new Set<Pool>();
const servers = new Set<Server>();
onCreated(null, 'lb:server', (server) => {
  servers.add(server);
  watchPool(server.pool);
});

/** Counts a pool that no server of a balancer has. */
export function watchPool(pool: Pool): void {
  pools.add(pool);
}

/** What is still held, by name; empty when there is nothing. */
function left(): Record<string, number> {
  const sockets = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
  const counts = {
    sockets,
    pooledObjects: objectsTaken(),
    readBuffers: readBuffersInUse(),
    poolOpen: 0,
    poolIdle: 0,
    poolWaiting: 0,
    active: 0,
  };
  for (const pool of pools) {
    counts.poolOpen += pool.openCount;
    counts.poolIdle += pool.idleCount;
    counts.poolWaiting += pool.waitingCount;
  }
  for (const server of servers) counts.active += server.active;
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** Pooled objects, requests in flight and waiting: what must be back as soon as the last request is settled. */
export function inFlight(): Record<string, number> {
  const { pooledObjects = 0, active = 0, poolWaiting = 0 } = left();
  return { pooledObjects, active, poolWaiting };
}

/** A last test: sockets, pools, object pools and read buffers are all given back. What still is not after `PATIENCE_MS` is lost. */
export function nothingIsLeft(t: Test): void {
  void t.test('nothing is left: no socket, no lease, no pooled object', async (t) => {
    const deadline = performance.now() + PATIENCE_MS;
    while (Object.keys(left()).length > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 5));
    t.strictSame(left(), {});
  });
}
