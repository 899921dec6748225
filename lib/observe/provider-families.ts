import { counter, type Family, gauge, type Sample } from './families.js';

/** A source of servers, as metrics show it. */
export interface LiveProvider {
  readonly source: string;
  readonly kind: string;
  readonly state: string;
  readonly servers: number;
  /** Unix time in ms; null: it has never answered. */
  readonly answeredAt: number | null;
  /** Since the start. */
  readonly errors: number;
}

/** The families of sources of servers. `live` is called for each family. */
export function providerFamilies(live: () => readonly LiveProvider[]): readonly Family[] {
  const each = (value: (provider: LiveProvider) => number | null): (() => Iterable<Sample>) =>
    function* () {
      for (const provider of live()) {
        const { source, kind } = provider;
        const sample = value(provider);
        if (sample !== null) yield { labels: { source, kind }, value: sample };
      }
    };
  return [
    gauge(
      'lb_provider_servers',
      'Servers that the source has reported.',
      each(({ servers }) => servers),
    ),
    gauge(
      'lb_provider_up',
      'Whether the last answer of the source is in force: 0 while it fails, or has not answered yet.',
      each(({ state }) => (state === 'current' ? 1 : 0)),
    ),
    gauge(
      'lb_provider_last_success_timestamp_seconds',
      'When the source last gave a good answer, in Unix time.',
      each(({ answeredAt }) => (answeredAt === null ? null : answeredAt / 1000)),
    ),
    counter(
      'lb_provider_errors_total',
      'Questions to the source that failed, and answers that could not be used.',
      each(({ errors }) => errors),
    ),
  ];
}
