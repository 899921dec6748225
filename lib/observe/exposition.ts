import type { Metric, Registry } from 'prom-client';
import { counter, type Family, gauge, one } from './families.js';
import type { Metrics } from './metrics.js';
import { processFamilies } from './process-families.js';
import { ProcessFigures } from './process-figures.js';
import { requestFamilies } from './request-families.js';
import { type LiveBalancer, serverFamilies } from './server-families.js';

export interface ExpositionDeps {
  readonly metrics: Metrics;
  /** The balancer as it is now. */
  readonly live: () => LiveBalancer;
  /** Lines of the access log that nobody took in time. */
  readonly droppedLines?: () => number;
  /** Events that the webhook was not told. */
  readonly droppedEvents?: () => number;
}

/**
 * Everything that is counted, in Prometheus' text format. prom-client names, checks and prints; the counting is done in
 * plain numbers elsewhere, and read when somebody scrapes.
 */
export class Exposition {
  /** Loaded by those alone who expose something: it takes longer than all the rest of a start. */
  readonly #registry: Promise<Registry>;
  readonly #figures = new ProcessFigures();
  readonly #sources: ExpositionDeps;
  /** As it was when the scrape began. */
  #live: LiveBalancer | null = null;

  constructor(sources: ExpositionDeps) {
    this.#sources = sources;
    const live = (): LiveBalancer => this.#live ?? sources.live();
    this.#registry = registryOf([
      ...requestFamilies(sources.metrics),
      ...serverFamilies(live),
      ...ownFamilies(sources, live),
      ...processFamilies(this.#figures),
    ]);
    // Whoever asks for the text is told.
    this.#registry.catch(() => {});
  }

  /** The version of the format that every scraper reads. */
  get contentType(): string {
    return 'text/plain; version=0.0.4; charset=utf-8';
  }

  async text(): Promise<string> {
    const registry = await this.#registry;
    this.#live = this.#sources.live();
    // Every family is read before this function waits: the registry asks all of them at once.
    const text = registry.metrics();
    this.#live = null;
    return text;
  }

  /** Stops measuring the event loop. */
  close(): void {
    this.#figures.close();
  }
}

async function registryOf(families: readonly Family[]): Promise<Registry> {
  const client = await import('prom-client');
  const registry = new client.Registry();
  for (const family of families) registry.registerMetric(asMetric(family));
  return registry;
}

function ownFamilies(sources: ExpositionDeps, live: () => LiveBalancer): readonly Family[] {
  const { droppedLines = () => 0, droppedEvents = () => 0 } = sources;
  return [
    counter('lb_access_log_dropped_lines_total', 'Lines that nobody took in time.', () =>
      one(droppedLines()),
    ),
    counter('lb_webhook_dropped_events_total', 'Events that the webhook did not take in time.', () =>
      one(droppedEvents()),
    ),
    gauge('lb_build_info', 'Always 1; what runs here.', () => [
      { labels: { version: live().version, node: process.versions.node }, value: 1 },
    ]),
  ];
}

/** A registry asks a metric for its name, help, type and values, and no more; its types ask for all the rest too. */
function asMetric({ name, help, type, read }: Family): Metric {
  const metric = {
    name,
    help,
    type,
    get: () => {
      const values = Array.from(read(), ({ labels, value, suffix }) => ({
        labels,
        value,
        ...(suffix !== undefined && { metricName: `${name}${suffix}` }),
      }));
      return Promise.resolve({ name, help, type, values, aggregator: 'sum' });
    },
  };
  return metric as unknown as Metric;
}
