import { randomBytes } from 'node:crypto';
import type { Backend } from './backend/backend.js';
import { Group } from './backend/group.js';
import { createScheduler } from './backend/schedulers.js';
import { AddressSet } from './base/address-set.js';
import type { Clock } from './base/clock.js';
import type { Observer } from './base/observer.js';
import type {
  Config,
  FirewallConfig,
  GroupConfig,
  RouteAction,
  RouteConfig,
  StickyConfig,
} from './config/types.js';
import { Choice } from './exchange/choice.js';
import type { Pipeline } from './exchange/context.js';
import type { Destination } from './exchange/destination.js';
import { RequestKey } from './exchange/request-key.js';
import { RetryBudget } from './exchange/retry-budget.js';
import { RetryPolicy } from './exchange/retry-policy.js';
import type { Sticky } from './exchange/sticky.js';
import { StickyCookie } from './exchange/sticky-cookie.js';
import { StickyValue } from './exchange/sticky-value.js';
import { Firewall, type FirewallScope } from './firewall/firewall.js';
import { FirewallChain } from './firewall/firewall-chain.js';
import { RequestPipeline } from './pipeline.js';
import { Router } from './router/router.js';
import { RouteReply } from './rules/route-reply.js';
import { RouteRules } from './rules/route-rules.js';
import type { RandomSource } from './scheduler/scheduler.js';

/** As long as what the hash gives. */
const SECRET_BYTES = 32;

/**
 * Everything that follows from one configuration alone: firewalls, router, groups, and the pipeline over them. Built
 * once, read only; what two routes share in the configuration they share here.
 */
export class Generation {
  readonly config: Config;
  readonly trusted: AddressSet;
  readonly tellsForwarded: boolean;
  /** Before all routes, and at accept. */
  readonly firewall: Firewall | null;
  readonly pipeline: Pipeline;
  readonly router: Router<Destination>;
  readonly #groups = new Map<GroupConfig, Group>();
  /** By what they ask: the same question keeps its buckets, counts and bans over a reload. */
  readonly #firewalls = new Map<string, Firewall>();
  /** What may be retried, by the servers and the share; it is counted on over a reload. */
  readonly #budgets = new Map<string, RetryBudget>();
  readonly #clock: Clock;
  readonly #observer: Observer;
  /** For cookies of places that have none of their own; made up when first needed, and kept over a reload. */
  #secret: Buffer | null;
  #before: Generation | null;

  /**
   * `backendsOf` gives the servers of a group, in order: those that other groups have too are the same objects.
   * `before` is the generation this one takes over from. `observer` is told of bans.
   */
  constructor(
    config: Config,
    clock: Clock,
    backendsOf: (group: GroupConfig) => readonly Backend[],
    before: Generation | null = null,
    observer: Observer = {},
    random: RandomSource = Math.random,
  ) {
    this.config = config;
    this.#clock = clock;
    this.#observer = observer;
    this.trusted = new AddressSet(config.trustedProxies);
    this.tellsForwarded = config.forwarded;
    this.#before = before;
    this.firewall = config.firewall === null ? null : this.#firewall(config.firewall, 'connections');
    this.#secret = before === null ? null : before.#secret;
    for (const group of config.groups) {
      const scheduler = createScheduler(group.algorithm, { random, clock });
      this.#groups.set(group, new Group(backendsOf(group), scheduler));
    }
    this.router = new Router(config, (route) => this.#destination(route));
    this.pipeline = new RequestPipeline(this.firewall, this.router, this.trusted);
    // Not a chain of all that ever were.
    this.#before = null;
  }

  #destination(route: RouteConfig): Destination {
    const { name, action, rules, sticky, firewalls, retry, timeouts, bodyBytes, bodyRate } = route;
    return Object.freeze({
      name,
      choice: action.kind === 'forward' ? this.#choice(action.group, sticky) : null,
      reply: action.kind === 'forward' ? null : new RouteReply(action),
      rules: new RouteRules(rules),
      firewalls:
        firewalls.length === 0
          ? null
          : new FirewallChain(firewalls.map((firewall) => this.#firewall(firewall, 'requests'))),
      retry: new RetryPolicy(retry, this.#budget(action, retry.budget)),
      timeouts,
      bodyBytes,
      bodyRate,
    });
  }

  #budget(action: RouteAction, share: number | null): RetryBudget | null {
    if (action.kind !== 'forward' || share === null) return null;
    const key = `${action.group.name} ${share}`;
    let budget = this.#budgets.get(key);
    if (budget === undefined) {
      budget = this.#before?.budgetFor(key) ?? new RetryBudget(share);
      this.#budgets.set(key, budget);
    }
    return budget;
  }

  #choice(config: GroupConfig, sticky: StickyConfig | null): Choice {
    const group = this.#groups.get(config) as Group;
    const { on, fallback } = config.algorithm;
    const key = on === null ? null : new RequestKey(on, fallback === 'client_ip');
    return new Choice(group, key, sticky === null ? null : this.#sticky(sticky, group));
  }

  #sticky(config: StickyConfig, group: Group): Sticky {
    if (config.kind !== 'cookie') return new StickyValue(new RequestKey(config), group);
    this.#secret ??= randomBytes(SECRET_BYTES);
    return new StickyCookie(config.name, config.secret ?? this.#secret, config.maxAge, group.backends);
  }

  #firewall(config: FirewallConfig, scope: FirewallScope): Firewall {
    const key = `${scope} ${JSON.stringify(config, writable)}`;
    let firewall = this.#firewalls.get(key);
    if (firewall === undefined) {
      firewall = this.#before?.firewallFor(key) ?? new Firewall(config, scope, this.#clock, this.#observer);
      this.#firewalls.set(key, firewall);
    }
    return firewall;
  }

  /** Another has taken over: the servers they share tell this one nothing more. */
  release(): void {
    for (const group of this.#groups.values()) group.release();
  }

  /** Each once, the one before all routes first. */
  get firewalls(): readonly Firewall[] {
    return [...this.#firewalls.values()];
  }

  /** For the generation that takes over. */
  firewallFor(key: string): Firewall | undefined {
    return this.#firewalls.get(key);
  }

  /** Likewise. */
  budgetFor(key: string): RetryBudget | undefined {
    return this.#budgets.get(key);
  }
}

/** JSON for what it does not know; the line of a setting is nothing that is asked. */
function writable(name: string, value: unknown): unknown {
  if (name === 'line') return undefined;
  return typeof value === 'bigint' || value instanceof RegExp ? String(value) : value;
}
