import { jsonString } from '../escape.js';
import type { Family, Sample } from '../families.js';

// As in the text for Prometheus, so that dashboards find the same names.

/** AGGREGATION_TEMPORALITY_CUMULATIVE: since the start. */
const CUMULATIVE = 2;

/** What a metric is measured in, by the end of its name (UCUM). */
const UNITS: readonly (readonly [end: string, unit: string])[] = [
  ['_seconds', 's'],
  ['_bytes', 'By'],
  ['_bytes_total', 'By'],
  ['_ratio', '1'],
];

/** The beginning of a metric, up to its data points. */
export function metricStart({ name, help, type }: Family): string {
  const unit = UNITS.find(([end]) => name.endsWith(end))?.[1];
  const known = `{"name":"${name}","description":${jsonString(help)}${unit === undefined ? '' : `,"unit":"${unit}"`}`;
  switch (type) {
    case 'counter':
      return `${known},"sum":{"aggregationTemporality":${CUMULATIVE},"isMonotonic":true,"dataPoints":[`;
    case 'gauge':
      return `${known},"gauge":{"dataPoints":[`;
    case 'histogram':
      return `${known},"histogram":{"aggregationTemporality":${CUMULATIVE},"dataPoints":[`;
  }
}

/** What follows its data points. */
export const METRIC_END = ']}}';

/** When counting began and when it was read, in ms since the epoch. */
export interface Period {
  readonly start: number;
  readonly end: number;
}

/** The data points of a family, one after the other. */
export function* dataPoints({ type, read }: Family, { start, end }: Period): Generator<string> {
  const since = type === 'gauge' ? '' : `"startTimeUnixNano":"${nanoseconds(start)}",`;
  const times = `${since}"timeUnixNano":"${nanoseconds(end)}"`;
  if (type !== 'histogram') {
    for (const { labels, value } of read()) yield `{${attributesText(labels)}${times},"asDouble":${value}}`;
    return;
  }
  let below: Sample[] = [];
  let sum = 0;
  for (const sample of read()) {
    if (sample.suffix === '_bucket') below.push(sample);
    else if (sample.suffix === '_sum') sum = sample.value;
    else {
      yield `{${attributesText(sample.labels)}${times},${bucketsText(below)},"count":"${sample.value}","sum":${sum}}`;
      below = [];
    }
  }
}

/** Counts of each bucket alone; the last one has no bound. */
function bucketsText(below: readonly Sample[]): string {
  const counts = below.map(({ value }, index) => `"${value - (below[index - 1]?.value ?? 0)}"`);
  const bounds = below.slice(0, -1).map(({ labels }) => labels.le);
  return `"bucketCounts":[${counts.join(',')}],"explicitBounds":[${bounds.join(',')}]`;
}

function attributesText(labels: Sample['labels']): string {
  let text = '';
  for (const key in labels)
    text += `${text === '' ? '' : ','}{"key":"${key}","value":{"stringValue":${jsonString(labels[key] as string)}}}`;
  return text === '' ? '' : `"attributes":[${text}],`;
}

/** ms since the epoch in ns, which are more than a number holds. */
export function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.floor((ms - whole) * 1000)).padStart(3, '0')}000`;
}
