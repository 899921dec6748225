import { WorkBudget } from '../../base/work-budget.js';
import { compileValue, type ValuePattern } from '../../config/pattern.js';
import { regexText } from '../../config/regex.js';
import type { Config, ExpectConfig, TestConfig } from '../../config/types.js';
import { readUtf8 } from '../../http/percent.js';
import { matchesAny } from '../../rules/pattern.js';
import { DryRun } from './dry-run.js';
import type { DryRunOutcome } from './outcome.js';
import { requestBytes } from './request-text.js';

/** An expectation that was not met, in words. */
export interface Mismatch {
  /** The setting under `expect`: `path`, `header.X-A`. */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

/** A case of `tests:` and its result; it has passed if there are no mismatches. */
export interface CaseResult {
  readonly test: TestConfig;
  readonly mismatches: readonly Mismatch[];
}

/** Runs the `tests:` of a configuration; nothing is sent. */
export function runCases(config: Config): CaseResult[] {
  if (config.tests.length === 0) return [];
  const dryRun = new DryRun(config);
  return config.tests.map((test) => ({
    test,
    mismatches: compare(test.expect, dryRun.send(requestBytes(test), test.clientIp, test.scheme)),
  }));
}

/** The outcome of a request, in a few words. */
function describeOutcome(outcome: DryRunOutcome): string {
  switch (outcome.kind) {
    case 'forwarded':
      return `forwarded to ${outcome.servers.map(({ name }) => name).join(', ')}`;
    case 'replied':
      return outcome.location === null
        ? `answered with ${outcome.status} by its route`
        : `redirected with ${outcome.status} to ${readUtf8(outcome.location)}`;
    case 'readiness':
      return 'answered by readiness_path';
    case 'refused':
      if (outcome.atAccept) return `closed at accept without an answer, ${outcome.detail}`;
      return `refused with ${outcome.status}, ${outcome.detail || outcome.reason}`;
  }
}

function compare(expect: ExpectConfig, outcome: DryRunOutcome): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const other = describeOutcome(outcome);
  const equal = (what: string, expected: string | null, actual: string | null): void => {
    if (expected !== null && expected !== actual)
      mismatches.push({ what, expected, actual: actual ?? other });
  };
  const sent = outcome.kind === 'forwarded' ? readSent(outcome.head) : null;
  equal('route', expect.route, outcome.route?.name ?? null);
  const closed = outcome.kind === 'refused' && outcome.atAccept;
  const answered = outcome.kind !== 'forwarded' && !closed;
  equal('closed', text(expect.closed), closed === expect.closed ? text(closed) : null);
  equal('status', text(expect.status), answered ? text(outcome.status) : null);
  equal('path', expect.path, sent?.path ?? null);
  equal('query', expect.query, sent?.query ?? null);
  const location = outcome.kind === 'replied' ? outcome.location : null;
  equal('location', expect.location, location === null ? null : readUtf8(location));
  for (const { name, value } of expect.headers) {
    const values = sent?.fields.get(name) ?? [];
    if (matchesAny(compileValue(value), values, new WorkBudget())) continue;
    const actual = sent === null ? other : values.length === 0 ? 'no such field' : values.join(', ');
    mismatches.push({ what: `header.${name}`, expected: patternText(value), actual });
  }
  for (const name of expect.noHeaders) {
    const values = sent?.fields.get(name);
    if (values === undefined) continue;
    mismatches.push({ what: `no_header ${name}`, expected: 'no such field', actual: values.join(', ') });
  }
  return mismatches;
}

interface Sent {
  readonly path: string;
  readonly query: string;
  /** By name, in lower case. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

function readSent(head: string): Sent {
  const [line = '', ...lines] = readUtf8(head).split('\r\n');
  const target = line.split(' ')[1] ?? '';
  const mark = target.indexOf('?');
  const fields = new Map<string, string[]>();
  for (const field of lines) {
    const colon = field.indexOf(':');
    if (colon === -1) continue;
    const name = field.slice(0, colon).toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), field.slice(colon + 1).trim()]);
  }
  return {
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark + 1),
    fields,
  };
}

function text(value: number | boolean | null): string | null {
  return value === null ? null : String(value);
}

function patternText(pattern: ValuePattern): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.text;
    case 'regex':
      // As written in the file: loading adds other flags.
      return regexText(pattern.regex);
    case 'present':
      return 'any value';
  }
}
