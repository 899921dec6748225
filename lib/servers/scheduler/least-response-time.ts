import type { Clock } from '../../base/timer-wheel.js';
import { PowerOfTwo } from './power-of-two.js';
import type { Candidate, RandomSource } from './scheduler.js';

/**
 * Of two candidates drawn by weight, the one that will probably answer sooner: its recent latency times its requests in
 * flight. The estimate of a server without answers shrinks, so that a slow one is tried again. Each thread has estimates
 * of its own, of the answers that it got; the requests in flight are those of all threads.
 */
export class LeastResponseTime extends PowerOfTwo {
  readonly #clock: Clock;

  constructor(candidates: readonly Candidate[], random: RandomSource, clock: Clock) {
    super(candidates, random);
    this.#clock = clock;
  }

  /**
   * Would a request wait less for the one than for the other? 1 ms is added, so that load counts even for a server with
   * unknown latency.
   */
  protected override isBetter(one: number, other: number): boolean {
    const first = this.candidates[one] as Candidate;
    const second = this.candidates[other] as Candidate;
    const now = this.#clock.now();
    return (
      (first.latency.at(now) + 1) * (first.active / first.effectiveWeight + 1) <
      (second.latency.at(now) + 1) * (second.active / second.effectiveWeight + 1)
    );
  }
}
