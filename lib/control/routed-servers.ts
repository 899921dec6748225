import type { Availability } from '../base/observer.js';
import { atOnce, inLaterSlices, type Steps } from '../base/slices.js';
import type { Config, GroupConfig } from '../config/types.js';
import type { DiscoveredServer } from '../discovery/contract.js';
import { type HostMaintenance, HostMaintenances } from '../routing/host-maintenance.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import type { Server } from '../servers/server.js';
import type { Changes } from './changes.js';
import { type Addition, DesiredServers } from './desired-servers.js';
import { FileIndex } from './file-index.js';
import type { ManagedServer } from './managed-server.js';
import { ManagedServers, type ManagedServersDeps } from './managed-servers.js';
import { type Answers, ProvidedServers } from './provided-servers.js';
import type { ServerPlan } from './server-plan.js';
import { serverKey } from './server-reuse.js';
import type { SeveralAddresses } from './several-addresses.js';

/** A removed server leaves this many groups at once, and further ones in slices. */
const LEFT_AT_ONCE = 500;

/** Builds the routing of a configuration over servers. `before`: the snapshot in force; null for the first one. */
export type SnapshotSteps = (
  config: Config,
  serversOf: (group: GroupConfig) => readonly Server[],
  before: RoutingSnapshot | null,
) => Steps<RoutingSnapshot>;

export interface RoutedServersDeps extends ManagedServersDeps {
  readonly snapshotSteps: SnapshotSteps;
}

/** A configuration that is not in force yet. Nothing in use has been changed for it. */
export interface PreparedServers {
  readonly file: FileIndex;
  readonly plan: ServerPlan;
  readonly snapshot: RoutingSnapshot;
  /** As when the preparation began. */
  readonly desired: DesiredServers;
}

/** What an answer of a source has changed. */
export interface ProvidedNames {
  /** The names of servers that came, left or have other terms or groups. */
  readonly names: ReadonlySet<string>;
  readonly came: readonly string[];
  readonly left: readonly string[];
  /** A line for each change made while running that was dropped. */
  readonly dropped: readonly string[];
}

/** What a thread knows besides configuration and changes when it begins. */
export interface KnownServers {
  /** The last answers of sources. */
  readonly answers?: Answers;
  /** The host names that have several addresses. */
  readonly several?: SeveralAddresses;
}

/** What a configuration is prepared over: as it was when the preparation began. */
interface Basis {
  readonly answers: Answers;
  readonly changes: Changes;
  readonly several: SeveralAddresses;
}

/** What remains to be done after a configuration has been put into force; requests do not depend on it. */
export interface InstalledServers {
  /** Retires the old servers. */
  readonly left: Steps<void>;
  /** The snapshot that was in force until now. */
  readonly old: RoutingSnapshot;
  /** A line for each change made while running that was dropped. */
  readonly dropped: readonly string[];
}

/**
 * The servers that are wanted, the servers as objects, and the routing snapshot over them. Every thread of a balancer has
 * one, and each follows the same configurations and the same operations in the same order, so that all have the same
 * servers and routes. Each change happens between two requests: what it does not concern keeps its sockets, health,
 * counters and tunnels.
 */
export class RoutedServers {
  readonly servers: ManagedServers;
  readonly #deps: RoutedServersDeps;
  #desired: DesiredServers;
  #snapshot: RoutingSnapshot;
  #started = false;
  /** Servers that were changed since a configuration began to be prepared; null while none is being prepared. */
  #touched: Set<string> | null = null;
  /** The servers among them that were added or removed. */
  readonly #moved = new Set<string>();
  /** Answers of sources since then, by their keys. */
  readonly #told = new Map<string, readonly DiscoveredServer[]>();
  #basis: Basis | null = null;
  /** What `restore` has dropped of the changes of a previous process. */
  readonly droppedAtStart: readonly string[];

