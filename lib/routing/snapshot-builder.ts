import { randomBytes } from 'node:crypto';
import { AddressSet } from '../base/address-set.js';
import { hashText } from '../base/hash.js';
import type { Observer } from '../base/observer.js';
import { atOnce, type Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import { everyRouteSteps } from '../config/every-route.js';
import { fieldsJudgedSteps } from '../config/judged-fields.js';
import type {
  Config,
  FirewallConfig,
  GroupConfig,
  HoldConfig,
  RouteAction,
  RouteConfig,
  StickyConfig,
} from '../config/types.js';
import { type CompiledRoute, ServerSelector, type Sticky } from '../exchange/context.js';
import { HoldCounts } from '../exchange/hold-counts.js';
import { HoldLine } from '../exchange/hold-line.js';
import { RequestKey } from '../exchange/request-key.js';
import { RetryBudget, RetryPolicy } from '../exchange/retries.js';
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
import { SharedMemory } from '../shared/shared-memory.js';
import { CompiledStages } from './compiled-stages.js';
import { PlaceInMaintenance } from './host-maintenance.js';
import { Router } from './router.js';
import { type RouteSelector, RoutingSnapshot } from './routing-snapshot.js';

/** As long as the output of SHA-256, whose HMAC signs cookies (RFC 2104, 3). */
const SECRET_BYTES = 32;

/** What a snapshot needs besides its configuration. */
export interface SnapshotSources {
  readonly clock: Clock;
  /** The servers of a group, in order; groups that share a server get the same object. */
  readonly serversOf: (group: GroupConfig) => readonly Server[];
  /** The previous snapshot; null by default. */
  readonly before?: RoutingSnapshot | null;
  /** Gets events about bans. */
  readonly observer?: Observer;
  readonly random?: RandomSource;
  /** That of the previous snapshot by default, or a new one. */
  readonly memory?: StickyMemory | null;
  /** What all threads share; new by default, and the same for all snapshots of a balancer. */
  readonly shared?: SharedMemory;
  /** Signs cookies of scopes that have no secret of their own. That of the previous snapshot by default, or a new one. */
  readonly secret?: Buffer | null;
}

/** Builds all that follows from one configuration: at once, or in steps, because 10,000 hosts take half a second. */
export class SnapshotBuilder {
  readonly #config: Config;
  readonly #sources: SnapshotSources;
  readonly #memory: StickyMemory;
  readonly #observer: Observer;
  readonly #shared: SharedMemory;
  readonly #before: RoutingSnapshot | null;
  readonly #groups = new Map<GroupConfig, ServerGroup>();
  readonly #selectors = new Map<string, RouteSelector>();
  readonly #firewalls = new Map<FirewallConfig, Firewall>();
  readonly #firewallsByName = new Map<string, Firewall>();
  readonly #budgets = new Map<string, RetryBudget>();
  readonly #holdLines = new Map<string, HoldLine>();
  readonly #tokens = new Map<string | Buffer, StickyTokens>();
  /** Names of the fields that guards, conditions and keys read. */
  #judgedBy: readonly string[] = [];
  /** For cookies of scopes that have no secret of their own; made when first needed, and kept over a reload. */
  #secret: Buffer | null;

  private constructor(config: Config, sources: SnapshotSources) {
    const { before = null, memory = null, observer = {}, secret = null } = sources;
    this.#config = config;
    this.#sources = sources;
    this.#before = before;
    this.#observer = observer;
    this.#shared = sources.shared ?? before?.shared ?? SharedMemory.create();
    this.#memory = memory ?? before?.memory ?? new StickyMemory(sources.clock, this.#shared.clients);
    this.#secret = before?.secret ?? secret;
  }

  static build(config: Config, sources: SnapshotSources): RoutingSnapshot {
    return atOnce(SnapshotBuilder.steps(config, sources));
  }

  /**
   * The groups of the snapshot do not act on their servers until `takeOver`. If the steps are abandoned, nothing remains.
   */
  static *steps(config: Config, sources: SnapshotSources): Steps<RoutingSnapshot> {
    const builder = new SnapshotBuilder(config, sources);
    try {
      return yield* builder.#build();
    } catch (error) {
      for (const group of builder.#groups.values()) group.release();
      throw error;
    }
  }

  *#build(): Steps<RoutingSnapshot> {
    const config = this.#config;
    const trusted = new AddressSet(config.trustedProxies);
    yield* everyRouteSteps(config);
    this.#judgedBy = yield* fieldsJudgedSteps(config);
    const firewall = config.firewall === null ? null : this.#firewall(config.firewall, 'connections');
    yield* this.#addGroups();
    yield* this.#makeTokens();
    const router = yield* Router.build(config, (route) => this.#compile(route));
    for (const tokens of this.#tokens.values()) tokens.settle();
    return new RoutingSnapshot({
      config,
      trusted,
      firewall,
      router,
      pipeline: new CompiledStages(firewall, router, trusted, config),
      memory: this.#memory,
      shared: this.#shared,
      groups: this.#groups,
      selectors: this.#selectors,
      firewalls: this.#firewalls,
      firewallsByName: this.#firewallsByName,
      ended: this.#ended(),
      secret: this.#secret,
      tokens: this.#tokens,
      holdLines: this.#holdLines,
    });
  }

  *#addGroups(): Steps<void> {
    const { clock, random = randomBits(), serversOf } = this.#sources;
    // The engines are the threads from 1 on, or thread 0 alone.
    const firstTurn = Math.max(0, this.#shared.thread - 1);
    for (const group of this.#config.groups) {
      const algorithm = algorithmOf(group.algorithm, { random, clock, firstTurn });
      const servers = new ServerGroup(serversOf(group), algorithm);
      servers.prepare();
      this.#groups.set(group, servers);
      yield;
    }
  }

  /** One step each, because the tokens of 10,000 servers take 50 ms. */
  *#makeTokens(): Steps<void> {
    for (const { action, sticky } of yield* everyRouteSteps(this.#config)) {
      if (action.kind !== 'forward' || sticky?.kind !== 'cookie') continue;
      const tokens = this.#tokensFor(sticky.secret);
      for (const { name } of (this.#groups.get(action.group) as ServerGroup).servers) {
        tokens.of(name);
        yield;
      }
    }
  }

  #compile(route: RouteConfig): CompiledRoute {
    const { name, action, rules, sticky, firewalls, retry, hold, timeouts } = route;
    const { maintenance, bodyBytes, bodyRate } = route;
    return Object.freeze({
      name,
      selector: action.kind === 'forward' ? this.#selector(name, action.group, sticky) : null,
      reply: action.kind === 'forward' ? null : new RouteReply(action),
      rules: new RouteRules(rules, this.#judgedBy),
      firewalls:
        firewalls.length === 0
          ? null
          : new FirewallChain(firewalls.map((firewall) => this.#firewall(firewall, 'requests'))),
      hold: hold === null ? null : this.#holdLine(name, hold),
      maintenance: PlaceInMaintenance.of(maintenance),
      retry: new RetryPolicy(retry, this.#budget(action, retry.budget)),
      timeouts,
      bodyBytes,
      bodyRate,
    });
  }

  /** The line of the route in the snapshot before, if it has the same terms: requests wait in it. */
  #holdLine(route: string, terms: HoldConfig): HoldLine {
    const before = this.#before?.holdLineOf(route);
    const isSame = before?.terms.for === terms.for && before.terms.maxRequests === terms.maxRequests;
    const { holds } = this.#shared;
    const counts = before?.counts ?? new HoldCounts(route);
    const line = before !== undefined && isSame ? before : new HoldLine(terms, () => holds.of(route), counts);
    this.#holdLines.set(route, line);
    return line;
  }

  #budget(action: RouteAction, share: number | null): RetryBudget | null {
    if (action.kind !== 'forward' || share === null) return null;
    const key = `${action.group.name} ${share}`;
    let budget = this.#budgets.get(key);
    if (budget === undefined) {
      budget = new RetryBudget(share, this.#shared.clients.retries, key);
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
      return new StickyValue(new RequestKey(config), group, { memory: this.#memory, scope, expire });
    }
    return new StickyCookie(config, this.#tokensFor(config.secret), group, this.#memory);
  }

  #tokensFor(own: string | null): StickyTokens {
    this.#secret ??= own === null ? randomBytes(SECRET_BYTES) : null;
    const secret = own ?? (this.#secret as Buffer);
    let tokens = this.#tokens.get(secret);
    if (tokens === undefined) {
      tokens = new StickyTokens(secret, this.#before === null ? null : this.#before.tokensBefore(secret));
      this.#tokens.set(secret, tokens);
    }
    return tokens;
  }

  /** Firewalls of the previous snapshot whose bans no firewall continues. */
  #ended(): readonly Firewall[] {
    const continued = new Set(['']);
    for (const { banIdentity } of this.#firewalls.values()) continued.add(banIdentity);
    return this.#before?.firewalls.filter(({ banIdentity }) => !continued.has(banIdentity)) ?? [];
  }

  #firewall(config: FirewallConfig, scope: FirewallScope): Firewall {
    const known = this.#firewalls.get(config);
    if (known !== undefined) return known;
    const before = this.#before?.firewallBefore(config) ?? null;
    const { clock } = this.#sources;
    const firewall =
      before?.config === config
        ? before
        : new Firewall(config, scope, clock, this.#observer, before, this.#shared.clients);
    this.#firewalls.set(config, firewall);
    for (const name of [config.name, ...config.aliases]) this.#firewallsByName.set(name, firewall);
    return firewall;
  }
}
