import { isIPv6 } from 'node:net';
import type { Address } from '../base/address.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import { FamilyRace } from '../net/family-race.js';
import {
  type AddressListener,
  type HostAddresses,
  hostNameOf,
  isLocal,
  type ResolveListener,
  type ToldAddresses,
} from '../net/host-addresses.js';
import type { Resolver } from '../net/resolver.js';

/** What is known of a host name. */
export interface Resolution extends ToldAddresses {
  /** The addresses that are servers of their own; none while the name stands for one server. */
  readonly several: readonly string[];
}

export interface HostNamesDeps {
  readonly resolver: Resolver;
  readonly wheel: TimerWheel;
  /** Are there other threads, which have to know the addresses of `localhost` too? */
  readonly tellsThreads: boolean;
  /** `resolution`: null when no server has the name any more. */
  readonly onResolved: (host: string, resolution: Resolution | null) => void;
}

/** The most names that are asked for at once for the first time: a file may have thousands. */
const MOST_AT_ONCE = 100;

/**
 * The host names of all servers, each resolved once for the whole balancer and again when its TTL is over, and which of
 * them stand for several servers: those with several addresses of one family. Of two families the one that connects first
 * is used. A name with one address of each stays one server, whose connections try both.
 */
export class HostNames {
  readonly #deps: HostNamesDeps;
  readonly #hosts = new Map<string, WatchedHost>();
  /** The host of each server that has one, by the name of the server. */
  readonly #hostOf = new Map<string, string>();
  readonly #waiting = new Set<WatchedHost>();
  #asking = 0;
  #isStopped = false;

  constructor(deps: HostNamesDeps) {
    this.#deps = deps;
  }

  /** What is known, by host. */
  get resolutions(): ReadonlyMap<string, Resolution> {
    const known = new Map<string, Resolution>();
    for (const [host, { resolution }] of this.#hosts) if (resolution !== null) known.set(host, resolution);
    return known;
  }

  /** The server of that name has this address now; null: there is none of that name. */
  set(server: string, address: Address | null): void {
    const host = address === null ? null : this.#watchedName(address);
    const before = this.#hostOf.get(server) ?? null;
    if (host === before || this.#isStopped) return;
    if (host !== null && address?.kind === 'tcp') this.#enter(server, host, address);
    else this.#hostOf.delete(server);
    if (before !== null) this.#leave(server, before);
  }

  #watchedName(address: Address): string | null {
    const host = hostNameOf(address);
    return host !== null && isLocal(host) && !this.#deps.tellsThreads ? null : host;
  }

  #enter(server: string, host: string, address: Extract<Address, { kind: 'tcp' }>): void {
    this.#hostOf.set(server, host);
    const known = this.#hosts.get(host);
    if (known !== undefined) {
      known.servers.add(server);
      return;
    }
    const watched = new WatchedHost(this.#deps, address, () => this.#noteAsked());
    watched.servers.add(server);
    this.#hosts.set(host, watched);
    this.#waiting.add(watched);
    this.#askNext();
  }

  #leave(server: string, host: string): void {
    const watched = this.#hosts.get(host);
    watched?.servers.delete(server);
    if (watched === undefined || watched.servers.size > 0) return;
    this.#hosts.delete(host);
    this.#waiting.delete(watched);
    watched.stop();
    this.#deps.onResolved(host, null);
  }

  /** The names of all servers that are not in `servers` are forgotten. */
  retain(servers: { has(name: string): boolean }): void {
    for (const server of [...this.#hostOf.keys()]) if (!servers.has(server)) this.set(server, null);
  }

  #noteAsked(): void {
    this.#asking--;
    this.#askNext();
  }

  #askNext(): void {
    for (const watched of this.#waiting) {
      if (this.#asking >= MOST_AT_ONCE) return;
      this.#waiting.delete(watched);
      this.#asking++;
      watched.start();
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    for (const watched of this.#hosts.values()) watched.stop();
    this.#hosts.clear();
    this.#hostOf.clear();
  }
}

/** One host name, watched as long as a server has it. */
class WatchedHost implements AddressListener, ResolveListener {
  /** The names of the servers that have it. */
  readonly servers = new Set<string>();
  /** null: there is no answer yet. */
  resolution: Resolution | null = null;
  readonly #deps: HostNamesDeps;
  readonly #host: HostAddresses;
  readonly #port: number;
  readonly #race: FamilyRace;
  readonly #onAsked: () => void;
  #state: 'waiting' | 'asking' | 'asked' | 'stopped' = 'waiting';

  constructor(deps: HostNamesDeps, address: Extract<Address, { kind: 'tcp' }>, onAsked: () => void) {
    this.#deps = deps;
    this.#host = deps.resolver.hostOf(address) as HostAddresses;
    this.#port = address.port;
    this.#race = new FamilyRace(deps.wheel);
    this.#onAsked = onAsked;
  }

  start(): void {
    this.#state = 'asking';
    this.#host.watch(this);
    // Another watcher may have asked before: the addresses are known then.
    if (this.#host.addresses.length > 0) this.onAddresses(this.#host.addresses);
    this.#host.wait(this);
  }

  stop(): void {
    const was = this.#state;
    this.#state = 'stopped';
    this.#race.cancel();
    if (was === 'waiting' || was === 'stopped') return;
    this.#host.cancel(this);
    this.#host.unwatch(this);
    if (was === 'asking') this.#onAsked();
  }

  /** Not needed here: `onAddresses` gets all addresses. */
  onKnown(): void {
    this.#state = 'asked';
    this.#onAsked();
  }

  onUnknown(error: NodeJS.ErrnoException): void {
    this.#state = 'asked';
    this.#tell([], this.resolution?.several ?? [], error.code ?? error.message);
    this.#onAsked();
  }

  onAddresses(addresses: readonly string[]): void {
    this.#race.cancel();
    const v6 = addresses.filter((address) => isIPv6(address)).sort();
    const v4 = addresses.filter((address) => !isIPv6(address)).sort();
    if (isLocal(this.#host.name) || (v4.length < 2 && v6.length < 2)) this.#tell(addresses, []);
    else if (v4.length === 0 || v6.length === 0) this.#tell(addresses, v4.length === 0 ? v6 : v4);
    else {
      // Until it is known which family connects, all is as it was.
      this.#tell(addresses, this.resolution?.several ?? []);
      this.#race.run(v6, v4, this.#port, (winner) => {
        const several = winner === 'first' ? v6 : v4;
        this.#tell(addresses, several.length > 1 ? several : []);
      });
    }
  }

  #tell(addresses: readonly string[], several: readonly string[], failure = ''): void {
    this.resolution = { addresses, several, failure };
    this.#deps.onResolved(this.#host.name, this.resolution);
  }
}
