import type { Metric, Registry } from 'prom-client';
import { inSlices, Slice, type Steps } from '../base/slices.js';
import { counter, type Family, gauge, one, type Sample } from './families.js';
import type { Metrics } from './metrics.js';
import { processFamilies } from './process-families.js';
import { ProcessFigures } from './process-figures.js';
import { requestFamilies } from './request-families.js';
import { type LiveBalancer, serverFamilies } from './server-families.js';

export interface ExpositionDeps {
  readonly metrics: Metrics;
  /** The state of the balancer, read in steps. */
  readonly live: () => Steps<LiveBalancer>;
  /** Lines of the access log that were dropped because the reader was slow. */
  readonly droppedLines?: () => number;
  /** Events that the webhook was not sent. */
  readonly droppedEvents?: () => number;
}

/** Lines printed between two readings of the clock: about 0.3 ms. */
const LINES_PER_STEP = 100;

/**
 * Everything that is counted, in Prometheus' text format. prom-client checks names and prints; counting is done in
 * plain numbers elsewhere, which are read at each scrape. A scrape is made in slices, because the lines of 4,000
 * servers take half a second: each family is as of its slice.
 */
export class Exposition {
  /** Loaded only when metrics are exposed: it takes longer than the rest of the start. */
  readonly #registry: Promise<Registry>;
  readonly #families: readonly Family[];
  readonly #figures = new ProcessFigures();
  readonly #sources: ExpositionDeps;
  /** The state that the current scrape has read; the next scrape waits until it is complete. */
  #live: LiveBalancer | null = null;
  /** The families that the registry prints next. */
  #samples: readonly Sample[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(sources: ExpositionDeps) {
    this.#sources = sources;
    const live = (): LiveBalancer => this.#live as LiveBalancer;
    this.#families = [
      ...requestFamilies(sources.metrics),
      ...serverFamilies(live),
      ...ownFamilies(sources, live),
      ...processFamilies(this.#figures),
    ];
    this.#registry = registryOf(this.#families, () => this.#samples);
    // The first scrape rejects with the error.
    this.#registry.catch(() => {});
  }

  /** The version of the format that every scraper reads. */
  get contentType(): string {
    return 'text/plain; version=0.0.4; charset=utf-8';
  }

  async text(): Promise<string> {
    return Buffer.concat(await this.pieces()).toString();
  }

  /** The text as bytes, in pieces: encoding a single string of 6 MB would hold up the event loop. */
  pieces(): Promise<readonly Buffer[]> {
    const made = this.#last.then(() => this.#make());
    this.#last = made.catch(() => {});
    return made;
  }

  async #make(): Promise<readonly Buffer[]> {
    const registry = await this.#registry;
    const pieces: Buffer[] = [];
    const slice = new Slice();
    try {
      this.#live = await inSlices(this.#sources.live());
      for (const family of this.#families) {
        let isFirst = true;
        for (const samples of inGroups(family.read())) {
          this.#samples = samples;
          const text = await registry.getSingleMetricAsString(family.name);
          // Each text begins with the two lines that describe the family.
          const piece = isFirst
            ? `${pieces.length === 0 ? '' : '\n'}${text}\n`
            : `${text.split('\n').slice(2).join('\n')}\n`;
          pieces.push(Buffer.from(piece));
          isFirst = false;
          if (slice.isOver) await slice.rest();
        }
      }
      return pieces;
    } finally {
      this.#live = null;
      this.#samples = [];
    }
  }

  /** Stops measuring the event loop. */
  close(): void {
    this.#figures.close();
  }
}

async function registryOf(families: readonly Family[], samples: () => readonly Sample[]): Promise<Registry> {
  const client = await import('prom-client');
  const registry = new client.Registry();
  for (const family of families) registry.registerMetric(asMetric(family, samples));
  return registry;
}

/** A registry only reads the name, help, type and values of a metric; its types require everything else too. */
function asMetric({ name, help, type }: Family, samples: () => readonly Sample[]): Metric {
  const metric = {
    name,
    help,
    type,
    get: () => {
      const values = samples().map(({ labels, value, suffix }) => ({
        labels,
        value,
        ...(suffix !== undefined && { metricName: `${name}${suffix}` }),
      }));
      return Promise.resolve({ name, help, type, values, aggregator: 'sum' });
    },
  };
  return metric as unknown as Metric;
}

/** At least one group, which may be empty. */
function* inGroups(samples: Iterable<Sample>): Generator<readonly Sample[]> {
  let group: Sample[] = [];
  for (const sample of samples) {
    if (group.length === LINES_PER_STEP) {
      yield group;
      group = [];
    }
    group.push(sample);
  }
  yield group;
}

function ownFamilies(sources: ExpositionDeps, live: () => LiveBalancer): readonly Family[] {
  const { droppedLines = () => 0, droppedEvents = () => 0 } = sources;
  return [
    counter(
      'lb_access_log_dropped_lines_total',
      'Lines of the access log dropped because the reader was too slow.',
      () => one(droppedLines()),
    ),
    counter(
      'lb_webhook_dropped_events_total',
      'Events dropped because the webhook did not accept them in time.',
      () => one(droppedEvents()),
    ),
    gauge('lb_build_info', 'Always 1; the version of lb and Node.', () => [
      { labels: { version: live().version, node: process.versions.node }, value: 1 },
    ]),
  ];
}
