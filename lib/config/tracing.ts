import { ValueError } from '../base/units.js';
import type { Context } from './context.js';
import { parsePath, pathText } from './pattern.js';
import { type FileReader, readCertificates } from './pem-files.js';
import { checkField } from './providers.js';
import { duration, share } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { MetricsSettings, TracingSettings } from './settings.js';
import type { Path } from './tree.js';
import type { CollectorConfig, MeasuredPath, MetricsConfig, TracingConfig } from './types.js';

type Surroundings = Pick<Context, 'report' | keyof FileReader>;
type Texts = { readonly [name: string]: string | number | boolean | undefined };
/** What `tracing` and `metrics` say alike of their collector. */
type CollectorSettings = Pick<
  TracingSettings,
  'headers' | 'service' | 'attributes' | 'compression' | 'timeout' | 'ca'
>;

const DEFAULTS = defaultsOf<
  Omit<TracingConfig, 'collector'> & Pick<CollectorConfig, 'service' | 'compression' | 'timeout'>
>('tracing');

const { every: EVERY } = defaultsOf<Pick<MetricsConfig, 'every'>>('metrics');
const LEAST_EVERY = 1000;

/** Compiles `tracing:`; null without it. */
export function compileTracing(
  setting: TracingSettings | undefined,
  instance: string | undefined,
  context: Surroundings,
): TracingConfig | null {
  // The schema has refused the value and it was removed.
  if (setting?.otlp === undefined) return null;
  const { report } = context;
  const { sample, continue_from, interval, batch, queue } = setting;
  return {
    collector: compileCollector(setting.otlp, '/v1/traces', { ...setting, instance }, ['tracing'], context),
    sample: share(sample, DEFAULTS.sample, ['tracing', 'sample'], report),
    continueFrom: continue_from ?? DEFAULTS.continueFrom,
    interval: duration(interval, DEFAULTS.interval, ['tracing', 'interval'], report, 1),
    batch: batch ?? DEFAULTS.batch,
    queue: queue ?? DEFAULTS.queue,
  };
}

/** Compiles `metrics:`; null without it. */
export function compileMetrics(
  setting: MetricsSettings | undefined,
  instance: string | undefined,
  context: Surroundings,
): MetricsConfig | null {
  if (setting === undefined) return null;
  if (!Object.hasOwn(setting, 'otlp')) checkUnsent(setting, context.report);
  // Without it nothing is sent; or the schema has refused the value and it was removed.
  if (setting.otlp === undefined) return null;
  const every = duration(setting.every, EVERY, ['metrics', 'every'], context.report);
  if (every < LEAST_EVERY)
    context.report.problem(['metrics', 'every'], `expected 1s or more, got ${setting.every}`);
  const settings = { ...setting, instance };
  return { collector: compileCollector(setting.otlp, '/v1/metrics', settings, ['metrics'], context), every };
}

function checkUnsent(setting: MetricsSettings, report: Report): void {
  for (const key of Object.keys(setting))
    if (key !== 'paths')
      report.problem(
        ['metrics', key],
        'has no effect: no figures are sent to a collector',
        'Add otlp: with its URL.',
      );
}

/** The paths that requests are counted by, in the order of the file. */
export function compileMeasuredPaths(
  setting: MetricsSettings | undefined,
  report: Report,
): readonly MeasuredPath[] {
  const measured: MeasuredPath[] = [];
  const firstPaths = new Map<string, Path>();
  const paths: readonly (string | undefined)[] = setting?.paths ?? [];
  for (const [index, text] of paths.entries()) {
    // The schema has removed what is no text.
    if (text === undefined) continue;
    const at: Path = ['metrics', 'paths', index];
    const pattern = report.attempt(at, () => parsePath(text));
    if (pattern === undefined) continue;
    measured.push({ label: text, pattern });
    // Expressions differ by their flag too, which is in the text, and the schema refuses the same text.
    if (pattern.kind === 'regex') continue;
    const key = pathText(pattern);
    const first = firstPaths.get(key);
    if (first) report.repeated(at, `${key} is given twice, first in`, first);
    else firstPaths.set(key, at);
  }
  return measured;
}

/** Compiles what is at `path`; `signal` is added to the URL. */
function compileCollector(
  otlp: string,
  signal: string,
  settings: CollectorSettings & { readonly instance: string | undefined },
  path: Path,
  context: Surroundings,
): CollectorConfig {
  const { report } = context;
  const { headers, service, instance = null, attributes, compression, timeout, ca } = settings;
  return {
    url: report.attempt([...path, 'otlp'], () => urlOf(otlp, signal)) ?? '',
    headers: textsOf(headers, [...path, 'headers'], report, checkField),
    service: service ?? DEFAULTS.service,
    instance,
    attributes: textsOf(attributes, [...path, 'attributes'], report, checkAttribute),
    compression: compression ?? DEFAULTS.compression,
    timeout: duration(timeout, DEFAULTS.timeout, [...path, 'timeout'], report, 1),
    pem:
      ca === undefined
        ? null
        : (report.attempt([...path, 'ca'], () => readCertificates(ca, context)) ?? null),
  };
}

function textsOf(
  texts: Texts | undefined,
  path: Path,
  report: Report,
  check: (name: string, value: string) => true,
): { name: string; value: string }[] {
  const list: { name: string; value: string }[] = [];
  for (const [name, written] of Object.entries(texts ?? {})) {
    if (written === undefined) continue;
    const value = String(written);
    if (report.attempt([...path, name], () => check(name, value)) === true) list.push({ name, value });
  }
  return list;
}

/** What lb itself says of the resource. */
const OWN = /^(service\.(name|version|instance\.id)|host\.name|telemetry\.sdk\..*)$/;

function checkAttribute(name: string): true {
  if (name === 'service.name') throw new ValueError('the name of the service is set by service');
  if (OWN.test(name)) throw new ValueError(`${name} is set by lb itself`);
  return true;
}

function urlOf(text: string, signal: string): string {
  if (!URL.canParse(text)) throw new ValueError(`expected a URL, got ${JSON.stringify(text)}`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new ValueError('a URL cannot have a password here', 'Write headers: { Authorization: ... }.');
  if (!url.pathname.endsWith(signal)) url.pathname = url.pathname.replace(/\/*$/, signal);
  return url.href;
}
