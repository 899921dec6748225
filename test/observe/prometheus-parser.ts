import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';

/** Name, type and samples, each with its name, labels and value. */
export type ParsedFamily = readonly [
  name: string,
  type: string,
  samples: readonly (readonly [name: string, labels: { readonly [label: string]: string }, value: number])[],
];

/** Of each text; throws where one is not as it has to be. */
export type Parse = (texts: readonly string[]) => readonly (readonly ParsedFamily[])[];

// A parser that was written elsewhere, by those who defined the format.
const PARSE = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
def read(text):
    return [[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in text_string_to_metric_families(text)]
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`;

const MISSING = 'no python3 with prometheus_client (Debian: python3-prometheus-client)';

/**
 * Runs a test that needs Prometheus' own parser. Without it the test is skipped, and it is said why; with
 * LB_REQUIRE_PROMETHEUS=1 that is a failure.
 */
export async function withPrometheus(
  t: Test,
  name: string,
  test: (t: Test, parse: Parse) => Promise<void>,
): Promise<void> {
  const python = ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import prometheus_client.parser']).status === 0,
  );
  await t.test(name, { skip: python === undefined && !isRequired() && MISSING }, async (t) => {
    if (python === undefined) t.fail(MISSING);
    else await test(t, (texts) => parseWith(python, texts));
  });
}

const NO_PROMTOOL = 'no promtool (Debian: prometheus)';

/** What `promtool check metrics` says of a text, a line each; `skip` is why it cannot be asked. */
export function askPromtool(text: string): { readonly complaints: readonly string[]; readonly skip: string } {
  const { error, status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  if (error === undefined) {
    const said = stderr.split('\n').filter((line) => line !== '');
    return { complaints: status === 0 || said.length > 0 ? said : [`it ended with ${status}`], skip: '' };
  }
  return { complaints: isRequired() ? [NO_PROMTOOL] : [], skip: isRequired() ? '' : NO_PROMTOOL };
}

function isRequired(): boolean {
  return (process.env.LB_REQUIRE_PROMETHEUS ?? '') !== '';
}

function parseWith(python: string, texts: readonly string[]): ReturnType<Parse> {
  const input = JSON.stringify(texts);
  const { status, stdout, stderr } = spawnSync(python, ['-c', PARSE], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as ReturnType<Parse>;
}
