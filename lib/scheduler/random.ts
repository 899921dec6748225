import { draw, NOBODY } from './draw.js';
import type { Candidate, RandomSource, Scheduler } from './scheduler.js';

/** Any of them, by weight: what many balancers beside one another can do without falling into step. */
export class Random implements Scheduler {
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  pick(candidates: readonly Candidate[]): number {
    return draw(candidates, this.#random, NOBODY);
  }
}
