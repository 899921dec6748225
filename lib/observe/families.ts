import { BOUNDS, type Histogram } from '../base/collections.js';

/** One line of the exposition: its labels, and the suffix of the name if there are several (`_bucket`). */
export interface Sample {
  readonly labels: { readonly [name: string]: string };
  readonly value: number;
  readonly suffix?: string;
}

/** Lines of one name. `read` is called at each scrape. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly read: () => Iterable<Sample>;
}

export function counter(name: string, help: string, read: Family['read']): Family {
  return { name, help, type: 'counter', read };
}

export function gauge(name: string, help: string, read: Family['read']): Family {
  return { name, help, type: 'gauge', read };
}

/** A number without labels. */
export function one(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}

/** The lines of the sum of several histograms, with these labels; none while nothing was observed. */
export function* durationsOf(labels: Sample['labels'], histograms: readonly Histogram[]): Generator<Sample> {
  if (histograms.every(({ counts }) => counts.every((count) => count === 0))) return;
  let below = 0;
  let sum = 0;
  for (let bucket = 0; bucket <= BOUNDS.length; bucket++) {
    for (const { counts } of histograms) below += counts[bucket] as number;
    const bound = BOUNDS[bucket];
    const le = bound === undefined ? '+Inf' : String(bound / 1000);
    yield { labels: { ...labels, le }, value: below, suffix: '_bucket' };
  }
  for (const histogram of histograms) sum += histogram.sum;
  yield { labels, value: sum / 1000, suffix: '_sum' };
  yield { labels, value: below, suffix: '_count' };
}
