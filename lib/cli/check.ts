import { addressKey } from '../base/address.js';
import { listenerRemarks, listenerText } from '../base/listener-text.js';
import { loadConfig } from '../config/config.js';
import { everyRoute } from '../config/every-route.js';
import { describeListener, sourcesOf } from '../config/inventory.js';
import { MOST_SHOWN, type Problem, renderFirst, renderProblems } from '../config/problems.js';
import { lineIn, placeJson } from '../config/sources.js';
import type { Config } from '../config/types.js';
import { examineCertificates } from '../control/certificates.js';
import { escapeForScreen } from '../observe/escape.js';
import { type CaseResult, runCases } from '../routing/dry-run/cases.js';
import type { CertificateFinding } from '../tls/finding.js';
import type { CheckOptions } from './args.js';
import { findingsJson, renderFindings } from './certificate-report.js';
import { fitted, writeReport } from './complaint.js';
import { count } from './error-text.js';
import type { Paint } from './paint.js';
import { DEFAULT_FILE, problemPaint, readConfig, StartSettingsError } from './start-settings.js';
import type { Terminal } from './terminal.js';

export interface Terminals {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
}

/** The result of checking a file. `config` is null when the file cannot be used. */
interface Findings {
  readonly file: string;
  readonly text: string;
  /** The texts of the files that it includes, by name. */
  readonly included: ReadonlyMap<string, string>;
  readonly config: Config | null;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly cases: readonly CaseResult[];
  /** What was found in files of certificates. */
  readonly certificates: readonly CertificateFinding[];
}

/** Checks a configuration file and runs its tests. Returns the exit code: 0 when everything is right, otherwise 1. */
export function check({ configFile, json }: CheckOptions, { stdout, stderr }: Terminals): number {
  let findings: Findings;
  try {
    findings = examine(configFile ?? DEFAULT_FILE);
  } catch (error) {
    if (!(error instanceof StartSettingsError)) throw error;
    writeReport(stderr, error.report);
    return 1;
  }
  stdout.write(
    json
      ? `${JSON.stringify(toJson(findings), null, 2)}\n`
      : fitted(render(findings, stdout.paint), stdout.columns),
  );
  return isFine(findings) ? 0 : 1;
}

function examine(file: string): Findings {
  const text = readConfig(file);
  const result = loadConfig(text, { file, needsRoute: true });
  const { included } = result;
  const nothing = { problems: [], warnings: [], cases: [], certificates: [] };
  if (!result.ok) return { file, text, included, config: null, ...nothing, problems: result.problems };
  const { config, warnings } = result;
  const certificates = examineCertificates(config).findings;
  return { file, text, included, config, problems: [], warnings, cases: runCases(config), certificates };
}

function isFine({ config, cases, certificates }: Findings): boolean {
  return config !== null && !cases.some(failed) && !certificates.some(isError);
}

function isError({ severity }: CertificateFinding): boolean {
  return severity === 'error';
}

function failed({ mismatches }: CaseResult): boolean {
  return mismatches.length > 0;
}

/** The failing tests of a configuration, ready to print; empty when all pass. */
export function renderFailures(config: Config, file: string, paint: Paint): string {
  const failures = runCases(config).filter(failed);
  return renderFirst(failures, MOST_SHOWN, (result) => `${renderCase(result, file, config, paint)}\n`);
}

function render(findings: Findings, paint: Paint): string {
  const { file, text, included, config, problems, warnings, cases, certificates } = findings;
  const options = { file, text, included, paint: problemPaint(paint), most: MOST_SHOWN };
  if (config === null) {
    const total = `${file}: ${count(problems.length, 'problem')}`;
    return `${renderProblems(problems, options)}\n${paint.red(total)}\n`;
  }
  const warned = renderFirst(
    warnings,
    MOST_SHOWN,
    (warning) => `${paint.yellow('warning:')} ${renderProblems([warning], options)}\n`,
  );
  const found = renderFindings(certificates, file, config.included, paint);
  const failures = cases.filter(failed);
  const shown = renderFirst(failures, MOST_SHOWN, (result) => `${renderCase(result, file, config, paint)}\n`);
  if (failures.length > 0) {
    const total = `${file}: ${failures.length} of ${count(cases.length, 'test')} failed`;
    return `${warned}${found}${shown}${paint.red(total)} ${paint.dim('(- expected, + what came)')}\n`;
  }
  const errors = certificates.filter(isError);
  if (errors.length > 0) {
    const total = `${file}: ${count(errors.length, 'problem')} with certificates`;
    return `${warned}${found}${paint.red(total)}\n`;
  }
  return `${warned}${found}${paint.green(`${file} is fine:`)} ${summary(config)}, ${testsPassed(cases)}\n`;
}

