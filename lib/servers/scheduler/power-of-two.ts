import {
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  type RandomSource,
  type Scheduler,
} from './scheduler.js';
import { WeightedDraw } from './weighted-draw.js';

/**
 * Of two candidates drawn by weight, the one with fewer requests in flight for its weight. Nearly as even as comparing
 * all of them, and a server that has just returned does not get all requests at once.
 */
export class PowerOfTwo implements Scheduler {
  readonly followsLoad = false;
  protected readonly candidates: readonly Candidate[];
  readonly #draw: WeightedDraw;

  constructor(candidates: readonly Candidate[], random: RandomSource) {
    this.candidates = candidates;
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
    const one = this.#draw.draw();
    if (one === NO_CANDIDATE) return NO_CANDIDATE;
    this.#draw.leaveOut(one);
    const other = this.#draw.draw();
    return other !== NO_CANDIDATE && this.isBetter(other, one) ? other : one;
  }

  /** Is the one the better choice? */
  protected isBetter(one: number, other: number): boolean {
    const first = this.candidates[one] as Candidate;
    const second = this.candidates[other] as Candidate;
    return first.active / first.effectiveWeight < second.active / second.effectiveWeight;
  }
}
