import { DrawnByWeight } from './drawn-by-weight.js';
import { type Candidate, NO_CANDIDATE, type PickKey, type RandomSource } from './scheduler.js';

/**
 * Of two candidates drawn by weight, the one with fewer requests in flight for its weight. Nearly as even as comparing
 * all of them, and a server that has just returned does not get all requests at once.
 */
export class PowerOfTwo extends DrawnByWeight {
  protected readonly candidates: readonly Candidate[];

  constructor(candidates: readonly Candidate[], random: RandomSource) {
    super(candidates, random);
    this.candidates = candidates;
  }

  pick(_key: PickKey, tried: readonly number[]): number {
    this.draw.begin(tried);
    const one = this.draw.draw();
    if (one === NO_CANDIDATE) return NO_CANDIDATE;
    this.draw.leaveOut(one);
    const other = this.draw.draw();
    return other !== NO_CANDIDATE && this.isBetter(other, one) ? other : one;
  }

  /** Is the one the better choice? */
  protected isBetter(one: number, other: number): boolean {
    const first = this.candidates[one] as Candidate;
    const second = this.candidates[other] as Candidate;
    return first.active / first.effectiveWeight < second.active / second.effectiveWeight;
  }
}
