import { counter, type Family, gauge, one } from '../families.js';

/** What is sent to OpenTelemetry collectors. */
export interface LiveExports {
  readonly spans: { readonly sent: number; readonly rejected: number; readonly dropped: number };
  /** Spans that wait. */
  readonly waiting: number;
  /** Requests to collectors, by what is sent. */
  readonly requests: readonly {
    readonly signal: 'traces' | 'metrics';
    readonly ok: number;
    readonly failed: number;
  }[];
}

export const NO_EXPORTS: LiveExports = {
  spans: { sent: 0, rejected: 0, dropped: 0 },
  waiting: 0,
  requests: [],
};

export function exportFamilies(live: () => LiveExports): readonly Family[] {
  return [
    counter(
      'lb_otlp_spans_total',
      'Spans by what became of them: sent, rejected by the collector that took the others, or dropped because it was away, too slow or refused all.',
      () => Object.entries(live().spans).map(([result, value]) => ({ labels: { result }, value })),
    ),
    gauge('lb_otlp_spans_waiting', 'Spans that wait for the collector.', () => one(live().waiting)),
    counter('lb_otlp_requests_total', 'Requests to OpenTelemetry collectors, by what they carry.', () =>
      live().requests.flatMap(({ signal, ok, failed }) => [
        { labels: { signal, result: 'success' }, value: ok },
        { labels: { signal, result: 'failure' }, value: failed },
      ]),
    ),
  ];
}
