import { type Address, parseAddress } from '../base/address.js';
import { ValueError } from '../base/units.js';
import { texts } from './context.js';
import { checkHeaderName, checkHeaderText, compileFields } from './fields.js';
import { parseRegex } from './pattern.js';
import { duration, share } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { HealthCheckSettings, TextsSettings } from './settings.js';
import { compileStatuses } from './statuses.js';
import type { Path } from './tree.js';
import type { HealthCheckConfig } from './types.js';

/** Healthy statuses when a path is set. */
const GOOD_STATUS: HealthCheckConfig['expectStatus'] = [{ from: 200, to: 399 }];
/**
 * Healthy statuses for `/`, while no path is set: on a healthy server it may be missing (404) or require a login (401).
 */
const GUESSED_STATUS: HealthCheckConfig['expectStatus'] = [{ from: 100, to: 499 }];

const DEFAULT_CHECK: HealthCheckConfig = {
  ...defaultsOf<Omit<HealthCheckConfig, NoDefault>>('healthCheck'),
  target: null,
  isPathChosen: false,
  host: null,
  headers: [],
  body: '',
  expectStatus: GUESSED_STATUS,
  expectHeaders: [],
  expectBody: null,
  downInterval: null,
};

/** Keys that have another name in the schema, or no default there. */
type NoDefault =
  | 'target'
  | 'isPathChosen'
  | 'host'
  | 'headers'
  | 'body'
  | 'expectStatus'
  | 'expectHeaders'
  | 'expectBody'
  | 'downInterval';

/** With more jitter, checks of a fast and of a slow server could drift into step. */
const MOST_JITTER = 0.5;

/** Settings for an HTTP check only. */
const HTTP_KEYS = [
  'method',
  'path',
  'host',
  'headers',
  'body',
  'expect_status',
  'expect_header',
  'expect_body',
] as const;

/** Compiles a check; what it leaves out is inherited from the scope around it. `false` is null: no checks. */
export function compileHealthCheck(
  setting: HealthCheckSettings | boolean | undefined,
  path: Path,
  report: Report,
  around: HealthCheckConfig | null = DEFAULT_CHECK,
): HealthCheckConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const base = around ?? DEFAULT_CHECK;
  if (setting === true) return base;
  const check = {
    ...compileQuestion(setting, path, report, base),
    ...compileRhythm(setting, path, report, base),
    rise: setting.rise ?? base.rise,
    fall: setting.fall ?? base.fall,
    initial: setting.initial ?? base.initial,
    onDown: setting.on_down ?? base.onDown,
  };
  tellContradictions(setting, check, path, report);
  return check;
}

type Rhythm = 'interval' | 'fastInterval' | 'downInterval' | 'jitter' | 'timeout';
type RequestTerms = Exclude<keyof HealthCheckConfig, Rhythm | 'rise' | 'fall' | 'initial' | 'onDown'>;

/** The request, and which responses are healthy. */
function compileQuestion(
  setting: HealthCheckSettings,
  path: Path,
  report: Report,
  base: HealthCheckConfig,
): Pick<HealthCheckConfig, RequestTerms> {
  const { expect_status: status, expect_header: header, expect_body: body } = setting;
  const isPathChosen = base.isPathChosen || setting.path !== undefined;
  const usual = isPathChosen && base.expectStatus === GUESSED_STATUS ? GOOD_STATUS : base.expectStatus;
  return {
    type: setting.type ?? base.type,
    target: compileTarget(setting, path, report, base),
    method: setting.method ?? base.method,
    path: setting.path ?? base.path,
    isPathChosen,
    host: setting.host ?? base.host,
    headers: setting.headers ? compileHeaders(setting.headers, [...path, 'headers'], report) : base.headers,
    body: setting.body ?? base.body,
    expectStatus: status ? compileStatuses(status, [...path, 'expect_status'], report) : usual,
    expectHeaders: header
      ? compileFields(header, [...path, 'expect_header'], { report }, 'header')
      : base.expectHeaders,
    expectBody:
      body === undefined
        ? base.expectBody
        : (report.attempt([...path, 'expect_body'], () => parseRegex(body) ?? body) ?? null),
  };
}

/** The intervals and the timeout. */
function compileRhythm(
  setting: HealthCheckSettings,
  path: Path,
  report: Report,
  base: HealthCheckConfig,
): Pick<HealthCheckConfig, Rhythm> {
  const { down_interval: down } = setting;
  return {
    interval: duration(setting.interval, base.interval, [...path, 'interval'], report, 1),
    fastInterval: duration(setting.fast_interval, base.fastInterval, [...path, 'fast_interval'], report, 1),
    downInterval:
      down === undefined
        ? base.downInterval
        : duration(down, base.interval, [...path, 'down_interval'], report, 1),
    jitter: share(setting.jitter, base.jitter, [...path, 'jitter'], report, MOST_JITTER),
    timeout: duration(setting.timeout, base.timeout, [...path, 'timeout'], report, 1),
  };
}

function compileTarget(
  { address, port }: HealthCheckSettings,
  path: Path,
  report: Report,
  base: HealthCheckConfig,
): Address | number | null {
  if (address === undefined) return port ?? base.target;
  const at = [...path, 'address'];
  if (port !== undefined)
    report.problem([...path, 'port'], 'address has a port already', 'Give one of the two.', 'key');
  const target = report.attempt(at, () => parseAddress(address, { defaultHost: 'localhost' }));
  if (target?.kind === 'tcp' && (target.host === '' || target.port === 0))
    report.problem(at, `expected host:port, got ${JSON.stringify(address)}`);
  return target ?? null;
}

function compileHeaders(
  setting: TextsSettings,
  path: Path,
  report: Report,
): { readonly name: string; readonly value: string }[] {
  const headers: { name: string; value: string }[] = [];
  for (const [name, value, at] of texts(setting, path)) {
    report.attempt(at, () => checkCheckHeader(name), 'key');
    report.attempt(at, () => checkHeaderText(value));
    headers.push({ name, value });
  }
  return headers;
}

function checkCheckHeader(name: string): void {
  if (name.toLowerCase() === 'host')
    throw new ValueError('Host has a setting of its own', 'Write it as host: beside headers.');
  checkHeaderName(name);
}

/** Reports settings that contradict each other. */
function tellContradictions(
  setting: HealthCheckSettings,
  check: HealthCheckConfig,
  path: Path,
  report: Report,
): void {
  const body = [...path, 'expect_body'];
  if (check.method === 'HEAD' && setting.expect_body !== undefined)
    report.problem(body, 'an answer to HEAD has no body', 'Use method: GET.', 'key');
  if (check.type !== 'tcp') return;
  for (const key of HTTP_KEYS) {
    if (setting[key] !== undefined)
      report.problem([...path, key], 'a tcp check only connects', 'Use type: http.', 'key');
  }
}
