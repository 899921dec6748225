import type { Availability, Observer } from '../base/observer.js';
import type { Config } from '../config/types.js';
import { RoutingSnapshot } from '../routing/routing-snapshot.js';
import type { ConnectionDeps } from '../servers/contracts.js';
import type { ChangeStore } from './changes.js';
import { DesiredServers } from './desired-servers.js';
import type { HealthDeps } from './health/checker.js';
import { ManagedServers } from './managed-servers.js';
import { RouteStates } from './route-states.js';
import { announceDifferences, describeChange, isSameRouting } from './server-list.js';
import { type NewServer, OperationError, type Operations } from './status/operations.js';
import type { Telemetry } from './telemetry.js';

/** What the servers and the way to them are made of. */
export interface RegistryDeps {
  readonly deps: ConnectionDeps;
  readonly health: HealthDeps;
  readonly telemetry: Telemetry;
  /** null: what is changed while running ends with the process. */
  readonly store: ChangeStore | null;
}

/**
 * The servers and the way to them, as the file and those who operate it want them. Each change happens between two
 * requests: what it does not concern keeps its sockets, health, counts and tunnels.
 */
export class ServerRegistry implements Operations {
  readonly desired: DesiredServers;
  readonly servers: ManagedServers;
  readonly routes: RouteStates;
  readonly #parts: RegistryDeps;
  readonly #observer: Observer;
  readonly #install: (snapshot: RoutingSnapshot) => void;
  #snapshot: RoutingSnapshot;
  #started = false;
  /** What was kept of the process before is not what holds now: the file was edited meanwhile. */
  #hasDropped = false;
  /** Being made, or not told of yet: who hears of one may make another. */
  #changes = 0;

  /** `install` puts a snapshot into service; it is called for every one but the first. */
  constructor(config: Config, parts: RegistryDeps, install: (snapshot: RoutingSnapshot) => void) {
    this.#parts = parts;
    this.#observer = parts.health.observer;
    this.#install = install;
    this.desired = new DesiredServers(config);
    const kept = parts.store?.changes ?? null;
    const dropped = kept === null ? [] : this.desired.restore(kept);
    for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
    this.#hasDropped = dropped.length > 0;
    this.servers = new ManagedServers(parts.deps, parts.health, this.desired);
    this.#snapshot = this.#generate(config, null);
    this.servers.letGo();
    const { clock, wheel } = parts.health;
    this.routes = new RouteStates(clock, wheel, this.#observer);
    this.routes.applyConfig(this.#snapshot);
  }

  /** The one that the next request goes by. */
  get snapshot(): RoutingSnapshot {
    return this.#snapshot;
  }

  /** Begins to check the servers, and those that come later when they come. */
  start(): void {
    this.#started = true;
    this.servers.start();
    this.routes.start();
    // Else it would be dropped again by the process after this one, or come back with the old text of the file.
    if (this.#hasDropped) this.#keepChanges();
  }

  #generate(config: Config, before: RoutingSnapshot | null): RoutingSnapshot {
    this.servers.applyGroups(config.groups);
    const { clock } = this.#parts.health;
    return new RoutingSnapshot(config, clock, (group) => this.servers.of(group), before, this.#observer);
  }

  /** Takes another file. What was changed while running stays changed, as far as it has a place in it. */
  follow(config: Config): void {
    this.#change(() => {
      const before = this.desired.serverList();
      const dropped = this.#orGoBack(() => {
        const lines = this.desired.applyConfig(config);
        this.#replace(config);
        return lines;
      });
      this.#parts.deps.resolver.applyOptions(config.dns);
      const after = this.desired.serverList();
      announceDifferences(before, after, this.#observer);
      for (const line of dropped) this.#observer.event?.({ what: 'warning', message: line });
      this.#observer.event?.({ what: 'reloaded', detail: describeChange(before, after) });
    });
  }

  #replace(config: Config): void {
    const old = this.#snapshot;
    this.#snapshot = this.#generate(config, old);
    old.release(this.#snapshot);
    this.routes.applyConfig(this.#snapshot);
    this.#install(this.#snapshot);
    // Those that wait for them go to servers of the new one.
    this.servers.letGo();
    if (this.#started) this.servers.start();
    this.#parts.telemetry.keep(config, this.desired.serverList());
  }

  setAvailability(name: string, to: Availability): void {
    this.#operate(() => this.desired.setAvailability(name, to));
  }

  setWeight(name: string, weight: number): void {
    this.#operate(() => this.desired.setWeight(name, weight));
  }

  addServer(route: string, server: NewServer): void {
    this.#operate(() => this.desired.add(route, server));
  }

  removeServer(name: string): void {
    this.#operate(() => this.desired.remove(name));
  }

  #operate(act: () => void): void {
    this.#change(() => {
      const before = this.desired.serverList();
      const after = this.#orGoBack(() => {
        act();
        const serverList = this.desired.serverList();
        // Who serves where decides the snapshot; how much, and whether at all, is the servers' own.
        if (isSameRouting(before, serverList)) this.servers.instruct();
        else this.#replace(this.#snapshot.config);
        return serverList;
      });
      announceDifferences(before, after, this.#observer);
    });
  }

  /** Makes a change as a whole: when `change` throws, file, servers and what was changed since are as they were. */
  #orGoBack<T>(change: () => T): T {
    const snapshot = this.#snapshot;
    const { weights, availability, fileWeights, ...moves } = this.desired.changes;
    const changes = {
      weights: new Map(weights),
      availability: new Map(availability),
      fileWeights: new Map(fileWeights),
      ...moves,
    };
    try {
      return change();
    } catch (error) {
      // Who was refused before anything was done says so with an OperationError.
      if (!(error instanceof OperationError) && this.#snapshot === snapshot) {
        this.desired.goBack(snapshot.config, changes);
        this.servers.goBack();
      }
      throw error;
    }
  }

  /** Makes a change and tells of it. Servers that it has left empty are told of last, behind all that has changed. */
  #change(makeAndTell: () => void): void {
    this.#changes++;
    try {
      makeAndTell();
    } finally {
      this.#changes--;
    }
    this.#keepChanges();
    if (this.#changes === 0) this.routes.tell();
    this.tellDrained();
  }

  /** What was changed holds, whatever becomes of the note of it. */
  #keepChanges(): void {
    const { store, telemetry } = this.#parts;
    if (store !== null)
      telemetry.failures.guard(store, 'store: keep', () => store.keep(this.desired.changes));
  }

  /** Tells of servers whose last request has ended: after each request, and when it may have ended before. */
  tellDrained(): void {
    if (this.#changes === 0) this.servers.tellDrained();
  }
}
