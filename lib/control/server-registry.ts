import type { Availability, Observer } from '../base/observer.js';
import { atOnce, inSlices, type Steps } from '../base/slices.js';
import type { Clock, TimerWheel } from '../base/timer-wheel.js';
import type { Config } from '../config/types.js';
import type { DiscoveredServer } from '../discovery/contract.js';
import type { ThreadReader } from '../observe/thread-reader.js';
import type { HostMaintenance } from '../routing/host-maintenance.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import { AbsenceWatch } from './absent-servers.js';
import type { ChangeStore, Changes, Move } from './changes.js';
import type { DesiredServers } from './desired-servers.js';
import type { HostNames, Resolution } from './host-names.js';
import { MaintenanceEnds } from './maintenance-ends.js';
import type { ManagedServers } from './managed-servers.js';
import { RouteStates, RouteTable } from './route-states.js';
import { type PreparedServers, RoutedServers, type RoutedServersDeps } from './routed-servers.js';
import {
  announceDifferences,
  type Difference,
  describeChange,
  differenceOf,
  type Entry,
} from './server-list.js';
import { readServer } from './server-settings.js';
import type { MaintenanceTerms, NewServer, Operations } from './status/operations.js';
import type { Telemetry } from './telemetry.js';

/** A change of one server as plain data, for other threads, which make the same one. */
export type ServerOperation =
  | { readonly what: 'availability'; readonly name: string; readonly to: Availability }
  | { readonly what: 'weight'; readonly name: string; readonly weight: number }
  | { readonly what: 'add'; readonly name: string; readonly move: Move; readonly weight: number | undefined }
  | { readonly what: 'remove'; readonly name: string }
  /** `maintenance`: null ends it. */
  | {
      readonly what: 'maintenance';
      readonly host: string;
      readonly maintenance: HostMaintenance | null;
    }
  /** `names`: of the servers that it concerns. */
  | {
      readonly what: 'provide';
      readonly source: string;
      readonly servers: readonly DiscoveredServer[];
      readonly names: readonly string[];
    }
  /** The changes of servers that have been away for too long are forgotten. */
  | { readonly what: 'forget'; readonly names: readonly string[] }
  /** What is known of a host name; null: it is not resolved any more. */
  | {
      readonly what: 'resolve';
      readonly host: string;
      readonly resolution: Resolution | null;
      readonly names: readonly string[];
    };

/** What the registry needs. */
export interface RegistryDeps {
  readonly routed: RoutedServersDeps;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly telemetry: Telemetry;
  /** null: changes made while running end with the process. */
  readonly store: ChangeStore | null;
  /** Gets the addresses of all servers, which may be host names. */
  readonly hosts: Pick<HostNames, 'set' | 'retain'>;
  /** Puts a snapshot into service; called for every one except the first. */
  readonly install: (snapshot: RoutingSnapshot) => void;
  /**
   * Called with each change right after it was made, before observers are notified. Resolves when all threads have made it;
   * null: there is no other one.
   */
  readonly replay: (operation: ServerOperation) => Promise<void> | null;
}

/** Everything made for a configuration that is not in force yet. Nothing in use has been changed for it. */
export interface PreparedConfig extends PreparedServers {
  readonly table: RouteTable;
  /** By the names of servers. */
  readonly differences: Map<string, Difference>;
}

/**
 * The servers and routes that the file and the operators want, in the control plane: changes are made in its
 * `RoutedServers`, stored, and reported to observers and to the engines of other threads. An operator's change affects the
 * groups that have the server, and no route. Another configuration is prepared in steps, beside the requests, and then
 * installed at once.
 */
