import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { ConnectionDeps, PoolLimits } from './contracts.js';
import type { ServerUpdate } from './engine-contract.js';
import { Pool } from './pool.js';
import { Server } from './server.js';
import { LoadLog } from './server-counters.js';
import { ServerTlsMaker } from './server-tls-maker.js';

/** Makes the servers of one engine from settings. Those that may be in one group share a load log. */
export class ServerMaker {
  readonly #deps: ConnectionDeps;
  readonly #log = new LoadLog();
  readonly #tls = new ServerTlsMaker();

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
  }

  /**
   * `weight`: the one that is wanted, which may differ from that of the settings. `slot`: in the shared memory; by default
   * one that no other server has.
   */
  make(config: ServerConfig, group: GroupConfig, weight: number, slot?: number): Server {
    const { name, address, backup } = config;
    const pool = new Pool(address, limitsOf(config, group), this.#deps, name, this.#tls.of(config), slot);
    return new Server(
      name,
      pool,
      this.#deps.wheel,
      { weight, backup, slowStart: group.slowStart },
      this.#log,
    );
  }

  /** The update for a server that continues under other settings than `before`. */
  updateOf(config: ServerConfig, group: GroupConfig, before: ServerConfig): ServerUpdate {
    const hasSameTls = before.tls?.digest === config.tls?.digest;
    return {
      ...(hasSameTls ? {} : { tls: this.#tls.of(config) }),
      limits: limitsOf(config, group),
      backup: config.backup,
      slowStart: group.slowStart,
    };
  }
}

function limitsOf(
  { maxConnections, sendProxy }: ServerConfig,
  { pool, connectTimeout }: GroupConfig,
): PoolLimits {
  // Connections shared by several clients cannot have a PROXY header, which names one client.
  const pipelining = sendProxy === null ? pool.pipelining : 1;
  return { ...pool, pipelining, maxConnections, connectTimeout, sendProxy };
}
