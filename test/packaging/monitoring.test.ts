import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../docs/markdown.js';
import { startTroubledSite } from '../observe/troubled-site.js';

const ALERTS = join(ROOT, 'packaging/prometheus/alerts.yml');
const DASHBOARD = join(ROOT, 'packaging/grafana/dashboard.json');

const isRequired = (process.env.LB_REQUIRE_PROMETHEUS ?? '') !== '';
const promtool = spawnSync('promtool', ['--version']).error === undefined;

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

/** The expressions of the dashboard, as Prometheus would get them. */
function dashboardQueries(): readonly string[] {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: readonly Panel[] };
  return panels.flatMap(({ targets }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')),
  );
}

function alertQueries(): readonly string[] {
  const text = readFileSync(ALERTS, 'utf8');
  return [...text.matchAll(/expr: (?:\|\n((?: {10}.*\n)+)|(.*))/g)].map(
    ([, block, line]) => block ?? line ?? '',
  );
}

t.test(
  'promtool accepts the alert rules and every query of the dashboard',
  { skip: !promtool && !isRequired && 'no promtool (Debian: prometheus)' },
  async (t) => {
    const rules = spawnSync('promtool', ['check', 'rules', ALERTS], { encoding: 'utf8' });
    t.equal(rules.status, 0, rules.stdout + rules.stderr);
    const groups = dashboardQueries().map(
      (expr, index) => `      - { record: "lb:panel${index}", expr: ${JSON.stringify(expr)} }`,
    );
    const file = join(
      t.testdir({ 'queries.yml': `groups:\n  - name: dashboard\n    rules:\n${groups.join('\n')}\n` }),
      'queries.yml',
    );
    const queries = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    t.equal(queries.status, 0, queries.stdout + queries.stderr);
  },
);

t.test('every metric and label of alerts and dashboard is on a live /metrics', async (t) => {
  const site = await startTroubledSite(t);
  await site.get('a');
  await site.get('broken');
  await site.get('a', '/fixed');
  const { text: body } = await site.ask('/metrics');
  const queries = [...dashboardQueries(), ...alertQueries()];
  t.ok(queries.length > 25);
  for (const query of queries) {
    for (const [, name = '', matchers = ''] of query.matchAll(
      /\b((?:lb|process|nodejs)_\w+)(?:\{([^}]*)\})?/g,
    )) {
      const sample = body
        .split('\n')
        .find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      const family = body.includes(`# TYPE ${name.replace(/_bucket$/, '')} `);
      t.ok(family, `${name}: ${query}`);
      for (const [, label = ''] of matchers.matchAll(/(\w+)=~?"/g))
        if (label !== 'instance' && sample !== undefined) t.match(sample, `${label}="`, query);
    }
  }
  for (const query of queries) {
    const [, name = ''] = /\b(lb_\w+)/.exec(query) ?? [];
    const sample = body.split('\n').find((line) => line.startsWith(`${name}{`));
    for (const [, labels = ''] of query.matchAll(/by \(([^)]*)\)/g))
      for (const label of labels.split(', '))
        if (label !== 'instance' && label !== 'le' && sample !== undefined)
          t.match(sample, `${label}="`, query);
  }
});
