/** For a duration in µs: the position of its first bit and the next three bits, which is within 1/16 of the value. */
const BUCKETS = 240;
const LONGEST = 2 ** 32 - 1;
const SLOTS = 7;

/** How long a slot is filled, in ms: six full slots and the current one make up the last minute. */
export const SLOT_MS = 10_000;

/** The 50th, 90th and 99th percentiles, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** The number of requests in about the last minute. Each call names the current slot, as below. */
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

/** The total of the last minute. */
export interface Summary {
  readonly count: number;
  /** Null without requests. */
  readonly percentiles: Percentiles | null;
}

/**
 * The distribution of the durations of about the last minute, in 7 KiB however many requests there were. Each call
 * names the current slot; slots are numbered in ascending order.
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

  /** Slots older than the last minute are cleared. */
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