function summary(config: Config): string {
  const { hosts, routes, servers, sources } = sizes(config);
  const backups = backupsOf(config);
  const balanced = algorithmsOf(config).filter((name) => name !== 'round_robin');
  return [
    count(hosts, 'host'),
    count(routes, 'route'),
    ...(servers === 0 && sources > 0
      ? []
      : [count(servers, 'server') + (backups === 0 ? '' : ` (${backups} backup)`)]),
    ...(sources === 0 ? [] : [`${count(sources, 'source')} of servers (not asked)`]),
    ...(balanced.length === 0 ? [] : [algorithmsOf(config).join(' and ')]),
    ...listenersOf(config),
  ].join(', ');
}

/** `listening on 80 (redirects to https), 443 (https)`, where that says more than an address. */
function listenersOf({ listen }: Config): string[] {
  const described = listen.map((listener) => describeListener(listener));
  if (described.every((listener) => listenerRemarks(listener).length === 0)) return [];
  return [`listening on ${described.map(listenerText).join(', ')}`];
}

/** Every algorithm that is in use, in the order of the file. */
function algorithmsOf({ groups }: Config): string[] {
  return [...new Set(groups.map(({ algorithm }) => algorithm.name))];
}

function backupsOf({ groups }: Config): number {
  const backups = groups.flatMap(({ servers }) => servers.filter(({ backup }) => backup));
  return new Set(backups.map(({ address }) => addressKey(address))).size;
}

function testsPassed(cases: readonly CaseResult[]): string {
  return cases.length === 0 ? 'no tests' : `${count(cases.length, 'test')} passed`;
}

/** A server of several routes is counted once. */
function sizes(config: Config): { hosts: number; routes: number; servers: number; sources: number } {
  const addresses = config.groups.flatMap(({ servers }) => servers.map(({ address }) => addressKey(address)));
  return {
    hosts: config.hosts.reduce((sum, { names }) => sum + names.length, 0),
    routes: everyRoute(config).length,
    servers: new Set(addresses).size,
    sources: sourcesOf(config).size,
  };
}

function renderCase(
  { test, mismatches }: CaseResult,
  settings: string,
  { included }: Config,
  paint: Paint,
): string {
  const { file, line } = lineIn(test.line, settings, included);
  const from = test.clientIp === '127.0.0.1' ? '' : paint.dim(` from ${test.clientIp}`);
  const lines = mismatches.map(({ what, expected, actual }) => {
    const one = paint.red(`    - ${what}: ${escapeForScreen(expected)}`);
    return `${one}\n${paint.green(`    + ${what}: ${escapeForScreen(actual)}`)}\n`;
  });
  return `${paint.bold(`${file}:${line}`)}  ${escapeForScreen(test.request)}${from}\n${lines.join('')}`;
}

function toJson(findings: Findings): object {
  const { file, config, problems, warnings, cases, certificates } = findings;
  return {
    file,
    ok: isFine(findings),
    problems,
    warnings,
    certificates: findingsJson(certificates, config?.included ?? []),
    ...(config === null
      ? {}
      : { ...sizes(config), backups: backupsOf(config), algorithms: algorithmsOf(config) }),
    tests: cases.map(({ test, mismatches }) => ({
      ...(config === null ? { line: test.line } : placeJson(test.line, config.included)),
      request: test.request,
      passed: mismatches.length === 0,
      mismatches,
    })),
  };
}
