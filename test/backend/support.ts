import { Backend, type BackendTerms } from '../../lib/backend/backend.js';
import { LoadLog } from '../../lib/backend/load-log.js';
import { RoundRobin } from '../../lib/scheduler/round-robin.js';
import type { Algorithm } from '../../lib/scheduler/scheduler.js';
import { createPool, poolSupplies } from '../support/pool.js';

type Terms = BackendTerms & { readonly maxConnections: number };

/** Each in turn. */
export const ROUND_ROBIN: Algorithm = {
  create: (candidates) => new RoundRobin(candidates),
  avoidsFull: true,
  readsLatency: false,
};

/** Servers without a socket, on a clock that the test moves. */
export function backendMaker(t: { teardown(end: () => void): void }) {
  const supplies = poolSupplies(t);
  const { clock, wheel } = supplies;
  const log = new LoadLog();
  const backend = (name: string, terms: Partial<Terms> = {}): Backend => {
    const { maxConnections = 0, ...others } = terms;
    const pool = createPool(t, '127.0.0.1:1', { maxConnections }, supplies);
    return new Backend(name, pool, wheel, { weight: 1, backup: false, slowStart: 0, ...others }, log);
  };
  return { backend, clock, wheel };
}
