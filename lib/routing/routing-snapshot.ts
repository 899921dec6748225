import { randomBytes } from 'node:crypto';
import { AddressSet } from '../base/address-set.js';
import { hashText } from '../base/hash.js';
import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { fieldsJudged } from '../config/judged-fields.js';
import type {
  Config,
  FirewallConfig,
  GroupConfig,
  RouteAction,
  RouteConfig,
  StickyConfig,
} from '../config/types.js';
import type { CompiledRoute, RequestStages } from '../exchange/context.js';
import { RequestKey } from '../exchange/request-key.js';
import { RetryBudget, RetryPolicy } from '../exchange/retries.js';
import { type CurrentSelector, ServerSelector, type Sticky } from '../exchange/server-selector.js';
import { StickyCookie, StickyTokens } from '../exchange/sticky-cookie.js';
import { StickyMemory } from '../exchange/sticky-memory.js';
import { StickyValue } from '../exchange/sticky-value.js';
import { Firewall, type FirewallScope } from '../firewall/firewall.js';
import { FirewallChain } from '../firewall/firewall-chain.js';
import { RouteReply } from '../rules/route-reply.js';
import { RouteRules } from '../rules/route-rules.js';
import { randomBits } from '../servers/scheduler/random-bits.js';
import type { RandomSource } from '../servers/scheduler/scheduler.js';
import { algorithmOf } from '../servers/schedulers.js';
import type { Server } from '../servers/server.js';
import { ServerGroup } from '../servers/server-group.js';
import { CompiledStages } from './compiled-stages.js';
import { Router } from './router.js';

/** A key as long as the output of SHA-256, whose HMAC signs cookies (RFC 2104, 3). */
const SECRET_BYTES = 32;

