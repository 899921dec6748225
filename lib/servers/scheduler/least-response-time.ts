import type { Clock } from '../../base/timer-wheel.js';
import {
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  type RandomSource,
  type Scheduler,
} from './scheduler.js';
import { WeightedDraw } from './weighted-draw.js';

/**
 * Of two candidates drawn by weight, the one that will probably answer sooner: its recent latency times its requests in
 * flight. The estimate of a server without answers shrinks, so that a slow one is tried again.
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
    if (one === NO_CANDIDATE) return NO_CANDIDATE;
    this.#draw.leaveOut(one);
    const other = this.#draw.draw();
    return other !== NO_CANDIDATE && this.#isSooner(other, one) ? other : one;
  }

  /**
   * Would a request wait less for the one than for the other? 1 ms is added, so that load counts even for a server with
   * unknown latency.
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
