import type { Clock } from '../../base/timer-wheel.js';
import { type Candidate, NOBODY, type PickKey, type RandomSource, type Scheduler } from './scheduler.js';
import { WeightedDraw } from './weighted-draw.js';

/**
 * Two drawn by weight, and of these the one that will probably answer sooner: how long it took of late, times what it
 * has in flight. Of a server that answers nothing for a while the estimate shrinks, so a slow one is tried again.
 */
export class LeastResponseTime implements Scheduler {
  readonly followsLoad = false;
  readonly #candidates: readonly Candidate[];
  readonly #draw: WeightedDraw;
  readonly #clock: Clock;

  constructor(candidates: readonly Candidate[], random: RandomSource, clock: Clock) {
    this.#candidates = candidates;
    this.#draw = new WeightedDraw(candidates, random);
    this.#clock = clock;
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
    if (one === NOBODY) return NOBODY;
    this.#draw.leaveOut(one);
    const other = this.#draw.draw();
    return other !== NOBODY && this.#isSooner(other, one) ? other : one;
  }

  /**
   * Would a request wait less for the one than for the other? 1 ms is added, as a server that nothing is known of still
   * has a load.
   */
  #isSooner(one: number, other: number): boolean {
    const first = this.#candidates[one] as Candidate;
    const second = this.#candidates[other] as Candidate;
    const now = this.#clock.now();
    return (
      (first.latency.at(now) + 1) * (first.active / first.effectiveWeight + 1) <
      (second.latency.at(now) + 1) * (second.active / second.effectiveWeight + 1)
    );
  }
}
