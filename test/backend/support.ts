import { Backend, type BackendTerms } from '../../lib/backend/backend.js';
import { createPool, poolSupplies } from '../support/pool.js';

/** Servers without a socket, on a clock that the test moves. */
export function backendMaker(t: { teardown(end: () => void): void }) {
  const supplies = poolSupplies(t);
  const { clock, wheel } = supplies;
  const backend = (name: string, terms: Partial<BackendTerms> = {}): Backend =>
    new Backend(name, createPool(t, '127.0.0.1:1', {}, supplies), wheel, {
      weight: 1,
      backup: false,
      ...terms,
    });
  return { backend, clock, wheel };
}
