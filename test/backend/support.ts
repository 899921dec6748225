import { Backend, type BackendTerms } from '../../lib/backend/backend.js';
import { createPool, poolSupplies } from '../support/pool.js';

type Terms = BackendTerms & { readonly maxConnections: number };

/** Servers without a socket, on a clock that the test moves. */
export function backendMaker(t: { teardown(end: () => void): void }) {
  const supplies = poolSupplies(t);
  const { clock, wheel } = supplies;
  const backend = (name: string, terms: Partial<Terms> = {}): Backend => {
    const { maxConnections = 0, ...others } = terms;
    const pool = createPool(t, '127.0.0.1:1', { maxConnections }, supplies);
    return new Backend(name, pool, wheel, { weight: 1, backup: false, slowStart: 0, ...others });
  };
  return { backend, clock, wheel };
}
