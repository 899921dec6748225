import { type Address, namedAddress } from '../../base/address.js';
import { ObjectPool } from '../../base/collections.js';
import type { Availability } from '../../base/observer.js';
import { type Clock, TimerWheel } from '../../base/timer-wheel.js';
import type { GroupConfig, ProviderConfig } from '../../config/types.js';
import { ResponseParser } from '../../http/response-parser.js';
import { Resolver } from '../../net/resolver.js';
import { ShortageAlarm } from '../../net/shortage.js';
import type { ConnectionDeps } from '../../servers/contracts.js';
import { Pool } from '../../servers/pool.js';
import { Server } from '../../servers/server.js';
import { LoadLog } from '../../servers/server-counters.js';
import { SharedMemory } from '../../shared/shared-memory.js';

/** The state of a server at one moment. */
export interface ServerStanding {
  readonly name: string;
  readonly address: Address;
  readonly weight: number;
  readonly backup: boolean;
  /** What keeps the server from new requests; `ready` when nothing does. */
  readonly state: Availability | 'down' | 'ejected';
}

/** The servers of a group with their states; undefined when unknown. */
export type Standings = (group: GroupConfig) => readonly ServerStanding[] | undefined;

/** As in the file: every server takes requests. Nothing is asked: each source has one server, which stands for all. */
function asConfigured({ servers, providers }: GroupConfig): readonly ServerStanding[] {
  const listed = servers.map((server): ServerStanding => ({ ...server, state: 'ready' }));
  if (providers.length === 0) return listed;
  return [...listed, ...providers.map(unknownServer)];
}

function unknownServer({ text, source, terms: { weight, backup } }: ProviderConfig): ServerStanding {
  const address =
    source.kind === 'dns' ? namedAddress({ ...UNKNOWN, port: source.port }, source.name) : UNKNOWN;
  return { name: text, address, weight, backup, state: 'ready' };
}

/** RFC 2606, 2: no host has such a name. */
const UNKNOWN: Extract<Address, { kind: 'tcp' }> = {
  kind: 'tcp',
  host: '',
  port: 0,
  text: '',
  authority: 'unknown.invalid',
};

/**
 * The servers of groups that a routing snapshot needs, for requests that are not sent: no connection is leased from their
 * pools.
 */
export function dryServers(
  clock: Clock,
  standings: Standings = asConfigured,
): (group: GroupConfig) => readonly Server[] {
  const limits = { headBytes: 0, fields: 0, targetBytes: 0 };
  const wheel = new TimerWheel(clock);
  const log = new LoadLog();
  const resolver = new Resolver({ servers: [], minTtl: 0, maxTtl: 0 }, wheel, {});
  const shortages = new ShortageAlarm(wheel, {});
  const parsers = new ObjectPool(0, () => new ResponseParser(limits));
  const sockets = { mode: 'documented' } as const;
  const shared = SharedMemory.create();
  const deps: ConnectionDeps = { wheel, parsers, observer: {}, resolver, shortages, sockets, shared };
  return (group) =>
    (standings(group) ?? asConfigured(group)).map(({ name, address, weight, backup, state }) => {
      const { pool: terms, connectTimeout } = group;
      const pool = new Pool(address, { ...terms, connectTimeout, sendProxy: null }, deps);
      const server = new Server(name, pool, wheel, { weight, backup, slowStart: 0 }, log);
      if (state === 'down') server.judge(false);
      else if (state === 'ejected') server.eject(true);
      else server.setAvailability(state);
      return server;
    });
}
