import type { Candidate, Scheduler } from './scheduler.js';

/**
 * The first in the order of the configuration that is not full: few servers are kept busy, and the last ones may be
 * switched off. When all are full, the one that is so the least. Weights say nothing here.
 */
export class First implements Scheduler {
  pick(candidates: readonly Candidate[]): number {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < candidates.length; i++) {
      const { active, capacity } = candidates[i] as Candidate;
      if (active < capacity) return i;
      if (active / capacity >= least) continue;
      least = active / capacity;
      best = i;
    }
    return best;
  }
}
