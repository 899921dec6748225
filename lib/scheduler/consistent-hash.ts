import { mixHashes } from '../base/hash.js';
import { type Candidate, NO_KEY, type PickKey, type Scheduler } from './scheduler.js';

const TWO_31 = 2 ** 31;

/**
 * The same server for the same key, whoever asks and in whatever order the servers are listed: each server draws a
 * number from its name and the key, the highest wins (weighted rendezvous hashing). When a server leaves, its keys
 * alone move, spread over all others; when it returns, they come back. The next choice for a key is as settled as the
 * first. A pick looks at every server, 5 ns each where weights are equal and 20 where not, and needs no ring of points
 * that would have to be built anew whenever a server or a weight changes.
 */
export class ConsistentHash implements Scheduler {
  readonly #otherwise: Scheduler;
  readonly #balanceFactor: number;

  /**
   * `otherwise` chooses for requests without a key. `balanceFactor`: no server gets more than so many times its share
   * of all requests in flight (1.25 is a quarter more); what is too much for it goes to the next of its key. 0 is no
   * bound.
   */
  constructor(otherwise: Scheduler, balanceFactor = 0) {
    this.#otherwise = otherwise;
    this.#balanceFactor = balanceFactor;
  }

  get readsLatency(): boolean {
    return this.#otherwise.readsLatency === true;
  }

  pick(candidates: readonly Candidate[], key: PickKey): number {
    if (key === NO_KEY) return this.#otherwise.pick(candidates, key);
    // Written out here, as the scores are: a number with fractions that a function returns is an object on the heap unless
    // the compiler takes the function in, which it does not always.
    let perWeight = Number.POSITIVE_INFINITY;
    if (this.#balanceFactor !== 0) {
      // Requests in flight that a server may have for each unit of its weight, this one counted in.
      let inFlight = 1;
      let weights = 0;
      for (let i = 0; i < candidates.length; i++) {
        const candidate = candidates[i] as Candidate;
        inFlight += candidate.active;
        weights += candidate.effectiveWeight;
      }
      perWeight = (this.#balanceFactor * inFlight) / weights;
    }
    let best = 0;
    let highest = -1;
    let weight = 0;
    for (let i = 0; i < candidates.length; i++) {
      const { hash, effectiveWeight, active } = candidates[i] as Candidate;
      // There is always one that is not: together they take more than there is.
      if (active >= Math.ceil(perWeight * effectiveWeight)) continue;
      const drawn = mixHashes(hash, key);
      // Logarithms are most of the cost, and of equal weights the higher number is the higher score.
      if (effectiveWeight === weight) {
        if (drawn <= highest) continue;
      } else if (highest !== -1) {
        // Each has the highest score as often as its weight says: -ln of an even draw is an exponential one.
        const score = effectiveWeight / -Math.log((drawn + 0.5) / TWO_31);
        const highestScore = weight / -Math.log((highest + 0.5) / TWO_31);
        if (score <= highestScore) continue;
      }
      highest = drawn;
      weight = effectiveWeight;
      best = i;
    }
    return best;
  }
}
