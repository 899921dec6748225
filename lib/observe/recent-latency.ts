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

/** How many there were during about the last minute. Each call says in which slot it takes place, as below. */
export class RecentCount {
  readonly #totals = new Float64Array(SLOTS);
  #slot = 0;

  note(slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    this.#totals[slot % SLOTS]!++;
  }

  count(slot: number): number {
    if (slot !== this.#slot) this.#moveTo(slot);
    return this.#totals.reduce((sum, total) => sum + total, 0);
  }

  #moveTo(slot: number): void {
    for (let left = Math.min(slot - this.#slot, SLOTS); left > 0; left--)
      this.#totals[(slot - left + 1) % SLOTS] = 0;
    this.#slot = slot;
  }
}

/** Of the last minute. */
export interface Summary {
  readonly count: number;
  /** Null when there was none. */
  readonly percentiles: Percentiles | null;
}

/**
 * How long requests took during about the last minute, in 7 KiB however many they were. Each call says in which slot it
 * takes place: slots are numbered, and their numbers only rise.
 */
export class RecentLatency {
  readonly #counts = new Uint32Array(SLOTS * BUCKETS);
  #slot = 0;

  note(ms: number, slot: number): void {
    if (slot !== this.#slot) this.#moveTo(slot);
    const index = slot % SLOTS;
    this.#counts[index * BUCKETS + bucketOf(ms)]!++;
  }

  summary(slot: number): Summary {
    if (slot !== this.#slot) this.#moveTo(slot);
    const sums = new Float64Array(BUCKETS);
    let count = 0;
    for (let index = 0; index < SLOTS * BUCKETS; index++) {
      const amount = this.#counts[index] as number;
      sums[index % BUCKETS]! += amount;
      count += amount;
    }
    if (count === 0) return { count, percentiles: null };
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => quantile(sums, count * share));
    return { count, percentiles: { p50: p50 as number, p90: p90 as number, p99: p99 as number } };
  }

  /** What is older than the last minute is forgotten. */
  #moveTo(slot: number): void {
    for (let left = Math.min(slot - this.#slot, SLOTS); left > 0; left--) {
      const index = (slot - left + 1) % SLOTS;
      this.#counts.fill(0, index * BUCKETS, (index + 1) * BUCKETS);
    }
    this.#slot = slot;
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
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    below += sums[bucket] as number;
    if (below >= rank) return middleOf(bucket);
  }
  return middleOf(BUCKETS - 1);
}
