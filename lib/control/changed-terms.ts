import type { Availability } from '../base/observer.js';
import type { ServerConfig } from '../config/types.js';
import type { Changes } from './changes.js';
import type { ServerLayers } from './server-layers.js';
import { entryNameOf } from './several-addresses.js';
import { OperationError } from './status/operations.js';

/**
 * The weights and the availability that operators have set, by the names of servers. They are kept until the file says the
 * same, lacks the server, or has been edited at the same place: the edit is newer and wins. What is set for an entry that
 * stands for several servers holds for all of them, and each can have its own.
 */
export class ChangedTerms {
  readonly #layers: ServerLayers;
  readonly #weights = new Map<string, number>();
  /** Only servers that are not `ready`. */
  readonly #availability = new Map<string, Availability>();
  /** The weights that the file has for the servers in the two maps above. */
  readonly #fileWeights = new Map<string, readonly number[]>();

  constructor(layers: ServerLayers) {
    this.#layers = layers;
  }

  get weights(): ReadonlyMap<string, number> {
    return this.#weights;
  }

  /** Only servers that are not `ready`. */
  get availability(): ReadonlyMap<string, Availability> {
    return this.#availability;
  }

  /** A copy for `restore` in another process. */
  get kept(): Pick<Changes, 'weights' | 'availability' | 'fileWeights'> {
    return {
      weights: new Map(this.#weights),
      availability: new Map(this.#availability),
      fileWeights: new Map(this.#fileWeights),
    };
  }

  /** The names of servers that have one. */
  *names(): Generator<string> {
    yield* this.#weights.keys();
    yield* this.#availability.keys();
  }

  weightOf(server: ServerConfig): number {
    const entry = this.#weights.size === 0 ? null : this.#layers.entryOfAddress(server.name);
    const ofEntry = entry === null ? undefined : this.#weights.get(entry);
    return this.#weights.get(server.name) ?? ofEntry ?? server.weight;
  }

  /** The availability of a server; at one address of an entry: the stricter of its own and that of the entry. */
  availabilityOf(name: string): Availability {
    if (this.#availability.size === 0) return 'ready';
    const own = this.#availability.get(name) ?? 'ready';
    const entry = own === 'maintenance' ? null : this.#layers.entryOfAddress(name);
    const ofEntry = entry === null ? 'ready' : (this.#availability.get(entry) ?? 'ready');
    return ofEntry === 'ready' ? own : ofEntry;
  }

  setWeight(name: string, weight: number): void {
    for (const server of ofEntry(name, this.#weights)) this.#forgetOwn(server, this.#weights);
    this.#weights.set(name, weight);
    this.#noteFileWeights(name);
  }

  /** Throws an OperationError when a server is to be ready whose entry is not. */
  setAvailability(name: string, to: Availability): void {
    this.#expectNotHeld(name, to);
    for (const server of ofEntry(name, this.#availability)) this.#forgetOwn(server, this.#availability);
    if (to === 'ready') this.#availability.delete(name);
    else this.#availability.set(name, to);
    this.#noteFileWeights(name);
  }

  #expectNotHeld(name: string, to: Availability): void {
    const entry = to === 'ready' ? this.#layers.entryOfAddress(name) : null;
    const held = entry === null ? undefined : this.#availability.get(entry);
    if (held !== undefined)
      throw new OperationError(
        'bad_value',
        `${name} is one of the addresses of ${entry}, which is ${held}: make ${entry} ready`,
      );
  }

  #noteFileWeights(name: string): void {
    this.#fileWeights.set(name, this.#layers.file.weightsOf(name));
    this.#forgetSettled(name);
  }

  #forgetOwn(server: string, changed: Map<string, unknown>): void {
    changed.delete(server);
    this.#forgetSettled(server);
  }

  /** A server was removed: forgets what was set for it and for each of its addresses. */
  drop(name: string): void {
    for (const changed of [this.#weights, this.#availability]) {
      for (const server of ofEntry(name, changed)) this.#forgetOwn(server, changed);
      changed.delete(name);
    }
    this.#forgetSettled(name);
  }

  /** Forgets what was set for a server that has not been there for long. */
  forget(name: string): void {
    for (const kept of [this.#weights, this.#availability, this.#fileWeights]) kept.delete(name);
  }

  /** Sets again what was set before, by another process or with another file. `follow` must follow. */
  restore({ weights, availability, fileWeights }: Changes): void {
    for (const kept of [this.#weights, this.#availability, this.#fileWeights]) kept.clear();
    for (const [name, weight] of weights) this.#weights.set(name, weight);
    for (const [name, to] of availability) this.#availability.set(name, to);
    for (const name of [...weights.keys(), ...availability.keys()])
      this.#fileWeights.set(name, fileWeights.get(name) ?? this.#layers.file.weightsOf(name));
  }

  /**
   * Compares with the file. `listed`: servers that were added while running and that the file has now, perhaps with another
   * weight. Returns a line for each change that is dropped.
   */
  follow(listed: readonly ServerConfig[]): readonly string[] {
    for (const server of listed) {
      this.#weights.set(server.name, this.weightOf(server));
      if (!this.#fileWeights.has(server.name)) this.#fileWeights.set(server.name, []);
    }
    const dropped = this.#followEdits();
    for (const name of [...this.#fileWeights.keys()]) this.#forgetSettled(name);
    return dropped;
  }

  /**
   * For weight and availability the newer change wins. An edit of the weight from 0, which takes no requests, to another
   * value also makes the server available.
   */
  #followEdits(): readonly string[] {
    const dropped: string[] = [];
    for (const [name, before] of this.#fileWeights) {
      const now = this.#layers.file.weightsOf(name);
      if (now.length === 0 || now.join() === before.join()) continue;
      this.#fileWeights.set(name, now);
      const weight = this.#weights.get(name);
      if (weight !== undefined) {
        this.#weights.delete(name);
        if (now.join() !== String(weight))
          dropped.push(
            `the weight of ${name} is ${now.join(', ')}: the file has been edited since it was set to ${weight}`,
          );
      }
      const availability = this.#availability.get(name);
      const wasOut = before.length > 0 && before.every((one) => one === 0);
      if (availability === undefined || !wasOut || now.every((one) => one === 0)) continue;
      this.#availability.delete(name);
      dropped.push(
        `${name} is ready: the file has been edited to give it weight ${now.join(', ')} since it was set to ${availability}`,
      );
    }
    return dropped;
  }

  /** Forgets changes that the file now contains, and those of a server that is gone. */
  #forgetSettled(name: string): void {
    const isGone = this.#layers.isGone(name);
    if (isGone) this.#availability.delete(name);
    const weight = this.#weights.get(name);
    if (weight !== undefined) {
      const listed = [...this.listedWeights(name), ...this.providedWeights(name)];
      const isListed = listed.length > 0 && listed.every((one) => one === weight);
      if (isGone || (isListed && !this.#layers.isAdded(name))) this.#weights.delete(name);
    }
    if (!this.#weights.has(name) && !this.#availability.has(name)) this.#fileWeights.delete(name);
  }

  /** The weights that the file has for a server; at one address of an entry: those of the entry. */
  listedWeights(name: string): readonly number[] {
    const { file } = this.#layers;
    const entry = this.#layers.isListed(name) ? null : this.#layers.entryOfAddress(name);
    if (entry === null) return file.weightsOf(name);
    const changed = this.#weights.get(entry);
    return changed === undefined ? file.weightsOf(entry) : [changed];
  }

  /** The weights that sources have reported for a server. */
  providedWeights(name: string): readonly number[] {
    return this.#layers.provided.listingsOf(name).map(({ server }) => server.weight);
  }
}

/** The servers at single addresses of an entry among those that were changed. */
function ofEntry(name: string, changed: ReadonlyMap<string, unknown>): readonly string[] {
  return [...changed.keys()].filter((server) => entryNameOf(server) === name);
}
