/** Upper bounds in ms, as dashboards expect them; one more bucket takes everything above. */
export const BOUNDS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Durations counted in fixed buckets, since the start. An observation is a few comparisons and two additions. */
export class Histogram {
  /** The count of each bucket alone, not cumulative. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** ms */
  sum = 0;

  observe(ms: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && ms > (BOUNDS[bucket] as number)) bucket++;
    this.counts[bucket]!++;
    this.sum += ms;
  }
}
