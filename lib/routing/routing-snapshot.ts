import type { AddressSet } from '../base/address-set.js';
import type { Steps } from '../base/slices.js';
import type { Config, FirewallConfig, GroupConfig } from '../config/types.js';
import type { CompiledRoute, CurrentSelector, RequestStages, ServerSelector } from '../exchange/context.js';
import type { RetryBudget } from '../exchange/retries.js';
import type { StickyTokens } from '../exchange/sticky-cookie.js';
import type { StickyMemory } from '../exchange/sticky-memory.js';
import type { Firewall } from '../firewall/firewall.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Router } from './router.js';

/** Who chooses for a route, and the pointer to who does so now, which is handed on from one snapshot to the next. */
export interface RouteSelector {
  readonly selector: ServerSelector;
  readonly current: CurrentSelector;
}

/** What a snapshot is put together of. */
export interface SnapshotParts {
  readonly config: Config;
  readonly trusted: AddressSet;
  readonly firewall: Firewall | null;
  readonly pipeline: RequestStages;
  readonly router: Router<CompiledRoute>;
  readonly memory: StickyMemory;
  readonly groups: ReadonlyMap<GroupConfig, ServerGroup>;
  /** By the names of the routes. */
  readonly selectors: ReadonlyMap<string, RouteSelector>;
  readonly firewalls: ReadonlyMap<FirewallConfig, Firewall>;
  /** By every name of each: what its guards know goes on with the firewall that has one of them in the next snapshot. */
  readonly firewallsByName: ReadonlyMap<string, Firewall>;
  /** By the name of the group and the share of retries: counting goes on over a reload. */
  readonly budgets: ReadonlyMap<string, RetryBudget>;
  /** For cookies of places that have none of their own; null until one was needed. */
  readonly secret: Buffer | null;
  /** By the secrets. */
  readonly tokens: ReadonlyMap<string | Buffer, StickyTokens>;
}

/**
 * Everything that follows from one configuration alone: firewalls, router, groups, and the stages over them. A
 * `SnapshotBuilder` makes it; of what it holds only the servers of its groups change. What two routes share in the
 * configuration they share here.
 */
export class RoutingSnapshot {
  readonly config: Config;
  readonly trusted: AddressSet;
  readonly tellsForwarded: boolean;
  readonly tellsVia: boolean;
  /** Before all routes, and at accept. */
  readonly firewall: Firewall | null;
  readonly pipeline: RequestStages;
  readonly router: Router<CompiledRoute>;
  /** Who served which client, where they are bound by a value of their own; kept over a reload. */
  readonly memory: StickyMemory;
  readonly #parts: SnapshotParts;

  constructor(parts: SnapshotParts) {
    const { config, trusted, firewall, pipeline, router, memory } = parts;
    this.#parts = parts;
    this.config = config;
    this.trusted = trusted;
    this.tellsForwarded = config.forwarded;
    this.tellsVia = config.via;
    this.firewall = firewall;
    this.pipeline = pipeline;
    this.router = router;
    this.memory = memory;
  }

  /** It is in force: what is in flight from before, and finds no server left, asks it. */
  *takeOver(): Steps<void> {
    for (const group of this.#parts.groups.values()) {
      group.putInForce();
      yield;
    }
    for (const { selector, current } of this.#parts.selectors.values()) {
      current.selector = selector;
      yield;
    }
  }

  /** Another has taken over: the servers they share tell the groups of this one nothing more. */
  *release(): Steps<void> {
    for (const group of this.#parts.groups.values()) {
      group.release();
      yield;
    }
  }

  /** Each once, the one before all routes first. */
  get firewalls(): readonly Firewall[] {
    return [...this.#parts.firewalls.values()];
  }

  /** The servers of one of its groups. */
  groupOf(config: GroupConfig): ServerGroup {
    return this.#parts.groups.get(config) as ServerGroup;
  }

  // For the snapshot that takes over.

  /** The one in the place of `config`. */
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

  tokensBefore(secret: string | Buffer): StickyTokens | null {
    return this.#parts.tokens.get(secret) ?? null;
  }

  budgetFor(key: string): RetryBudget | undefined {
    return this.#parts.budgets.get(key);
  }

  get secret(): Buffer | null {
    return this.#parts.secret;
  }
}
