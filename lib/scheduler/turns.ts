import type { Candidate } from './scheduler.js';

/**
 * What every server has to its credit in a rotation. It outlives the lists: a server that was passed over for one
 * request, or was down for a while, goes on where it stood. Between lists it is kept as a number of requests, less than
 * one either way: credit in units of weight would be worth many requests once the weights are smaller.
 */
export class Turns {
  readonly #owed = new WeakMap<Candidate, number>();
  #list: readonly Candidate[] = [];
  #credits = new Float64Array(0);
  #weight = 0;

  /** The credits of `candidates`, in their order, to be changed in place. Allocates for another list only. */
  of(candidates: readonly Candidate[]): Float64Array {
    if (candidates !== this.#list) this.#follow(candidates);
    return this.#credits;
  }

  #follow(candidates: readonly Candidate[]): void {
    for (const [index, candidate] of this.#list.entries())
      this.#owed.set(candidate, (this.#credits[index] as number) / this.#weight);
    this.#list = candidates;
    this.#weight = candidates.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
    this.#credits = Float64Array.from(
      candidates,
      (candidate) => (this.#owed.get(candidate) ?? 0) * this.#weight,
    );
  }
}
