import { append } from '../base/collections.js';
import type { Observer } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { EngineServer, ServerUpdate } from '../servers/engine-contract.js';
import type { Server } from '../servers/server.js';
import type { DesiredServers } from './desired-servers.js';
import { FirstChecks } from './first-checks.js';
import type { HealthTerms, ServerJudge } from './health/server-health.js';
import { LeavingServers } from './leaving-servers.js';
import { ManagedServer } from './managed-server.js';
import { isSame } from './server-entry.js';
import { ServerPlan, type Takeover } from './server-plan.js';
import { NumberedReuse, type Reused, ServerReuse, serverKey } from './server-reuse.js';

/** What makes servers, and who judges them; everything else is the same in every thread. */
export interface ManagedServersDeps {
  readonly clock: Clock;
  /** Gets an event when the last request on a server that leaves has ended. */
  readonly observer: Observer;
  readonly maker: {
    make(config: ServerConfig, group: GroupConfig, weight: number, slot?: number): Server;
    updateOf(config: ServerConfig, group: GroupConfig, before: ServerConfig): ServerUpdate;
  };
  /** Called once for each server. `number`: the one that it has in every thread. `isNew`: it comes while requests are served. */
  readonly judgeOf: (server: Server, terms: HealthTerms, number: number, isNew: boolean) => ServerJudge;
  /**
   * The numbers of servers by key, where another thread decides which server continues as which; null: it is decided
   * here. A server's number is its slot in the shared memory.
   */
  readonly numberOf: ((key: string) => number) | null;
}

/**
 * The servers of a balancer. Entries with the same name and terms are one object wherever the configuration lists them,
 * and the object is kept over a reload, with its sockets, health and requests.
 */
export class ManagedServers {
  readonly #deps: ManagedServersDeps;
  /** By key. */
  #members = new Map<string, ManagedServer>();
  /** The servers of the previous configuration, from `install` until the ones that are not in the new one are retired. */
  #before: ReadonlyMap<string, ManagedServer> = new Map();
  #groups = new Map<GroupConfig, readonly ManagedServer[]>();
  #byName = new Map<string, ManagedServer[]>();
  readonly #memberOf = new WeakMap<EngineServer, ManagedServer>();
  /** Starts their checks. */
  readonly firstChecks = new FirstChecks();
  /** Those that get no new requests. */
  readonly leaving: LeavingServers;
  /** Changes whenever servers come or go: what was found among them may be out of date. */
  version = 0;
  /** Counts the names whose servers are still to be removed from lists. */
  #pendingRemovals = 0;

  constructor(deps: ManagedServersDeps) {
    this.#deps = deps;
    this.leaving = new LeavingServers(deps.observer);
  }

  /** The servers of a group, in order. */
  of(group: GroupConfig): readonly Server[] {
    return this.membersOf(group).map(({ server }) => server);
  }

