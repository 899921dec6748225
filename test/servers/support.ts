import { RoundRobin } from '../../lib/servers/scheduler/round-robin.js';
import type { Algorithm } from '../../lib/servers/scheduler/scheduler.js';
import { Server, type ServerTerms } from '../../lib/servers/server.js';
import { LoadLog } from '../../lib/servers/server-counters.js';
import { createPool, poolSupplies } from '../support/pool.js';

type Terms = ServerTerms & { readonly maxConnections: number };

/** Round robin. */
export const ROUND_ROBIN: Algorithm = {
  create: (candidates) => new RoundRobin(candidates),
  avoidsFull: true,
  followsOrder: false,
  readsLatency: false,
};

/** Servers without sockets, on a clock that the test advances. */
export function serverMaker(t: { teardown(end: () => void): void }) {
  const deps = poolSupplies(t);
  const { clock, wheel } = deps;
  const log = new LoadLog();
  const makeServer = (name: string, terms: Partial<Terms> = {}): Server => {
    const { maxConnections = 0, ...others } = terms;
    const pool = createPool(t, '127.0.0.1:1', { maxConnections }, deps);
    return new Server(name, pool, wheel, { weight: 1, backup: false, slowStart: 0, ...others }, log);
  };
  return { makeServer, clock, wheel };
}
