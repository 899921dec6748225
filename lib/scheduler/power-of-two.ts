import { draw, NOBODY } from './draw.js';
import type { Candidate, RandomSource, Scheduler } from './scheduler.js';

/**
 * Two drawn by weight, and of these the one with fewer requests in flight for its weight. Nearly as even as looking at
 * all of them, and a server that has just come back is not where everybody goes at once.
 */
export class PowerOfTwo implements Scheduler {
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  pick(candidates: readonly Candidate[]): number {
    if (candidates.length === 1) return 0;
    const first = draw(candidates, this.#random, NOBODY);
    const second = draw(candidates, this.#random, first);
    return loadOf(candidates[second] as Candidate) < loadOf(candidates[first] as Candidate) ? second : first;
  }
}

function loadOf({ active, effectiveWeight }: Candidate): number {
  return active / effectiveWeight;
}
