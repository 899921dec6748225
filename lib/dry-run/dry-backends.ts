import { Backend } from '../backend/backend.js';
import type { ConnectionSupplies } from '../backend/connection.js';
import { Pool, type PoolLimits } from '../backend/pool.js';
import type { Clock } from '../base/clock.js';
import { Shelf } from '../base/shelf.js';
import { TimerWheel } from '../base/timer-wheel.js';
import type { GroupConfig } from '../config/types.js';
import { ResponseParser } from '../http/response-parser.js';

const NO_SOCKETS: PoolLimits = { maxIdle: 0, maxConnections: 0, maxWaiting: 0 };

/** The servers of groups, as `Generation` wants them, for requests that are not sent: nobody ever leases from a pool. */
export function dryBackends(clock: Clock): (group: GroupConfig) => readonly Backend[] {
  const limits = { headBytes: 0, fields: 0, targetBytes: 0 };
  const supplies: ConnectionSupplies = {
    wheel: new TimerWheel(clock),
    parsers: new Shelf(0, () => new ResponseParser(limits)),
    connectTimeout: 0,
    idleTimeout: 0,
  };
  return ({ servers }) =>
    servers.map(({ name, address, weight, backup }) => {
      const pool = new Pool(address, NO_SOCKETS, supplies);
      return new Backend(name, pool, supplies.wheel, { weight, backup, slowStart: 0 });
    });
}
