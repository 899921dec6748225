import type { Candidate, PickKey, RandomSource, Scheduler } from './scheduler.js';
import { WeightedDraw } from './weighted-draw.js';

/** Any candidate, by weight: many balancers side by side do not fall into step. */
export class Random implements Scheduler {
  readonly followsLoad = false;
  readonly #draw: WeightedDraw;

  constructor(candidates: readonly Candidate[], random: RandomSource) {
    this.#draw = new WeightedDraw(candidates, random);
  }

  include(index: number): void {
    this.#draw.weigh(index);
  }

  exclude(index: number): void {
    this.#draw.remove(index);
  }

  reweigh(index: number): void {
    this.#draw.weigh(index);
  }

  noteLoad(): void {}

  grow(): void {
    this.#draw.grow();
  }

  forget(): void {}

  pick(_key: PickKey, tried: readonly number[]): number {
    this.#draw.begin(tried);
    return this.#draw.draw();
  }
}