  membersOf(group: GroupConfig): readonly ManagedServer[] {
    const list = this.#groups.get(group) ?? [];
    if (this.#pendingRemovals === 0 || !list.some((member) => member.isRemoved)) return list;
    return list.filter((member) => !member.isRemoved);
  }

  /** The number of servers. */
  get count(): number {
    return this.#members.size;
  }

  /** The numbers of all servers by key. */
  *numbers(): Generator<readonly [key: string, number: number], void, void> {
    for (const [key, { number }] of this.#members) yield [key, number];
  }

  /** The names of all servers. */
  get names(): Iterable<string> {
    return this.#byName.keys();
  }

  /** All servers in no order in particular, without a list being made. */
  get each(): Iterable<ManagedServer> {
    return this.#members.values();
  }

  /** The servers of one name: usually one, else one for each set of terms. */
  named(name: string): readonly ManagedServer[] {
    return this.#byName.get(name) ?? [];
  }

  /** Has a check of the server been completed? */
  wasChecked(server: EngineServer): boolean {
    const lastCheck = this.#memberOf.get(server)?.health.record.history.lastCheck ?? null;
    return lastCheck !== null;
  }

  /** All servers, in the order of the groups. */
  get members(): readonly ManagedServer[] {
    const members = new Set<ManagedServer>();
    for (const list of this.#groups.values())
      for (const member of list) if (this.#pendingRemovals === 0 || !member.isRemoved) members.add(member);
    return [...members];
  }

  /** All servers that may hold a connection: current ones, those before a reload until it is done, and retired ones. */
  #all(): ReadonlySet<ManagedServer> {
    return new Set([...this.#members.values(), ...this.#before.values(), ...this.leaving.retired]);
  }

  /** Requests in flight on all servers, including retired ones. */
  get activeCount(): number {
    let sum = 0;
    for (const { server } of this.#all()) sum += server.active;
    return sum;
  }

  // A change of one server.

  /** The server for an entry of a group: an existing one with the same terms, or a new one. */
  prepare(config: ServerConfig, group: GroupConfig, desired: DesiredServers): ManagedServer {
    const key = serverKey(config, group);
    return this.#members.get(key) ?? this.#make(config, group, key, desired);
  }

  /** Adds the server to another group, at its position in `desired`. */
  join(member: ManagedServer, config: ServerConfig, group: GroupConfig, desired: DesiredServers): void {
    const key = serverKey(config, group);
    if (!this.#members.has(key)) this.#adopt(key, member);
    const list = this.membersOf(group);
    const servers = desired.layers.serversOf(group);
    const place = servers.findIndex(({ name }) => name === config.name);
    this.version++;
    this.#groups.set(group, [...list.slice(0, place), member, ...list.slice(place)]);
  }

  #adopt(key: string, member: ManagedServer): void {
    this.version++;
    this.#members.set(key, member);
    append(this.#byName, member.server.name, member);
    this.firstChecks.add(member);
  }

  /** Removes servers from groups, in steps; calls `onLeft` after each group. */
  *leave(
    leaving: readonly ManagedServer[],
    groups: readonly { readonly group: GroupConfig }[],
    onLeft: (group: GroupConfig) => void,
  ): Steps<void> {
    const lists = this.#groups;
    for (const { group } of groups) {
      // Another configuration was installed: its groups do not have these servers.
      if (this.#groups !== lists) break;
      const list = this.membersOf(group);
      lists.set(
        group,
        list.filter((member) => !leaving.includes(member)),
      );
      onLeft(group);
      yield;
    }
    this.#pendingRemovals--;
  }

  /** Gives the servers of that name their desired weight and availability. */
  instruct(name: string, desired: DesiredServers): void {
    const availability = desired.terms.availabilityOf(name);
    for (const member of this.named(name)) {
      const { server, config } = member;
      if (server.availability !== availability) this.leaving.follow(member, availability);
      server.update({ weight: desired.terms.weightOf(config), availability });
    }
  }

  /** Removes the servers of these names from the index, and returns them: `retire` and `leave` must follow. */
  letGo(names: readonly string[]): readonly ManagedServer[] {
    const leaving = names.flatMap((name) => this.named(name));
    this.version++;
    this.#pendingRemovals++;
    for (const name of names) this.#byName.delete(name);
    for (const { config, group } of leaving) this.#members.delete(serverKey(config, group));
    return leaving;
  }

  /**
   * Brings the servers of these names in line with `desired`, which a source has changed. One with other terms continues
   * under these, unless another group has it still with the old ones. Returns those that no group has any more: they get
   * no new requests, and `retire` and `regroup` must follow.
   */
  reconcile(names: Iterable<string>, desired: DesiredServers): readonly ManagedServer[] {
    const leaving: ManagedServer[] = [];
    for (const name of names) {
      const left = new Set(this.named(name));
      const wanted = new Map(
        desired.layers
          .serversNamed(name)
          .map((listing) => [serverKey(listing.server, listing.group), listing]),
      );
      for (const key of wanted.keys()) {
        const member = this.#members.get(key);
        if (member !== undefined && left.delete(member)) wanted.delete(key);
      }
      for (const [key, { server, group }] of wanted) {
        const heir = this.#successor(key, server, [...left]);
        if (heir === undefined) {
          this.#adopt(key, this.#make(server, group, key, desired));
          continue;
        }
        left.delete(heir);
        this.#members.delete(serverKey(heir.config, heir.group));
        this.#members.set(key, heir);
        this.#adjust(heir, { config: server, group }, desired);
      }
      if (left.size === 0) continue;
      this.#takeOut(name, left);
      for (const member of left) leaving.push(member);
    }
    return leaving;
  }

  #takeOut(name: string, left: ReadonlySet<ManagedServer>): void {
    this.version++;
    this.#byName.set(
      name,
      this.named(name).filter((member) => !left.has(member)),
    );
    if (this.named(name).length === 0) this.#byName.delete(name);
    for (const { config, group } of left) this.#members.delete(serverKey(config, group));
  }

  /**
   * Lists the servers of groups again, as `desired` has them, in steps; calls `onChange` after each group. `changed`: the
   * names of servers that may be others now. null: any.
   */
  regroup(
    groups: readonly GroupConfig[],
    desired: DesiredServers,
    changed: ReadonlySet<string> | null,
    onChange: (group: GroupConfig) => void,
  ): Steps<void> {
    this.#pendingRemovals++;
    return this.#regroupSteps(groups, desired, changed, onChange);
  }

  *#regroupSteps(
    groups: readonly GroupConfig[],
    desired: DesiredServers,
    changed: ReadonlySet<string> | null,
    onChange: (group: GroupConfig) => void,
  ): Steps<void> {
    const lists = this.#groups;
    for (const group of groups) {
      // Another configuration was installed: its groups are up to date.
      if (this.#groups !== lists) break;
      const before = new Map((lists.get(group) ?? []).map((member) => [member.server.name, member]));
      const list = desired.layers.serversOf(group).flatMap((config) => {
        const known = changed?.has(config.name) === false ? before.get(config.name) : undefined;
        return known ?? this.#members.get(serverKey(config, group)) ?? [];
      });
      lists.set(group, list);
      this.version++;
      onChange(group);
      yield;
    }
    this.#pendingRemovals--;
  }

  // Another configuration.

  /**
   * Plans the desired servers, in steps. Nothing changes before `install`; a plan that is not installed must be
   * discarded.
   */
  *plan(desired: DesiredServers): Steps<ServerPlan> {
    const plan = new ServerPlan();
    try {
      const { numberOf } = this.#deps;
      const reuse =
        numberOf === null
          ? yield* ServerReuse.build(this.#members, desired)
          : new NumberedReuse(this.#members, numberOf);
      for (const group of desired.file.groups) {
        const list: ManagedServer[] = [];
        for (const config of desired.layers.serversOf(group)) {
          const key = serverKey(config, group);
          let member = plan.members.get(key);
          if (member === undefined) {
            const reused = reuse.take(config, group, key);
            member = this.#addTo(plan, key, config, group, desired, reused);
          }
          list.push(member);
          yield;
        }
        plan.groups.set(group, list);
      }
      return plan;
    } catch (error) {
      plan.discard();
      throw error;
    }
  }

  #addTo(
    plan: ServerPlan,
    key: string,
    config: ServerConfig,
    group: GroupConfig,
    desired: DesiredServers,
    reused: Reused | null,
  ): ManagedServer {
    const member = reused === null ? this.#make(config, group, key, desired) : reused.member;
    if (reused === null) plan.made.add(member);
    else if (reused.hasSameTerms) plan.unchanged.set(member, { config, group });
    else plan.changed.set(member, { config, group });
    plan.members.set(key, member);
    append(plan.byName, config.name, member);
    return member;
  }

  /**
   * Updates a plan after servers of these names were added or removed. Returns the groups of the plan whose servers
   * changed; `desired` is installed with the plan.
   */
  replan(names: ReadonlySet<string>, plan: ServerPlan, desired: DesiredServers): readonly GroupConfig[] {
    if (names.size === 0) return [];
    const groups = new Set<GroupConfig>();
    const left = new Set<ManagedServer>();
    for (const name of names) {
      for (const { group } of desired.layers.serversNamed(name)) groups.add(group);
      for (const member of this.named(name)) left.add(member);
    }
    for (const [group, list] of plan.groups)
      if (list.some(({ server }) => names.has(server.name))) groups.add(group);
    plan.takeOut(names);
    for (const group of groups) plan.groups.set(group, this.#replanned(group, plan, desired, left));
    return [...groups];
  }

  #replanned(
    group: GroupConfig,
    plan: ServerPlan,
    desired: DesiredServers,
    left: Set<ManagedServer>,
  ): readonly ManagedServer[] {
    return desired.layers.serversOf(group).map((config) => {
      const key = serverKey(config, group);
      const known = plan.members.get(key);
      if (known !== undefined) return known;
      const member = this.#successor(key, config, [...left]);
      if (member === undefined) return this.#addTo(plan, key, config, group, desired, null);
      left.delete(member);
      const hasSameTerms = serverKey(member.config, member.group) === key;
      return this.#addTo(plan, key, config, group, desired, { member, hasSameTerms });
    });
  }

  #successor(key: string, config: ServerConfig, left: readonly ManagedServer[]): ManagedServer | undefined {
    const { numberOf } = this.#deps;
    if (numberOf !== null) return left.find(({ number }) => number === numberOf(key));
    return (
      left.find((one) => serverKey(one.config, one.group) === key) ??
      left.find((one) => isSame(one.config, config))
    );
  }

  /**
   * Puts a plan into force. `touched`: the names of servers that were changed since it was begun. Returns the remaining
   * work, in steps; requests do not depend on it.
   */
  install(plan: ServerPlan, desired: DesiredServers, touched: Iterable<string>): Steps<void> {
    this.version++;
    this.#before = this.#members;
    this.#members = plan.members;
    this.#groups = plan.groups;
    this.#byName = plan.byName;
    for (const [member, takeover] of plan.changed) this.#adjust(member, takeover, desired);
    for (const name of new Set(touched)) this.instruct(name, desired);
    return this.#afterInstall(plan);
  }

  *#afterInstall(plan: ServerPlan): Steps<void> {
    for (const [member, { config, group }] of plan.unchanged) {
      member.config = config;
      member.group = group;
      yield;
    }
    for (const member of plan.made) {
      if (!member.isRemoved) this.firstChecks.add(member);
      yield;
    }
    const leaving: ManagedServer[] = [];
    for (const member of this.#before.values()) {
      if (!plan.has(member)) leaving.push(member);
      yield;
    }
    yield* this.leaving.retire(leaving);
    this.#before = new Map();
    if (this.firstChecks.hasStarted) yield* this.firstChecks.steps();
  }

  /** Changes the terms of a server. */
  #adjust(member: ManagedServer, { config, group }: Takeover, desired: DesiredServers): void {
    const { server, health } = member;
    const update = this.#deps.maker.updateOf(config, group, member.config);
    member.config = config;
    member.group = group;
    server.update({ ...update, weight: desired.terms.weightOf(config) });
    if (health.applyTerms(group)) this.firstChecks.add(member);
  }

  #make(config: ServerConfig, group: GroupConfig, key: string, desired: DesiredServers): ManagedServer {
    const { clock, maker, judgeOf, numberOf } = this.#deps;
    const server = maker.make(config, group, desired.terms.weightOf(config), numberOf?.(key));
    const number = server.pool.row.slot;
    if (this.firstChecks.hasStarted) server.startSlowly();
    // No `drained` event is due: the server has no requests.
    server.update({ availability: desired.terms.availabilityOf(config.name) });
    const health = judgeOf(server, group, number, this.firstChecks.hasStarted);
    const member = new ManagedServer(server, number, health, config, group, clock);
    this.#memberOf.set(server, member);
    return member;
  }

  /** Stops all checks and cuts all sockets. */
  stop(): void {
    this.firstChecks.stop();
    for (const { server, health } of this.#all()) {
      health.stop();
      server.pool.close();
    }
  }
}
