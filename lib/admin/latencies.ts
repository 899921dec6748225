/** Steps in each doubling: the values read back are at most 9 % off. */
const STEPS = 8;
/** Shorter durations are counted as this one, in ms. */
const SHORTEST = 1 / 16;
/** Up to 2^24 times that: more than a quarter of an hour. */
const BUCKETS = 24 * STEPS;

/** The distribution of durations, in buckets that grow exponentially. Adding allocates nothing. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  /** Adds requests that lasted `ms`, with fractions. */
  add(ms: number, requests = 1): void {
    this.#counts[bucketOf(ms)]! += requests;
    this.#total += requests;
  }

  include(other: Latencies): void {
    for (let index = 0; index < BUCKETS; index++) this.#counts[index]! += other.#counts[index]!;
    this.#total += other.#total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** Percentiles in ms; `shares` are from 0 to 1, ascending. null without requests. */
  percentiles(shares: readonly number[]): readonly number[] | null {
    if (this.#total === 0) return null;
    const found: number[] = [];
    let seen = 0;
    for (let index = 0; index < BUCKETS && found.length < shares.length; index++) {
      seen += this.#counts[index]!;
      while (found.length < shares.length && seen >= Math.ceil(shares[found.length]! * this.#total))
        found.push(middleOf(index));
    }
    return found;
  }
}

function bucketOf(ms: number): number {
  if (!(ms > SHORTEST)) return 0;
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(ms / SHORTEST) * STEPS));
}

function middleOf(bucket: number): number {
  const ms = SHORTEST * 2 ** ((bucket + 0.5) / STEPS);
  return Number(ms.toPrecision(3));
}
