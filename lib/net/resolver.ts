import * as dns from 'node:dns';
import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import {
  type Answer,
  type AnswerCallback,
  HostAddresses,
  type HostTable,
  hostNameOf,
  type NameService,
} from './host-addresses.js';
import { NameServers } from './name-servers.js';
import { NO_REPLY, type SrvCallback, SrvQuery } from './srv-query.js';

export interface ResolverOptions {
  /** `address` or `address:port`; empty: those of the system. */
  readonly servers: readonly string[];
  /** ms; the lower and upper limits of a TTL. */
  readonly minTtl: number;
  readonly maxTtl: number;
}

/** The system returns no TTL. */
const SYSTEM_TTL_MS = 30_000;

/** Those of names that do not exist are mostly longer, but a service that comes should be found soon. */
const NEGATIVE_TTL_MS = 5000;

const NOTHING: Answer = { addresses: [], ttl: 0 };

/** The names of all servers and their addresses: a name is resolved once for all that need it. */
export class Resolver implements NameService, HostTable {
  readonly wheel: TimerWheel;
  readonly observer: Observer;
  #options: ResolverOptions;
  #nameServers: NameServers;
  readonly #hosts = new Map<string, HostAddresses>();
  readonly #queries = new Set<SrvQuery>();
  #closed = false;

  constructor(options: ResolverOptions, wheel: TimerWheel, observer: Observer) {
    this.#options = options;
    this.wheel = wheel;
    this.observer = observer;
    this.#nameServers = new NameServers(options.servers, wheel);
  }

  /** From the next query on. */
  applyOptions(options: ResolverOptions): void {
    this.#options = options;
    this.#nameServers.use(options.servers);
  }

  hostOf(address: Address): HostAddresses | null {
    const name = hostNameOf(address);
    if (name === null) return null;
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new HostAddresses(name, this);
      this.#hosts.set(name, host);
    }
    return host;
  }

  /** The number of names kept. */
  get hostCount(): number {
    return this.#hosts.size;
  }

  /** `host` is not used any more. */
  drop(host: HostAddresses): void {
    if (this.#hosts.get(host.name) === host) this.#hosts.delete(host.name);
  }

  /** Ends every query in progress; callbacks are not called any more. */
  close(): void {
    this.#closed = true;
    this.#nameServers.cancel();
    for (const query of this.#queries) query.cancel();
    this.#queries.clear();
  }

  /** Queries the name servers for the A or AAAA records of `name`. */
  ask(name: string, family: 4 | 6, callback: AnswerCallback): void {
    const onRecords = (error: NodeJS.ErrnoException | null, records: dns.RecordWithTtl[]): void => {
      if (this.#closed) return;
      if (error !== null) callback(error, NOTHING);
      else callback(null, this.#answer(records));
    };
    if (!this.#closed) this.#nameServers.query(name, family, onRecords);
  }

  /**
   * Queries the name servers for the SRV records of `name`; `ttl` of the reply is in ms, within the limits. That there are
   * none is an answer too.
   */
  askSrv(name: string, callback: SrvCallback): void {
    if (this.#closed) return;
    let query: SrvQuery | null = null;
    const conclude: SrvCallback = (error, reply) => {
      if (query !== null) this.#queries.delete(query);
      if (error !== null) callback(error, NO_REPLY);
      else {
        const isPositive = reply.records.length > 0;
        callback(null, { ...reply, ttl: isPositive ? this.#bound(reply.ttl * 1000) : this.negativeTtl });
      }
    };
    query = new SrvQuery(name, this.#nameServers.addresses, this.wheel, conclude);
    this.#queries.add(query);
  }

  /** ms that a negative answer is taken for: its TTL is not known. */
  get negativeTtl(): number {
    return this.#bound(NEGATIVE_TTL_MS);
  }

  /** Asks the system, which knows the hosts file and search domains. */
  askSystem(name: string, callback: AnswerCallback): void {
    if (this.#closed) return;
    dns.lookup(name, { all: true }, (error, found) => {
      if (this.#closed) return;
      if (error !== null) callback(error, NOTHING);
      else
        callback(null, { addresses: found.map(({ address }) => address), ttl: this.#bound(SYSTEM_TTL_MS) });
    });
  }

  #answer(records: readonly dns.RecordWithTtl[]): Answer {
    return { addresses: records.map(({ address }) => address), ttl: this.#bound(leastTtl(records) * 1000) };
  }

  #bound(ttl: number): number {
    return Math.min(Math.max(ttl, this.#options.minTtl), this.#options.maxTtl);
  }
}

/**
 * The lowest TTL of the records, in seconds; infinite when none has one. Node's DNS library returns TTLs only for the
 * first 256 records: the others have an undefined `ttl`.
 */
function leastTtl(records: readonly { readonly ttl: number | undefined }[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { ttl } of records) if (ttl !== undefined && ttl < least) least = ttl;
  return least;
}
