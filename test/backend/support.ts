import { Backend, type BackendTerms } from '../../lib/backend/backend.js';
import { Pool } from '../../lib/backend/pool.js';
import { parseAddress } from '../../lib/base/address.js';
import { Shelf } from '../../lib/base/shelf.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { ResponseParser } from '../../lib/http/response-parser.js';
import { ManualClock } from '../support/manual-clock.js';

/** Servers without a socket, on a clock that the test moves. */
export function backendMaker(t: { teardown(end: () => void): void }) {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const headLimits = { headBytes: 0, fields: 0, targetBytes: 0 };
  const supplies = {
    wheel,
    parsers: new Shelf(0, () => new ResponseParser(headLimits)),
    connectTimeout: 0,
    idleTimeout: 0,
  };
  const limits = { maxIdle: 0, maxConnections: 0, maxWaiting: 0 };
  const address = parseAddress('127.0.0.1:1', { defaultHost: '' });
  const backend = (name: string, terms: Partial<BackendTerms> = {}): Backend =>
    new Backend(name, new Pool(address, limits, supplies), wheel, { weight: 1, backup: false, ...terms });
  return { backend, clock, wheel };
}
