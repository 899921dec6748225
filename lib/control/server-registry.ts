import type { Availability, Observer } from '../base/observer.js';
import { atOnce, inLaterSlices, inSlices, type Steps } from '../base/slices.js';
import type { Config } from '../config/types.js';
import type { ThreadReader } from '../observe/thread-reader.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import { SnapshotBuilder } from '../routing/snapshot-builder.js';
import type { ConnectionDeps } from '../servers/contracts.js';
import type { SharedMemory } from '../shared/shared-memory.js';
import type { ChangeStore, Changes } from './changes.js';
import { DesiredServers } from './desired-servers.js';
import { FileIndex } from './file-index.js';
import type { HealthDeps } from './health/checker.js';
import { ManagedServers, type ServerPlan } from './managed-servers.js';
import { RouteStates, RouteTable } from './route-states.js';
import {
  announceDifferences,
  type Difference,
  describeChange,
  differenceOf,
  type Entry,
} from './server-list.js';
import type { NewServer, Operations } from './status/operations.js';
import type { Telemetry } from './telemetry.js';

/** A removed server leaves this many groups at once, and further ones in slices. */
const LEFT_AT_ONCE = 500;

/** What the registry needs. */
export interface RegistryDeps {
  readonly deps: ConnectionDeps;
  /** What all threads share. */
  readonly shared: SharedMemory;
  readonly health: HealthDeps;
  readonly telemetry: Telemetry;
  /** null: changes made while running end with the process. */
  readonly store: ChangeStore | null;
}

/** Everything made for a configuration that is not in force yet. Nothing in use has been changed for it. */
export interface PreparedConfig {
  readonly file: FileIndex;
  readonly plan: ServerPlan;
  readonly snapshot: RoutingSnapshot;
  readonly table: RouteTable;
  /** By the names of servers. */
  readonly differences: Map<string, Difference>;
  /** As when the preparation began. */
  readonly desired: DesiredServers;
}

/**
 * The servers and routes that the file and the operators want. Each change happens between two requests: what it does not
 * concern keeps its sockets, health, counters and tunnels. An operator's change affects the groups that have the server,
 * and no route. Another configuration is prepared in steps, beside the requests, and then installed at once.
 */
