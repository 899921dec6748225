import { Backend, type BackendTerms } from '../../lib/backend/backend.js';
import { Pool } from '../../lib/backend/pool.js';
import { parseAddress } from '../../lib/base/address.js';
import { Shelf } from '../../lib/base/shelf.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { ResponseParser } from '../../lib/http/response-parser.js';
import { ManualClock } from '../support/manual-clock.js';

type Terms = BackendTerms & { readonly maxConnections: number };

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
  const address = parseAddress('127.0.0.1:1', { defaultHost: '' });
  const backend = (name: string, terms: Partial<Terms> = {}): Backend => {
    const { maxConnections = 0, ...others } = terms;
    const pool = new Pool(address, { maxIdle: 0, maxConnections, maxWaiting: 0 }, supplies);
    return new Backend(name, pool, wheel, { weight: 1, backup: false, slowStart: 0, ...others });
  };
  return { backend, clock, wheel };
}
