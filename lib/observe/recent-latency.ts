/** Of a duration in µs the position of its first bit and the three bits after that: within 1/16 of the true value. */
const BUCKETS = 240;
const LONGEST = 2 ** 32 - 1;
const SLOTS = 7;

/** How long a slot is filled, in ms: six full ones and the one that is being filled are the last minute. */
export const SLOT_MS = 10_000;

/** ms that half, nine tenths and 99 hundredths of the requests took at most. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * How long requests took during about the last minute, in 7 KiB however many they were. Time passes when `turn` is
 * called.
 */
export class RecentLatency {
  readonly #counts = new Uint32Array(SLOTS * BUCKETS);
  #slot = 0;

  note(ms: number): void {
    this.#counts[this.#slot * BUCKETS + bucketOf(ms)]!++;
  }

  /** So many slots later: what is older than the last minute is forgotten. */
  turn(slots: number): void {
    for (let left = Math.min(slots, SLOTS); left > 0; left--) {
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#counts.fill(0, this.#slot * BUCKETS, (this.#slot + 1) * BUCKETS);
    }
  }

  /** How many were noted. */
  get count(): number {
    let count = 0;
    for (const amount of this.#counts) count += amount;
    return count;
  }

  /** Null when there was none. */
  percentiles(): Percentiles | null {
    const sums = new Float64Array(BUCKETS);
    for (const [index, amount] of this.#counts.entries()) sums[index % BUCKETS]! += amount;
    const count = this.count;
    if (count === 0) return null;
    return { p50: quantile(sums, count * 0.5), p90: quantile(sums, count * 0.9), p99: quantile(sums, count * 0.99) };
  }
}

function bucketOf(ms: number): number {
  const micros = Math.min(LONGEST, Math.max(0, ms * 1000)) >>> 0;
  if (micros < 8) return micros;
  const exponent = 31 - Math.clz32(micros);
  return ((exponent - 2) << 3) + ((micros >>> (exponent - 3)) & 7);
}

/** The middle of a bucket, in ms. */
function middleOf(bucket: number): number {
  if (bucket < 8) return bucket / 1000;
  const width = 2 ** ((bucket >> 3) - 1);
  return ((8 + (bucket & 7)) * width + width / 2) / 1000;
}

function quantile(sums: Float64Array, rank: number): number {
  let below = 0;
  for (const [bucket, amount] of sums.entries()) {
    below += amount;
    if (below >= rank && amount > 0) return middleOf(bucket);
  }
  return middleOf(BUCKETS - 1);
}
