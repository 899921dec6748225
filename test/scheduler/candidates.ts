import { hashText } from '../../lib/base/hash.js';
import { LatencyEstimate } from '../../lib/scheduler/latency-estimate.js';
import type { Candidate, PickKey, Scheduler } from '../../lib/scheduler/scheduler.js';

/** A server as a scheduler sees it, in the hands of a test. */
export interface TestServer extends Candidate {
  readonly name: string;
  active: number;
  effectiveWeight: number;
  capacity: number;
}

/** Servers of these weights, idle, called s0, s1, … */
export function servers(...weights: readonly number[]): TestServer[] {
  return weights.map((effectiveWeight, index) => {
    const name = `s${index}`;
    const latency = new LatencyEstimate();
    return {
      name,
      active: 0,
      effectiveWeight,
      capacity: Number.POSITIVE_INFINITY,
      hash: hashText(name),
      latency,
    };
  });
}

/** The key of the `index`-th of many different requests. */
export const keyOf = (index: number): PickKey => hashText(`/item/${index}`);

/** How often each is picked by `count` different requests. */
export function tally(scheduler: Scheduler, candidates: readonly Candidate[], count: number): number[] {
  const counts = candidates.map(() => 0);
  for (let i = 0; i < count; i++) {
    const picked = scheduler.pick(candidates, keyOf(i));
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

/** Values of chi-square that chance exceeds once in a thousand times, by degrees of freedom. */
const CRITICAL = [0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88];

/** Do the counts differ from what `weights` expect by no more than chance does? */
export function fits(counts: readonly number[], weights: readonly number[]): boolean {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const weight = weights.reduce((sum, each) => sum + each, 0);
  let chiSquare = 0;
  for (const [index, count] of counts.entries()) {
    const expected = (total * (weights[index] as number)) / weight;
    chiSquare += (count - expected) ** 2 / expected;
  }
  return chiSquare < (CRITICAL[counts.length - 1] as number);
}