/**
 * Everything that follows from one configuration alone: firewalls, router, groups, and the pipeline over them. Built
 * once, read only; what two routes share in the configuration they share here.
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
  readonly #groups = new Map<GroupConfig, ServerGroup>();
  /** By the names of the routes; the current selector of each is handed on from one snapshot to the next. */
  readonly #selectors = new Map<
    string,
    { readonly selector: ServerSelector; readonly current: CurrentSelector }
  >();
  readonly #firewalls = new Map<FirewallConfig, Firewall>();
  /** By every name of each: what its guards know goes on with the firewall that has one of them in the next snapshot. */
  readonly #firewallsByName = new Map<string, Firewall>();
  /** By the name of the group and the share of retries: counting goes on over a reload. */
  readonly #budgets = new Map<string, RetryBudget>();
  /** Names of the fields that guards, conditions and keys look at. */
  readonly #judgedBy: readonly string[];
  readonly #clock: Clock;
  readonly #observer: Observer;
  /** For cookies of places that have none of their own; made up when first needed, and kept over a reload. */
  #secret: Buffer | null;
  /** By the secrets. */
  readonly #tokens = new Map<string | Buffer, StickyTokens>();
  #before: RoutingSnapshot | null;

  /**
   * `backendsOf` gives the servers of a group, in order: those that other groups have too are the same objects.
   * `before` is the snapshot this one takes over from. `observer` is told of bans.
   */
  constructor(
    config: Config,
    clock: Clock,
    serversOf: (group: GroupConfig) => readonly Server[],
    before: RoutingSnapshot | null = null,
    observer: Observer = {},
    random: RandomSource = randomBits(),
    memory: StickyMemory | null = null,
  ) {
    this.memory = memory ?? before?.memory ?? new StickyMemory(clock);
    this.config = config;
    this.#clock = clock;
    this.#observer = observer;
    this.trusted = new AddressSet(config.trustedProxies);
    this.tellsForwarded = config.forwarded;
    this.tellsVia = config.via;
    this.#before = before;
    this.#judgedBy = fieldsJudged(config);
    this.firewall = config.firewall === null ? null : this.#firewall(config.firewall, 'connections');
    this.#secret = before === null ? null : before.#secret;
    for (const group of config.groups) {
      const algorithm = algorithmOf(group.algorithm, { random, clock });
      this.#groups.set(group, new ServerGroup(serversOf(group), algorithm));
    }
    this.router = new Router(config, (route) => this.#destination(route));
    this.pipeline = new CompiledStages(this.firewall, this.router, this.trusted);
    // Not a chain of all that ever were.
    this.#before = null;
    for (const tokens of this.#tokens.values()) tokens.settle();
  }

  #destination(route: RouteConfig): CompiledRoute {
    const { name, action, rules, sticky, firewalls, retry, timeouts, bodyBytes, bodyRate } = route;
    return Object.freeze({
      name,
      selector: action.kind === 'forward' ? this.#selector(name, action.group, sticky) : null,
      reply: action.kind === 'forward' ? null : new RouteReply(action),
      rules: new RouteRules(rules, this.#judgedBy),
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

  #selector(route: string, config: GroupConfig, sticky: StickyConfig | null): ServerSelector {
    const group = this.#groups.get(config) as ServerGroup;
    const { on, fallback } = config.algorithm;
    const key = on === null ? null : new RequestKey(on, fallback === 'client_ip');
    const binding = sticky === null ? null : this.#sticky(sticky, group, config.name);
    const current = this.#before?.currentSelectorOf(route) ?? { selector: null };
    const selector = new ServerSelector(group, key, binding, current);
    this.#selectors.set(route, { selector, current });
    return selector;
  }

  #sticky(config: StickyConfig, group: ServerGroup, groupName: string): Sticky {
    if (config.kind !== 'cookie') {
      const { kind, name, expire } = config;
      const scope = hashText(`${kind} ${name} ${groupName}`);
      return new StickyValue(new RequestKey(config), group, { memory: this.memory, scope, expire });
    }
    this.#secret ??= randomBytes(SECRET_BYTES);
    return new StickyCookie(config, this.#tokensBy(config.secret ?? this.#secret), group, this.memory);
  }

  #tokensBy(secret: string | Buffer): StickyTokens {
    let tokens = this.#tokens.get(secret);
    if (tokens === undefined) {
      tokens = new StickyTokens(secret, this.#before === null ? null : this.#before.tokensBefore(secret));
      this.#tokens.set(secret, tokens);
    }
    return tokens;
  }

  #firewall(config: FirewallConfig, scope: FirewallScope): Firewall {
    const known = this.#firewalls.get(config);
    if (known !== undefined) return known;
    const before = this.#before?.firewallBefore(config) ?? null;
    // A long list of addresses is not read again when an operator drains a server.
    const firewall =
      before?.config === config ? before : new Firewall(config, scope, this.#clock, this.#observer, before);
    this.#firewalls.set(config, firewall);
    for (const name of [config.name, ...config.aliases]) this.#firewallsByName.set(name, firewall);
    return firewall;
  }

  /** `next` has taken over: the servers they share tell this one nothing more. */
  release(next: RoutingSnapshot): void {
    for (const group of this.#groups.values()) group.release();
    for (const { selector, current } of next.#selectors.values()) current.selector = selector;
  }

  /** Each once, the one before all routes first. */
  get firewalls(): readonly Firewall[] {
    return [...this.#firewalls.values()];
  }

  /** The servers of one of its groups. */
  groupOf(config: GroupConfig): ServerGroup {
    return this.#groups.get(config) as ServerGroup;
  }

  /** The one in the place of `config`, for the snapshot that takes over. */
  firewallBefore({ name, aliases }: FirewallConfig): Firewall | undefined {
    for (const known of [name, ...aliases]) {
      const firewall = this.#firewallsByName.get(known);
      if (firewall !== undefined) return firewall;
    }
    return undefined;
  }

  /** For the snapshot that takes over. */
  currentSelectorOf(route: string): CurrentSelector | undefined {
    return this.#selectors.get(route)?.current;
  }

  /** For the snapshot that takes over. */
  tokensBefore(secret: string | Buffer): StickyTokens | null {
    return this.#tokens.get(secret) ?? null;
  }

  /** For the snapshot that takes over. */
  budgetFor(key: string): RetryBudget | undefined {
    return this.#budgets.get(key);
  }
}
