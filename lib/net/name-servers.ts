import * as dns from 'node:dns';
import type { TimerWheel } from '../base/timer-wheel.js';

/** The time for the first answer of a name server; it is asked twice, and the second time has twice as long. */
const TIMEOUT_MS = 1000;
const TRIES = 2;
/** Shorter than the shortest TTL. To open a channel takes 0.1 ms. */
const CHANNEL_MS = 500;

/** Called with what one family of records has; with an error, the records count for nothing. */
export type OnRecords = (error: NodeJS.ErrnoException | null, records: dns.RecordWithTtl[]) => void;

/**
 * The name servers, asked through c-ares, Node's DNS library. Each channel of c-ares is used for half a second only, because a
 * channel reads resolv.conf once, and in some versions of Node (20.19.0 is one) also keeps answers for their whole TTL: neither
 * an upper limit of the TTL nor a query after a failure would reach a name server.
 */
export class NameServers {
  readonly #wheel: TimerWheel;
  /** Empty: those of the system. */
  #servers: readonly string[];
  #channel: dns.Resolver | null = null;
  #openedAt = Number.NEGATIVE_INFINITY;
  /** Channels with queries in progress, and how many. */
  readonly #queries = new Map<dns.Resolver, number>();

  /** `servers`: each as `address` or `address:port`; empty: those of the system. */
  constructor(servers: readonly string[], wheel: TimerWheel) {
    this.#servers = servers;
    this.#wheel = wheel;
  }

  /** From the next query on. */
  use(servers: readonly string[]): void {
    this.#servers = servers;
    this.#channel = null;
  }

  /** Each as `address` or `address:port`. */
  get addresses(): string[] {
    return this.#freshChannel().getServers();
  }

  /** Queries for the A or AAAA records of `name`, with their TTLs in seconds. */
  query(name: string, family: 4 | 6, onRecords: OnRecords): void {
    const channel = this.#freshChannel();
    this.#queries.set(channel, (this.#queries.get(channel) ?? 0) + 1);
    const onEnd: OnRecords = (error, records) => {
      const left = (this.#queries.get(channel) ?? 1) - 1;
      if (left === 0) this.#queries.delete(channel);
      else this.#queries.set(channel, left);
      onRecords(error, records);
    };
    if (family === 4) channel.resolve4(name, { ttl: true }, onEnd);
    else channel.resolve6(name, { ttl: true }, onEnd);
  }

  /** Ends every query in progress. */
  cancel(): void {
    for (const channel of this.#queries.keys()) channel.cancel();
  }

  #freshChannel(): dns.Resolver {
    const { now } = this.#wheel;
    if (this.#channel !== null && now - this.#openedAt < CHANNEL_MS) return this.#channel;
    const channel = new dns.Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (this.#servers.length > 0) channel.setServers(this.#servers);
    this.#channel = channel;
    this.#openedAt = now;
    return channel;
  }
}
