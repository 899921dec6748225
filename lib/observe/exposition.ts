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
  /** The state that the scrape has read whose lines are printed next. */
  #live: LiveBalancer | null = null;
  /** What the registry prints next; it is read as soon as that is called. */
  #samples: readonly Sample[] = [];
  #scrapes = 0;

  constructor(sources: ExpositionDeps) {
    this.#sources = sources;
    const live = (): LiveBalancer => this.#live as LiveBalancer;
    this.#families = allFamilies(sources, live, this.#figures);
    this.#registry = registryOf(this.#families, () => this.#samples);
    // The first scrape rejects with the error.
    this.#registry.catch(() => {});
  }

  /** The version of the format that every scraper reads. */
  get contentType(): string {
    return 'text/plain; version=0.0.4; charset=utf-8';
  }

  /** The whole text. For 4,000 servers it has 6 MB: `stream` costs a server of HTTP less. */
  async text(): Promise<string> {
    let text = '';
    for await (const piece of this.#texts()) text += piece;
    return text;
  }

  /** The text as bytes, in pieces. */
  async pieces(): Promise<readonly Buffer[]> {
    const pieces: Buffer[] = [];
    for await (const piece of this.stream()) pieces.push(piece);
    return pieces;
  }

  /** The pieces as they are made, each when it is asked for: they are sent as fast as the scraper reads. */
  async *stream(): AsyncGenerator<Buffer> {
    for await (const piece of this.#texts()) yield Buffer.from(piece);
  }

  async *#texts(): AsyncGenerator<string> {
    const registry = await this.#registry;
    this.#scrapes++;
    try {
      const live = await inSlices(this.#sources.live());
      const slice = new Slice();
      let before = '';
      for (const family of this.#families) {
        this.#live = live;
        yield* this.#print(family, live, registry, slice, before);
        before = '\n';
      }
    } finally {
      this.#scrapes--;
      if (this.#scrapes === 0) this.#live = null;
    }
  }

  /** `before`: what separates the family from the one before. */
  async *#print(
    family: Family,
    live: LiveBalancer,
    registry: Registry,
    slice: Slice,
    before: string,
  ): AsyncGenerator<string> {
    const groups = inGroups(family.read());
    let isFirst = true;
    for (;;) {
      // Another scrape may have been at work since.
      this.#live = live;
      const group = groups.next();
      if (group.done === true) return;
      this.#samples = group.value;
      const text = await registry.getSingleMetricAsString(family.name);
      // Each text begins with the two lines that describe the family.
      yield isFirst ? `${before}${text}\n` : `${text.split('\n').slice(2).join('\n')}\n`;
      isFirst = false;
      if (slice.isOver) await slice.rest();
    }
  }

  /** Stops measuring the event loop. */
  close(): void {
    this.#figures.close();
  }
}

/** Everything that is exposed. `live` is called while a family is read. */
export function allFamilies(
  sources: ExpositionDeps,
  live: () => LiveBalancer,
  figures: ProcessFigures,
): readonly Family[] {
  return [
    ...requestFamilies(sources.metrics),
    ...serverFamilies(live),
    ...ownFamilies(sources, live),
    ...processFamilies(figures),
  ];
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
    gauge('lb_build_info', 'Always 1; the version of lb and Node, and the instance of the settings.', () => {
      const { version, instance } = live();
      const labels = { version, node: process.versions.node, instance_name: instance };
      return [{ labels, value: 1 }];
    }),
  ];
}
