import { Backend } from '../backend/backend.js';
import { Pool } from '../backend/pool.js';
import type { ConnectionSupplies } from '../backend/supplies.js';
import type { Clock } from '../base/clock.js';
import { Shelf } from '../base/shelf.js';
import { TimerWheel } from '../base/timer-wheel.js';
import type { GroupConfig } from '../config/types.js';
import { ResponseParser } from '../http/response-parser.js';
import { Resolver } from '../net/resolver.js';

/** The servers of groups, as `Generation` wants them, for requests that are not sent: nobody ever leases from a pool. */
export function dryBackends(clock: Clock): (group: GroupConfig) => readonly Backend[] {
  const limits = { headBytes: 0, fields: 0, targetBytes: 0 };
  const wheel = new TimerWheel(clock);
  const resolver = new Resolver({ servers: [], minTtl: 0, maxTtl: 0 }, wheel, {});
  const parsers = new Shelf(0, () => new ResponseParser(limits));
  const supplies: ConnectionSupplies = { wheel, parsers, observer: {}, resolver };
  return (group) =>
    group.servers.map(({ name, address, weight, backup }) => {
      const { pool: terms, connectTimeout } = group;
      const pool = new Pool(address, { ...terms, connectTimeout }, supplies);
      return new Backend(name, pool, wheel, { weight, backup, slowStart: 0 });
    });
}
