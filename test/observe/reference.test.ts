import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { FAILURES } from '../../lib/base/failure.js';
import { createConfig } from '../../lib/config/config.js';
import { schema } from '../../lib/config/schema.js';
import { Exposition } from '../../lib/observe/exposition.js';

const FILE = new URL('../../../lib/observe/reference.md', import.meta.url);

/** The rows of the table in a section, without its head. */
function rowsOf(text: string, section: string): string[] {
  const [, body = ''] = text.split(`\n## ${section}\n`);
  return (body.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
}

/** Compares a table with what it should be; with UPDATE_GOLDEN set, it is written and is right. */
function table(section: string, rows: readonly string[]): string[] {
  const text = readFileSync(FILE, 'utf8');
  if (!process.env.UPDATE_GOLDEN) return rowsOf(text, section);
  const start = text.indexOf('|---|', text.indexOf(`\n## ${section}\n`));
  const head = text.indexOf('\n', start) + 1;
  const [, rest = ''] = /^(?:\|.*\n)*([\s\S]*)$/.exec(text.slice(head)) ?? [];
  writeFileSync(FILE, `${text.slice(0, head)}${rows.map((row) => `${row}\n`).join('')}${rest}`);
  return [...rows];
}

t.test('every reason is documented as the code has it', async (t) => {
  const rows = Object.entries(FAILURES).map(
    ([reason, { fault, meaning, remedy }]) => `| \`${reason}\` | ${fault} | ${meaning} | ${remedy} |`,
  );
  t.same(table('Reasons', rows), rows);
});

t.test('every metric is documented as it is exposed', async (t) => {
  const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', servers: ['127.0.0.1:5001'] }));
  t.teardown(() => balancer.stop());
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  t.teardown(() => exposition.close());
  const text = await exposition.text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(
    ([, name, help]) => `| \`${name}\` | ${types.get(name)} | ${help} |`,
  );
  t.same(table('Metrics', rows), rows);
});

t.test('every field of the log is documented', async (t) => {
  const documented = rowsOf(readFileSync(FILE, 'utf8'), 'The access log').map(
    (row) => /`(\w+)`/.exec(row)?.[1],
  );
  t.same(documented, schema.definitions.accessLogField?.enum);
});
