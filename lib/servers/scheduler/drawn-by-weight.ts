import type { Candidate, PickKey, RandomSource, Scheduler } from './scheduler.js';
import { WeightedDraw } from './weighted-draw.js';

/** What schedulers that draw candidates at random, by weight, have in common: loads change nothing that they keep. */
export abstract class DrawnByWeight implements Scheduler {
  readonly followsLoad = false;
  protected readonly draw: WeightedDraw;

  constructor(candidates: readonly Candidate[], random: RandomSource) {
    this.draw = new WeightedDraw(candidates, random);
  }

  include(index: number): void {
    this.draw.weigh(index);
  }

  exclude(index: number): void {
    this.draw.remove(index);
  }

  reweigh(index: number): void {
    this.draw.weigh(index);
  }

  noteLoad(): void {}

  grow(): void {
    this.draw.grow();
  }

  forget(): void {}

  abstract pick(key: PickKey, tried: readonly number[]): number;
}
