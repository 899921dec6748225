import type { Clock } from '../base/clock.js';
import { draw, NOBODY } from './draw.js';
import type { Candidate, RandomSource, Scheduler } from './scheduler.js';

/**
 * Two drawn by weight, and of these the one that will probably answer sooner: how long it took of late, times what it
 * has in flight. Of a server that answers nothing for a while the estimate shrinks, so a slow one is tried again.
 */
export class LeastResponseTime implements Scheduler {
  readonly readsLatency = true;
  readonly #random: RandomSource;
  readonly #clock: Clock;

  constructor(random: RandomSource, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  pick(candidates: readonly Candidate[]): number {
    if (candidates.length === 1) return 0;
    const first = draw(candidates, this.#random, NOBODY);
    const second = draw(candidates, this.#random, first);
    const now = this.#clock.now();
    const one = waitFor(candidates[first] as Candidate, now);
    return waitFor(candidates[second] as Candidate, now) < one ? second : first;
  }
}

/** What a request would wait there, ms; 1 ms is added as a server that nothing is known of still has a load. */
function waitFor({ latency, active, effectiveWeight }: Candidate, now: number): number {
  return (latency.at(now) + 1) * (active / effectiveWeight + 1);
}
