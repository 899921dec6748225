import type { AddressSet } from '../base/address-set.js';
import type { Steps } from '../base/slices.js';
import type { Config, FirewallConfig, GroupConfig } from '../config/types.js';
import type { CompiledRoute, CurrentSelector, ServerSelector } from '../exchange/context.js';
import type { HoldLine } from '../exchange/hold-line.js';
import type { StickyTokens } from '../exchange/sticky-cookie.js';
import type { StickyMemory } from '../exchange/sticky-memory.js';
import type { Firewall } from '../firewall/firewall.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { SharedMemory } from '../shared/shared-memory.js';
import type { CompiledStages } from './compiled-stages.js';
import type { HostMaintenances } from './host-maintenance.js';
import type { Router } from './router.js';

/** The selector of a route, and the pointer to its current selector, which each snapshot passes to the next. */
export interface RouteSelector {
  readonly selector: ServerSelector;
  readonly current: CurrentSelector;
}

/** The parts of a snapshot. */
export interface SnapshotParts {
  readonly config: Config;
  readonly trusted: AddressSet;
  readonly firewall: Firewall | null;
  readonly pipeline: CompiledStages;
  readonly router: Router<CompiledRoute>;
  readonly memory: StickyMemory;
  readonly shared: SharedMemory;
  readonly groups: ReadonlyMap<GroupConfig, ServerGroup>;
  /** By the names of the routes. */
  readonly selectors: ReadonlyMap<string, RouteSelector>;
  readonly firewalls: ReadonlyMap<FirewallConfig, Firewall>;
  /**
   * By every name of each firewall: the firewall with one of these names in the next snapshot takes over what its guards
   * know.
   */
  readonly firewallsByName: ReadonlyMap<string, Firewall>;
  /** Those of the previous snapshot whose bans end when this one is in force. */
  readonly ended: readonly Firewall[];
  /** For cookies of scopes that have no secret of their own; null until one is needed. */
  readonly secret: Buffer | null;
  /** By secret. */
  readonly tokens: ReadonlyMap<string | Buffer, StickyTokens>;
  /** By the names of the routes: requests wait in them over a reload. */
  readonly holdLines: ReadonlyMap<string, HoldLine>;
}

/**
 * Everything that follows from one configuration alone: firewalls, router, groups, and the stages over them. Made by a
 * `SnapshotBuilder`; only the servers of its groups change later. Routes that share an object in the configuration share
 * it here too.
 */
export class RoutingSnapshot {
  readonly config: Config;
  readonly trusted: AddressSet;
  readonly tellsForwarded: boolean;
  readonly tellsVia: boolean;
  /** Applies before all routes, and at accept. */
  readonly firewall: Firewall | null;
  readonly pipeline: CompiledStages;
  readonly router: Router<CompiledRoute>;
  /** Which server served which client, for sticky values; kept over a reload. */
  readonly memory: StickyMemory;
  /** What all threads share, the same for every snapshot of a balancer. */
  readonly shared: SharedMemory;
  readonly #parts: Omit<SnapshotParts, 'ended'>;
  readonly #ended: Firewall[];

  constructor(parts: SnapshotParts) {
    const { config, trusted, firewall, pipeline, router, memory, shared } = parts;
    const { ended, ...others } = parts;
    this.#parts = others;
    this.#ended = [...ended];
    this.config = config;
    this.trusted = trusted;
    this.tellsForwarded = config.forwarded;
    this.tellsVia = config.via;
    this.firewall = firewall;
    this.pipeline = pipeline;
    this.router = router;
    this.memory = memory;
    this.shared = shared;
  }

  /** The snapshot is in force: requests in flight of older snapshots that have no server left use its selectors. */
  *takeOver(): Steps<void> {
    for (const group of this.#parts.groups.values()) {
      group.putInForce();
      yield;
    }
    for (const { selector, current } of this.#parts.selectors.values()) {
      current.selector = selector;
      yield;
    }
    for (const firewall of this.#ended.splice(0)) {
      firewall.endBans();
      yield;
    }
  }

  /** Another snapshot is in force: shared servers call the groups of this one no more. */
  *release(): Steps<void> {
    for (const group of this.#parts.groups.values()) {
      group.release();
      yield;
    }
  }

  /** From the next request on; null: no host is in maintenance. */
  setMaintenances(hosts: HostMaintenances | null): void {
    this.pipeline.maintenances = hosts;
  }

  /** Each firewall once, the one before all routes first. */
  get firewalls(): readonly Firewall[] {
    return [...this.#parts.firewalls.values()];
  }

  /** One of the server groups. */
  groupOf(config: GroupConfig): ServerGroup {
    return this.#parts.groups.get(config) as ServerGroup;
  }

  // Called by the next snapshot.

  /** The firewall that `config` takes over from. */
  firewallBefore({ name, aliases }: FirewallConfig): Firewall | undefined {
    for (const known of [name, ...aliases]) {
      const firewall = this.#parts.firewallsByName.get(known);
      if (firewall !== undefined) return firewall;
    }
    return undefined;
  }

  currentSelectorOf(route: string): CurrentSelector | undefined {
    return this.#parts.selectors.get(route)?.current;
  }

  /** The line of the route where its requests wait for a server; undefined without `hold`. */
  holdLineOf(route: string): HoldLine | undefined {
    return this.#parts.holdLines.get(route);
  }

  tokensBefore(secret: string | Buffer): StickyTokens | null {
    return this.#parts.tokens.get(secret) ?? null;
  }

  get secret(): Buffer | null {
    return this.#parts.secret;
  }
}
