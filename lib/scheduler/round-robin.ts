import type { Candidate, Scheduler } from './scheduler.js';
import { Turns } from './turns.js';

/**
 * Each in turn, as often as its weight says and as evenly as that goes: weights 5, 1, 1 give a a b a c a a, not five of
 * a in a row (nginx's smooth weighted round robin). Every server earns its weight at each pick; who has most is used
 * and pays what all have earned.
 */
export class RoundRobin implements Scheduler {
  readonly #turns = new Turns();

  pick(candidates: readonly Candidate[]): number {
    const credits = this.#turns.of(candidates);
    let earned = 0;
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < candidates.length; i++) {
      const { effectiveWeight } = candidates[i] as Candidate;
      const credit = (credits[i] as number) + effectiveWeight;
      credits[i] = credit;
      earned += effectiveWeight;
      if (credit <= most) continue;
      most = credit;
      best = i;
    }
    credits[best] = most - earned;
    return best;
  }
}
