import type { Candidate, RandomSource } from './scheduler.js';

/** Nobody is left out of the draw. */
export const NOBODY = -1;

/** The index of one, by weight; never `except`, of which there must be another. */
export function draw(candidates: readonly Candidate[], random: RandomSource, except: number): number {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) {
    if (i !== except) total += (candidates[i] as Candidate).effectiveWeight;
  }
  let left = random() * total;
  let last = 0;
  for (let i = 0; i < candidates.length; i++) {
    if (i === except) continue;
    last = i;
    left -= (candidates[i] as Candidate).effectiveWeight;
    if (left < 0) return i;
  }
  // Fractions of weights may not add up to their sum to the last bit.
  return last;
}
