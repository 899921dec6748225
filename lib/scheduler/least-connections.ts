import type { Candidate, Scheduler } from './scheduler.js';
import { Turns } from './turns.js';

/**
 * The one with the fewest requests in flight for its weight. Those that have equally few take turns by weight, so that
 * with little to do not all of it lands on the first.
 */
export class LeastConnections implements Scheduler {
  readonly #turns = new Turns();

  pick(candidates: readonly Candidate[]): number {
    const credits = this.#turns.of(candidates);
    const least = leastLoad(candidates);
    let earned = 0;
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < candidates.length; i++) {
      const { active, effectiveWeight } = candidates[i] as Candidate;
      if (active / effectiveWeight !== least) continue;
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

/** Quotients of the same ratio are the same number (IEEE 754 rounds correctly): 1 of 3 and 2 of 6 tie. */
function leastLoad(candidates: readonly Candidate[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < candidates.length; i++) {
    const { active, effectiveWeight } = candidates[i] as Candidate;
    const load = active / effectiveWeight;
    if (load < least) least = load;
  }
  return least;
}