export class ServerRegistry implements Operations {
  #desired: DesiredServers;
  readonly servers: ManagedServers;
  readonly #requestReader: ThreadReader = {
    reads: 'summaries',
    requestSettled: () => this.#reportDrained(),
    requestsSummed: () => this.#reportDrained(),
  };
  readonly routes: RouteStates;
  readonly #parts: RegistryDeps;
  readonly #observer: Observer;
  readonly #install: (snapshot: RoutingSnapshot) => void;
  #snapshot: RoutingSnapshot;
  #started = false;
  /** Were changes of the previous process dropped, because the file was edited meanwhile? */
  #hasDropped = false;
  /** Changes in progress, or not reported yet: an observer that is notified may make another change. */
  #changes = 0;
  /** Servers that were changed since a configuration began to be prepared; null while none is being prepared. */
  #touched: Set<string> | null = null;
  /** The servers among them that were added or removed. */
  readonly #moved = new Set<string>();

  /** `install` puts a snapshot into service; called for every one except the first. */
  constructor(config: Config, parts: RegistryDeps, install: (snapshot: RoutingSnapshot) => void) {
    this.#parts = parts;
    this.#observer = parts.health.observer;
    this.#install = install;
    this.servers = new ManagedServers(parts.deps, parts.health);
    const file = FileIndex.of(config);
    const kept = parts.store?.changes ?? null;
    this.#desired = new DesiredServers(file);
    const dropped = kept === null ? [] : this.#desired.restore(kept);
    for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
    this.#hasDropped = dropped.length > 0;
    const plan = atOnce(this.servers.plan(this.#desired));
    this.#snapshot = atOnce(this.#snapshotSteps(config, plan, null));
    atOnce(this.#snapshot.takeOver());
    atOnce(this.servers.install(plan, this.#desired, []));
    const { clock, wheel } = parts.health;
    const table = atOnce(RouteTable.build(this.#snapshot, clock));
    this.routes = new RouteStates(clock, wheel, this.#observer, table, (server) =>
      this.servers.wasChecked(server),
    );
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
    this.servers.start();
    this.routes.start();
    // Otherwise the next process would drop the change again, or revive it if the old text of the file returns.
    if (this.#hasDropped) this.#keepChanges();
  }

  // Another configuration.

  /**
   * Prepares another configuration, beside the requests. `check` is called between slices: if it throws, the preparation
   * ends. `install` or `discard` must follow before the next `prepare`. Changes made while running are kept where the
   * file still has their route or server.
   */
  async prepare(config: Config, check: () => void): Promise<PreparedConfig> {
    this.#touched = new Set();
    this.#moved.clear();
    try {
      return await inSlices(this.#prepareSteps(config), check);
    } catch (error) {
      this.#touched = null;
      throw error;
    }
  }

  *#prepareSteps(config: Config): Steps<PreparedConfig> {
    const file = yield* FileIndex.build(config);
    const desired = new DesiredServers(file);
    desired.restore(this.#desired.changes);
    const plan = yield* this.servers.plan(desired);
    let snapshot: RoutingSnapshot | null = null;
    try {
      snapshot = yield* this.#snapshotSteps(config, plan, this.#snapshot);
      const table = yield* RouteTable.build(snapshot, this.#parts.health.clock);
      const differences = yield* differencesBetween(this.#desired, desired);
      return { file, plan, snapshot, table, differences, desired };
    } catch (error) {
      this.servers.discard(plan);
      if (snapshot !== null) atOnce(snapshot.release());
      throw error;
    }
  }

  #snapshotSteps(config: Config, plan: ServerPlan, before: RoutingSnapshot | null): Steps<RoutingSnapshot> {
    const { shared, health } = this.#parts;
    const sources = { clock: health.clock, before, observer: this.#observer, shared };
    return SnapshotBuilder.steps(config, { ...sources, serversOf: (group) => plan.of(group) });
  }

  discard({ plan, snapshot }: PreparedConfig): void {
    this.#touched = null;
    this.servers.discard(plan);
    atOnce(snapshot.release());
  }

  /**
   * Puts a configuration into force, between two requests. Returns the remaining work, in steps: old servers are retired,
   * and observers notified.
   */
  install(prepared: PreparedConfig): Steps<void> {
    const { file, plan, snapshot, table, differences } = prepared;
    const before = this.#desired;
    const desired = new DesiredServers(file);
    const dropped = desired.restore(before.changes);
    const touched = this.#touched ?? new Set();
    for (const name of this.#moved)
      for (const group of this.servers.replan(name, plan, desired))
        snapshot.groupOf(group).setServers(plan.of(group));
    for (const name of touched) noteDifference(name, before, desired, differences);
    this.#touched = null;
    const old = this.#snapshot;
    const names = [...before.changedNames(), ...desired.changedNames(), ...touched];
    this.#begin();
    this.#desired = desired;
    this.#snapshot = snapshot;
    const serversLeft = this.servers.install(plan, desired, names);
    this.routes.install(table);
    this.#install(snapshot);
    return this.#afterInstall(old, serversLeft, [...differences.values()], dropped);
  }

  *#afterInstall(
    old: RoutingSnapshot,
    serversLeft: Steps<void>,
    differences: readonly Difference[],
    dropped: readonly string[],
  ): Steps<void> {
    try {
      yield* this.#snapshot.takeOver();
      yield* old.release();
      // Requests that wait for a retired server move to servers of the new snapshot.
      yield* serversLeft;
      this.#parts.telemetry.keep(this.#snapshot.config, this.#desired);
      yield* announceDifferences(differences, this.#observer);
      for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
      this.#observer.event?.({ what: 'reloaded', detail: describeChange(differences) });
    } finally {
      this.#changes--;
    }
    this.#afterChange();
  }

  // A change of one server.

  setAvailability(name: string, to: Availability): void {
    this.#change(name, () => {
      this.#desired.setAvailability(name, to);
      this.servers.instruct(name, this.#desired);
    });
  }

  setWeight(name: string, weight: number): void {
    this.#change(name, () => {
      this.#desired.setWeight(name, weight);
      this.servers.instruct(name, this.#desired);
    });
  }

  addServer(route: string, settings: NewServer): void {
    const desired = this.#desired;
    const addition = desired.planAddition(route, settings);
    const { server, group } = addition;
    const { name } = server;
    // Everything that may fail does so before anything is changed.
    const member = this.servers.prepare(server, group, desired);
    this.#change(
      name,
      () => {
        desired.add(addition);
        this.servers.join(member, server, group, desired);
        this.servers.instruct(name, desired);
        this.#snapshot.groupOf(group).setServers(this.servers.of(group));
        if (this.#started) this.servers.start();
        this.#moved.add(name);
      },
      desired.file.routesOf(group),
    );
  }

  removeServer(name: string): void {
    this.#change(name, () => {
      const listings = this.#desired.remove(name);
      const leaving = this.servers.letGo(name);
      // From here on no group picks these servers; they may leave 10,000 groups one after another.
      atOnce(this.servers.retire(leaving));
      const snapshot = this.#snapshot;
      const steps = this.servers.leave(leaving, listings, (group) =>
        snapshot.groupOf(group).setServers(this.servers.of(group)),
      );
      if (listings.length <= LEFT_AT_ONCE) atOnce(steps);
      else inLaterSlices(steps);
      this.#parts.telemetry.forget(name);
      this.#moved.add(name);
    });
  }

  /**
   * Makes a change of one server and reports it. Throws an OperationError before anything is changed. `routes`: those
   * that get the server.
   */
  #change(name: string, make: () => void, routes: readonly string[] = []): void {
    const desired = this.#desired;
    this.#begin();
    try {
      const before = desired.termsOf(name);
      make();
      this.#touched?.add(name);
      const after = desired.termsOf(name);
      const difference = differenceOf(
        name,
        before && { ...before, routes: [] },
        after && { ...after, routes },
      );
      if (difference !== null) atOnce(announceDifferences([difference], this.#observer));
    } catch (error) {
      this.#changes--;
      this.#reportRoutes();
      throw error;
    }
    this.#changes--;
    this.#afterChange();
  }

  /** Routes are reported to observers when no change is in progress. */
  #reportRoutes(): void {
    this.routes.isWaiting = this.#changes > 0;
    if (this.#changes === 0) this.routes.report();
  }

  #begin(): void {
    this.#changes++;
    this.routes.isWaiting = true;
  }

  /** After the changes themselves, reports the servers that became idle. */
  #afterChange(): void {
    this.#keepChanges();
    this.#reportRoutes();
    this.#reportDrained();
  }

  /** A change stays in force even if storing it fails. */
  #keepChanges(): void {
    const { store, telemetry } = this.#parts;
    if (store === null) return;
    const changes: Changes = this.#desired.changes;
    telemetry.failures.guard(store, 'store: keep', () => store.keep(changes));
  }

  /** Reports servers whose last request has ended: after each change, and after each request while such a server exists. */
  #reportDrained(): void {
    if (this.#changes > 0) return;
    this.servers.reportDrained();
    const { observer } = this.#parts.telemetry;
    if (this.servers.isEmptying) observer.addReader(this.#requestReader);
    else observer.removeReader(this.#requestReader);
  }
}

function* differencesBetween(before: DesiredServers, after: DesiredServers): Steps<Map<string, Difference>> {
  const differences = new Map<string, Difference>();
  for (const name of [...after.names()]) {
    noteDifference(name, before, after, differences);
    yield;
  }
  for (const name of [...before.names()]) {
    if (!after.has(name)) noteDifference(name, before, after, differences);
    yield;
  }
  return differences;
}

function noteDifference(
  name: string,
  before: DesiredServers,
  after: DesiredServers,
  differences: Map<string, Difference>,
): void {
  const [was, is]: (Entry | undefined)[] = [before.entryOf(name), after.entryOf(name)];
  const difference = differenceOf(name, was, is);
  if (difference === null) differences.delete(name);
  else differences.set(name, difference);
}
