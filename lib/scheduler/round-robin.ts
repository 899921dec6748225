import type { Candidate, Scheduler } from './scheduler.js';

/** Each in turn. */
export class RoundRobin implements Scheduler {
  #turn = 0;

  pick(candidates: readonly Candidate[]): number {
    const index = this.#turn % candidates.length;
    this.#turn = index + 1;
    return index;
  }
}
