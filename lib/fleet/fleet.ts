import type { ConnectionSupplies } from '../backend/supplies.js';
import type { Availability, Observer } from '../base/observer.js';
import type { Config } from '../config/types.js';
import { Generation } from '../generation.js';
import type { HealthServices } from '../health/checker.js';
import { type NewServer, OperationError, type Operations } from '../status/operations.js';
import type { Telemetry } from '../telemetry.js';
import { Backends } from './backends.js';
import { announce, describeChange, isSameRouting } from './census.js';
import type { ChangeStore } from './changes.js';
import { Roster } from './roster.js';
import { RouteStates } from './route-states.js';

/** What the servers and the way to them are made of. */
export interface FleetParts {
  readonly supplies: ConnectionSupplies;
  readonly health: HealthServices;
  readonly telemetry: Telemetry;
  /** null: what is changed while running ends with the process. */
  readonly store: ChangeStore | null;
}

/**
 * The servers and the way to them, as the file and those who operate it want them. Each change happens between two
 * requests: what it does not concern keeps its sockets, health, counts and tunnels.
 */
export class Fleet implements Operations {
  readonly roster: Roster;
  readonly backends: Backends;
  readonly routes: RouteStates;
  readonly #parts: FleetParts;
  readonly #observer: Observer;
  readonly #install: (generation: Generation) => void;
  #generation: Generation;
  #started = false;
  /** What was kept of the process before is not what holds now: the file was edited meanwhile. */
  #hasDropped = false;
  /** Being made, or not told of yet: who hears of one may make another. */
  #changes = 0;

  /** `install` puts a generation into service; it is called for every one but the first. */
  constructor(config: Config, parts: FleetParts, install: (generation: Generation) => void) {
    this.#parts = parts;
    this.#observer = parts.health.observer;
    this.#install = install;
    this.roster = new Roster(config);
    const kept = parts.store?.changes ?? null;
    const dropped = kept === null ? [] : this.roster.restore(kept);
    for (const line of dropped) this.#observer.warning?.(line);
    this.#hasDropped = dropped.length > 0;
    this.backends = new Backends(parts.supplies, parts.health, this.roster);
    this.#generation = this.#generate(config, null);
    this.backends.letGo();
    const { clock, wheel } = parts.health;
    this.routes = new RouteStates(clock, wheel, this.#observer);
    this.routes.follow(this.#generation);
  }

  /** The one that the next request goes by. */
  get generation(): Generation {
    return this.#generation;
  }

  /** Begins to check the servers, and those that come later when they come. */
  start(): void {
    this.#started = true;
    this.backends.start();
    this.routes.start();
    // Else it would be dropped again by the process after this one, or come back with the old text of the file.
    if (this.#hasDropped) this.#keepChanges();
  }

  #generate(config: Config, before: Generation | null): Generation {
    this.backends.follow(config.groups);
    const { clock } = this.#parts.health;
    return new Generation(config, clock, (group) => this.backends.of(group), before, this.#observer);
  }

  /** Takes another file. What was changed while running stays changed, as far as it has a place in it. */
  follow(config: Config): void {
    this.#change(() => {
      const before = this.roster.census();
      const dropped = this.#orGoBack(() => {
        const lines = this.roster.follow(config);
        this.#replace(config);
        return lines;
      });
      this.#parts.supplies.resolver.follow(config.dns);
      const after = this.roster.census();
      announce(before, after, this.#observer);
      for (const line of dropped) this.#observer.warning?.(line);
      this.#observer.reloaded?.(true, describeChange(before, after));
    });
  }

  #replace(config: Config): void {
    const old = this.#generation;
    this.#generation = this.#generate(config, old);
    old.release(this.#generation);
    this.routes.follow(this.#generation);
    this.#install(this.#generation);
    // Those that wait for them go to servers of the new one.
    this.backends.letGo();
    if (this.#started) this.backends.start();
    this.#parts.telemetry.keep(config, this.roster.census());
  }

  setAvailability(name: string, to: Availability): void {
    this.#operate(() => this.roster.setAvailability(name, to));
  }

  setWeight(name: string, weight: number): void {
    this.#operate(() => this.roster.setWeight(name, weight));
  }

  addServer(route: string, server: NewServer): void {
    this.#operate(() => this.roster.add(route, server));
  }

  removeServer(name: string): void {
    this.#operate(() => this.roster.remove(name));
  }

  #operate(act: () => void): void {
    this.#change(() => {
      const before = this.roster.census();
      const after = this.#orGoBack(() => {
        act();
        const census = this.roster.census();
        // Who serves where decides the generation; how much, and whether at all, is the servers' own.
        if (isSameRouting(before, census)) this.backends.instruct();
        else this.#replace(this.#generation.config);
        return census;
      });
      announce(before, after, this.#observer);
    });
  }

  /** Makes a change as a whole: when `change` throws, file, servers and what was changed since are as they were. */
  #orGoBack<T>(change: () => T): T {
    const generation = this.#generation;
    const { weights, availability, fileWeights, ...moves } = this.roster.changes;
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
      if (!(error instanceof OperationError) && this.#generation === generation) {
        this.roster.goBack(generation.config, changes);
        this.backends.goBack();
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
    if (store !== null) telemetry.failures.guard(store, 'store: keep', () => store.keep(this.roster.changes));
  }

  /** Tells of servers whose last request has ended: after each request, and when it may have ended before. */
  tellDrained(): void {
    if (this.#changes === 0) this.backends.tellDrained();
  }
}
