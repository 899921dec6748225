import { parseAddress } from '../../lib/base/address.js';
import { ObjectPool } from '../../lib/base/collections.js';
import type { Observer } from '../../lib/base/observer.js';
import { assertMoves } from '../../lib/base/states.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { DEFAULT_POOL } from '../../lib/config/pool.js';
import { ResponseParser } from '../../lib/http/response-parser.js';
import { Resolver } from '../../lib/net/resolver.js';
import { ShortageAlarm } from '../../lib/net/shortage.js';
import { SocketChoice } from '../../lib/net/socket-choice.js';
import type { ConnectionDeps, PoolLimits } from '../../lib/servers/contracts.js';
import { Pool } from '../../lib/servers/pool.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { watchPool } from './leaks.js';
import { ManualClock } from './manual-clock.js';

assertMoves();

type Closing = { teardown(end: () => void): void };

/** What connections need, on a clock that the test moves. */
export function poolSupplies(t: Closing, observer: Observer = {}): ConnectionDeps & { clock: ManualClock } {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const resolver = new Resolver({ servers: [], minTtl: 1000, maxTtl: 300_000 }, wheel, observer);
  const headLimits = { headBytes: 32_768, fields: 100, targetBytes: 8192 };
  t.teardown(() => {
    resolver.close();
    wheel.close();
  });
  const parsers = new ObjectPool(8, () => new ResponseParser(headLimits));
  const shortages = new ShortageAlarm(wheel, observer);
  const shared = SharedMemory.create();
  return { clock, wheel, observer, resolver, parsers, shortages, sockets: new SocketChoice(), shared };
}

/** A pool for one server, closed after the test. */
export function createPool(
  t: Closing,
  server: string,
  limits: Partial<PoolLimits>,
  deps: ConnectionDeps,
  slot = deps.shared.servers.claim(),
): Pool {
  const address = parseAddress(server, { defaultHost: '127.0.0.1' });
  const terms = { ...DEFAULT_POOL, connectTimeout: 3000, sendProxy: null, ...limits };
  const pool = new Pool(address, terms, deps, address.text, null, slot);
  watchPool(pool);
  t.teardown(() => pool.close());
  return pool;
}