  /** `kept`: changes of a previous process or of another thread; null: none. `known`: nothing by default. */
  constructor(config: Config, kept: Changes | null, deps: RoutedServersDeps, known: KnownServers = {}) {
    this.#deps = deps;
    this.servers = new ManagedServers(deps);
    const file = FileIndex.of(config);
    const { answers = new Map(), several } = known;
    this.#desired = new DesiredServers(file, ProvidedServers.of(file, answers), several);
    this.droppedAtStart = kept === null ? [] : this.#desired.restore(kept);
    const plan = atOnce(this.servers.plan(this.#desired));
    this.#snapshot = atOnce(deps.snapshotSteps(config, (group) => plan.of(group), null));
    atOnce(this.#snapshot.takeOver());
    atOnce(this.servers.install(plan, this.#desired, []));
    this.#followMaintenance();
  }

  /** The snapshot for the next request. */
  get snapshot(): RoutingSnapshot {
    return this.#snapshot;
  }

  get desired(): DesiredServers {
    return this.#desired;
  }

  /** Starts the checks of the servers, and of servers that are added later. */
  start(): void {
    this.#started = true;
    this.servers.firstChecks.start();
  }

  // Another configuration.

  /**
   * The configuration that is prepared next begins with the servers of this moment; from now on changes are noted for it,
   * until `install` or `discard`.
   */
  beginToPrepare(): void {
    const { layers, changes } = this.#desired;
    this.#basis = { answers: layers.provided.answers, changes, several: layers.several.copy() };
    this.#touched = new Set();
    this.#moved.clear();
    this.#told.clear();
  }

  /** Prepares a configuration, beside the requests. Changes made while running are kept where it still has their server. */
  *prepareSteps(config: Config): Steps<PreparedServers> {
    const { answers, changes, several } = this.#basis as Basis;
    this.#basis = null;
    const file = yield* FileIndex.build(config);
    const provided = yield* ProvidedServers.build(file, answers);
    const desired = new DesiredServers(file, provided, several);
    desired.restore(changes);
    const plan = yield* this.servers.plan(desired);
    try {
      const snapshot = yield* this.#deps.snapshotSteps(config, (group) => plan.of(group), this.#snapshot);
      return { file, plan, snapshot, desired };
    } catch (error) {
      plan.discard();
      throw error;
    }
  }

  /** Gives up what was prepared, or the preparation itself. */
  discard(prepared: Pick<PreparedServers, 'plan' | 'snapshot'> | null): void {
    this.#touched = null;
    this.#basis = null;
    if (prepared === null) return;
    prepared.plan.discard();
    atOnce(prepared.snapshot.release());
  }

  /** Takes over into a plan the servers that were added or removed since it was begun. */
  renew(prepared: PreparedServers): void {
    const provided = this.#renewProvided(prepared);
    const desired = new DesiredServers(prepared.file, provided, this.#desired.layers.several);
    desired.restore(this.#desired.changes);
    this.#renew(prepared, desired);
  }

  #renewProvided({ desired }: PreparedServers): ProvidedServers {
    const { provided } = desired.layers;
    for (const [source, servers] of this.#told)
      for (const name of provided.set(source, servers).names) this.#noteMoved(name);
    this.#told.clear();
    return provided;
  }

  #renew({ plan, snapshot }: PreparedServers, desired: DesiredServers): void {
    for (const group of this.servers.replan(this.#moved, plan, desired))
      snapshot.groupOf(group).setServers(plan.of(group));
    this.#moved.clear();
  }

  /** Servers that were changed since a configuration began to be prepared. */
  get touched(): ReadonlySet<string> {
    return this.#touched ?? new Set();
  }

  /** Puts a configuration into force, between two requests. */
  install(prepared: PreparedServers): InstalledServers {
    const { file, plan, snapshot } = prepared;
    const before = this.#desired;
    const desired = new DesiredServers(file, this.#renewProvided(prepared), before.layers.several);
    const dropped = desired.restore(before.changes);
    this.#renew(prepared, desired);
    const names = [...before.changedNames(), ...desired.changedNames(), ...this.touched].flatMap((name) => [
      name,
      ...desired.layers.serverNamesOf(name),
    ]);
    this.#touched = null;
    const old = this.#snapshot;
    this.#desired = desired;
    this.#snapshot = snapshot;
    this.#followMaintenance();
    const left = this.servers.install(plan, desired, names);
    return { left, old, dropped };
  }

  // Answers of sources.

  /**
   * Takes over an answer of a source: all its servers, as plain data. It changes the members of the groups that have the
   * source, and no route. Servers that are gone finish their requests. An answer of a source that the file does not have is
   * remembered for the next configuration.
   */
  provide(source: string, servers: readonly DiscoveredServer[]): ProvidedNames {
    const desired = this.#desired;
    const { groups, ...change } = desired.layers.provide(source, servers);
    if (this.#touched !== null) this.#told.set(source, desired.layers.provided.answerOf(source));
    this.#follow(groups, change.names);
    return change;
  }

  /**
   * A host name has other addresses. `several`: those that are servers of their own; none while it is one server. Returns
   * the names of servers that came or left.
   */
  resolve(host: string, several: readonly string[]): ReadonlySet<string> {
    const { groups, names } = this.#desired.layers.resolve(host, several);
    this.#follow(groups, names);
    return names;
  }

  /** Brings these groups, and the servers of these names, in line with what is wanted now. */
  #follow(groups: readonly GroupConfig[], names: ReadonlySet<string>): void {
    if (names.size === 0) return;
    const leaving = this.servers.reconcile(names, this.#desired);
    atOnce(this.servers.leaving.withdraw(leaving, false));
    const steps = this.#regroup(groups, names, leaving);
    if (groups.length <= LEFT_AT_ONCE) atOnce(steps);
    else inLaterSlices(steps);
    if (this.#started) this.servers.firstChecks.start();
    for (const name of names) this.#noteMoved(name);
  }

  #regroup(
    groups: readonly GroupConfig[],
    names: ReadonlySet<string>,
    leaving: readonly ManagedServer[],
  ): Steps<void> {
    const snapshot = this.#snapshot;
    // Further slices run later, when servers of other names may have changed too.
    const changed = groups.length <= LEFT_AT_ONCE ? names : null;
    const { servers } = this;
    const steps = servers.regroup(groups, this.#desired, changed, (group) =>
      snapshot.groupOf(group).setServers(servers.of(group)),
    );
    return (function* () {
      yield* steps;
      // The groups have others now, to which waiting requests go.
      yield* servers.leaving.turnAway(leaving);
    })();
  }

  /** A configuration that is being prepared has to follow. */
  #noteMoved(name: string): void {
    if (this.#touched === null) return;
    this.#touched.add(name);
    this.#moved.add(name);
  }

  // The maintenance of hosts.

  /** `maintenance`: null ends it. */
  setHostMaintenance(host: string, maintenance: HostMaintenance | null): void {
    this.#desired.maintenance.set(host, maintenance);
    this.#followMaintenance();
  }

  #followMaintenance(): void {
    const { list } = this.#desired.maintenance;
    this.#snapshot.setMaintenances(HostMaintenances.of(list, this.#deps.clock));
  }

  // A change of one server.

  setAvailability(name: string, to: Availability): void {
    this.#desired.setAvailability(name, to);
    this.#instruct(name);
  }

  setWeight(name: string, weight: number): void {
    this.#desired.setWeight(name, weight);
    this.#instruct(name);
  }

  #instruct(name: string): void {
    for (const server of this.#desired.layers.serverNamesOf(name))
      this.servers.instruct(server, this.#desired);
    this.#touched?.add(name);
  }

  /**
   * The server that an addition is about, which nothing knows yet; null: its host name is known to have several addresses.
   * What may fail fails here.
   */
  prepareAddition({ server, group }: Addition): ManagedServer | null {
    return this.#desired.layers.several.of(server) === null
      ? this.servers.prepare(server, group, this.#desired)
      : null;
  }

  /** `member`: the server of `prepareAddition`. */
  addServer(addition: Addition, member: ManagedServer | null): void {
    const desired = this.#desired;
    const { server, group } = addition;
    const { name } = server;
    desired.add(addition);
    if (member === null) {
      this.#follow([group], new Set(desired.layers.serverNamesOf(name)));
      this.#instruct(name);
      return;
    }
    this.servers.join(member, server, group, desired);
    this.servers.instruct(name, desired);
    this.#snapshot.groupOf(group).setServers(this.servers.of(group));
    if (this.#started) this.servers.firstChecks.start();
    this.#noteMoved(name);
  }

  removeServer(name: string): void {
    const names = this.#desired.layers.serverNamesOf(name);
    const listings = this.#desired.remove(name);
    const leaving = this.servers.letGo(names);
    // From here on no group picks these servers; they may leave 10,000 groups one after another.
    atOnce(this.servers.leaving.retire(leaving));
    const snapshot = this.#snapshot;
    const steps = this.servers.leave(leaving, listings, (group) =>
      snapshot.groupOf(group).setServers(this.servers.of(group)),
    );
    if (listings.length <= LEFT_AT_ONCE) atOnce(steps);
    else inLaterSlices(steps);
    for (const one of names) this.#noteMoved(one);
  }

  /** The numbers of the servers that an entry of this name stands for, by key. */
  numbersOf(name: string): readonly (readonly [key: string, number: number])[] {
    return this.#desired.layers
      .serverNamesOf(name)
      .flatMap((one) => this.servers.named(one))
      .map((member) => [serverKey(member.config, member.group), member.number]);
  }
}