export class ServerRegistry implements Operations {
  readonly routed: RoutedServers;
  readonly #requestReader: ThreadReader = {
    reads: 'summaries',
    requestSettled: () => this.#reportDrained(),
    requestsSummed: () => this.#reportDrained(),
  };
  readonly routes: RouteStates;
  readonly #maintenanceEnds: MaintenanceEnds;
  readonly #absenceWatch: AbsenceWatch;
  readonly #parts: RegistryDeps;
  readonly #observer: Observer;
  /** Were changes of the previous process dropped, because the file was edited meanwhile? */
  readonly #hasDropped: boolean;
  /** Changes in progress, or not reported yet: an observer that is notified may make another change. */
  #changes = 0;
  /** Changes that some thread may not have made yet. */
  #unfollowed = 0;

  constructor(config: Config, parts: RegistryDeps) {
    this.#parts = parts;
    this.#observer = parts.telemetry.observer;
    this.routed = new RoutedServers(config, parts.store?.changes ?? null, parts.routed);
    const dropped = this.routed.droppedAtStart;
    for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
    this.#hasDropped = dropped.length > 0;
    const { clock, wheel } = parts;
    this.#absenceWatch = new AbsenceWatch(wheel, clock, (now) => this.#noteAbsent(now));
    this.#maintenanceEnds = new MaintenanceEnds(wheel, clock, (host) => this.#setMaintenance(host, null));
    const table = atOnce(RouteTable.build(this.snapshot, clock));
    this.routes = new RouteStates(clock, wheel, this.#observer, table, (server) =>
      this.servers.wasChecked(server),
    );
  }

  get servers(): ManagedServers {
    return this.routed.servers;
  }

  /** The snapshot for the next request. */
  get snapshot(): RoutingSnapshot {
    return this.routed.snapshot;
  }

  get desired(): DesiredServers {
    return this.routed.desired;
  }

  /** The host names of the servers are resolved from now on, and those of servers that are added later. */
  followHosts(): void {
    atOnce(this.#followHosts());
  }

  *#followHosts(): Steps<void> {
    const { hosts } = this.#parts;
    for (const name of this.desired.layers.names()) {
      this.#followHost(name);
      yield;
    }
    hosts.retain(this.desired.layers);
  }

  #followHost(name: string): void {
    this.#parts.hosts.set(name, this.desired.layers.listingsOf(name)[0]?.server.address ?? null);
  }

  /** Starts the checks of the servers, and of servers that are added later. */
  start(): void {
    this.routed.start();
    this.routes.start();
    this.#maintenanceEnds.follow(this.desired.maintenance.list);
    // Otherwise the next process would drop the change again, or revive it if the old text of the file returns.
    if (this.#hasDropped) this.#keepChanges();
    this.#absenceWatch.start();
  }

  // Another configuration.

  /**
   * Prepares another configuration, beside the requests. `check` is called between slices: if it throws, the preparation
   * ends. `install` or `discard` must follow before the next `prepare`. Changes made while running are kept where the
   * file still has their route or server.
   */
  async prepare(config: Config, check: () => void): Promise<PreparedConfig> {
    this.routed.beginToPrepare();
    try {
      return await inSlices(this.#prepareSteps(config), check);
    } catch (error) {
      this.routed.discard(null);
      throw error;
    }
  }

  *#prepareSteps(config: Config): Steps<PreparedConfig> {
    const prepared = yield* this.routed.prepareSteps(config);
    try {
      const table = yield* RouteTable.build(prepared.snapshot, this.#parts.clock);
      const differences = yield* differencesBetween(this.desired, prepared.desired);
      return { ...prepared, table, differences };
    } catch (error) {
      this.routed.discard(prepared);
      throw error;
    }
  }

  discard(prepared: PreparedConfig): void {
    this.routed.discard(prepared);
  }

  /**
   * Puts a configuration into force, between two requests. Returns the remaining work, in steps: old servers are retired,
   * and observers notified.
   */
  install(prepared: PreparedConfig): Steps<void> {
    const { snapshot, table, differences } = prepared;
    const before = this.desired;
    // What may fail does so before anything is changed.
    this.routed.renew(prepared);
    const { touched } = this.routed;
    this.#begin();
    const { left, old, dropped } = this.routed.install(prepared);
    for (const name of touched) noteDifference(name, before, this.desired, differences);
    this.routes.install(table);
    this.#maintenanceEnds.follow(this.desired.maintenance.list);
    this.#parts.install(snapshot);
    return this.#afterInstall(old, left, [...differences.values()], dropped);
  }

  *#afterInstall(
    old: RoutingSnapshot,
    serversLeft: Steps<void>,
    differences: readonly Difference[],
    dropped: readonly string[],
  ): Steps<void> {
    try {
      yield* this.snapshot.takeOver();
      yield* old.release();
      // Requests that wait for a retired server move to servers of the new snapshot.
      yield* serversLeft;
      yield* this.#followHosts();
      this.#parts.telemetry.keep(this.snapshot.config, this.desired.layers);
      yield* announceDifferences(differences, this.#observer);
      for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
      this.#observer.event?.({ what: 'reloaded', detail: describeChange(differences) });
    } finally {
      this.#changes--;
    }
    this.#afterChange();
  }

  // Servers that are not there.

  #noteAbsent(now: number): void {
    const { expired, isChanged } = this.desired.noteAbsent(now);
    if (expired.length > 0) {
      this.desired.forget(expired);
      this.#replay({ what: 'forget', names: expired });
      const [first = '', ...more] = expired;
      const of = more.length === 0 ? first : `${first} and ${more.length} more servers`;
      const them = more.length === 0 ? 'this server' : 'these servers';
      const message = `changes to ${of} are forgotten: no source has reported ${them} for a long time`;
      this.#observer.event?.({ what: 'warning', message });
    }
    if (isChanged) this.#keepChanges();
  }

  // Answers of sources.

  /** Takes over an answer of a source: all its servers, as plain data (`RoutedServers.provide`). */
  provide(source: string, servers: readonly DiscoveredServer[]): void {
    this.#begin();
    try {
      const { names, came, left, dropped } = this.routed.provide(source, servers);
      // With the names that they have here: a thread that began later has not seen what came before.
      const named = this.desired.layers.provided.answerOf(source);
      this.#replay({ what: 'provide', source, servers: named, names: [...names] });
      for (const name of names) {
        this.#followHost(name);
        if (!this.desired.layers.has(name)) this.#parts.telemetry.forget(name);
      }
      const { text = '' } = this.desired.file.sources.get(source) ?? {};
      if (came.length > 0 || left.length > 0)
        this.#observer.event?.({ what: 'discovered', source: text, came, left });
      for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
      if (dropped.length > 0) this.#keepChanges();
    } finally {
      this.#changes--;
    }
    this.#reportRoutes();
    this.#reportDrained();
  }

  /** A host name has other addresses, or none any more because no server has it. */
  resolve(host: string, resolution: Resolution | null): void {
    this.#begin();
    try {
      const names = this.routed.resolve(host, resolution?.several ?? []);
      this.#replay({ what: 'resolve', host, resolution, names: [...names] });
      for (const name of names) if (this.servers.named(name).length === 0) this.#parts.telemetry.forget(name);
    } finally {
      this.#changes--;
    }
    this.#reportRoutes();
    this.#reportDrained();
  }

  // The maintenance of hosts.

  /** See `MaintenanceOperations`. */
  setHostMaintenance(asked: string, terms: MaintenanceTerms | null): void {
    const { config } = this.snapshot;
    const { host, maintenance } = this.desired.maintenance.plan(
      asked,
      terms,
      config,
      this.#parts.clock.wall(),
    );
    this.#setMaintenance(host, maintenance);
  }

  #setMaintenance(host: string, maintenance: HostMaintenance | null): void {
    this.routed.setHostMaintenance(host, maintenance);
    this.#maintenanceEnds.follow(this.desired.maintenance.list);
    this.#replay({ what: 'maintenance', host, maintenance });
    const until = maintenance?.until ?? null;
    this.#observer.event?.({ what: 'host_maintenance', host, on: maintenance !== null, until });
    this.#keepChanges();
  }

  // A change of one server.

  setAvailability(name: string, to: Availability): void {
    this.#change(name, () => {
      this.routed.setAvailability(name, to);
      this.#replay({ what: 'availability', name, to });
    });
  }

  setWeight(name: string, weight: number): void {
    this.#change(name, () => {
      this.routed.setWeight(name, weight);
      this.#replay({ what: 'weight', name, weight });
    });
  }

  addServer(route: string, settings: NewServer): void {
    const addition = this.desired.planAddition(route, settings, readServer);
    const { asked, group, weight } = addition;
    const { name } = addition.server;
    // Everything that may fail does so before anything is changed.
    const member = this.routed.prepareAddition(addition);
    this.#change(
      name,
      () => {
        this.routed.addServer(addition, member);
        this.#replay({ what: 'add', name, move: { route, server: asked }, weight });
        this.#followHost(name);
      },
      this.desired.file.routesOf(group),
    );
  }

  removeServer(name: string): void {
    const names = this.desired.layers.serverNamesOf(name);
    this.#change(name, () => {
      this.routed.removeServer(name);
      this.#replay({ what: 'remove', name });
      this.#followHost(name);
      for (const server of [name, ...names]) this.#parts.telemetry.forget(server);
    });
  }

  /**
   * Makes a change of one server and reports it. Throws an OperationError before anything is changed. `routes`: those
   * that get the server.
   */
  #change(name: string, make: () => void, routes: readonly string[] = []): void {
    const { desired } = this;
    this.#begin();
    try {
      const before = desired.termsOf(name);
      make();
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

  #replay(operation: ServerOperation): void {
    const followed = this.#parts.replay(operation);
    if (followed === null) return;
    this.#unfollowed++;
    void followed.then(() => {
      this.#unfollowed--;
      this.#reportDrained();
    });
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
    const changes: Changes = this.desired.changes;
    telemetry.failures.guard(store, 'store: keep', () => store.keep(changes));
  }

  /** Reports servers whose last request has ended: after each change, and after each request while such a server exists. */
  #reportDrained(): void {
    // A thread that does not know of the change yet may still send the server a request.
    if (this.#changes > 0 || this.#unfollowed > 0) return;
    this.servers.leaving.reportDrained();
    const { observer } = this.#parts.telemetry;
    if (this.servers.leaving.isEmptying) observer.addReader(this.#requestReader);
    else observer.removeReader(this.#requestReader);
  }
}

function* differencesBetween(before: DesiredServers, after: DesiredServers): Steps<Map<string, Difference>> {
  const differences = new Map<string, Difference>();
  for (const name of [...after.layers.names()]) {
    noteDifference(name, before, after, differences);
    yield;
  }
  for (const name of [...before.layers.names()]) {
    if (!after.layers.has(name)) noteDifference(name, before, after, differences);
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
