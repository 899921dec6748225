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

/** Series of an hour, and the alerts that they raise. */
const RAISED: readonly {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  readonly labels: string;
}[] = [
  {
    alert: 'LbRequestsHeld',
    series: { 'lb_route_requests_waiting{instance="a",route="shop"}': '3x60' },
    labels: 'route="shop"',
  },
  {
    alert: 'LbHoldInVain',
    series: { 'lb_route_hold_failures_total{instance="a",route="shop",result="refused"}': '0+1x60' },
    labels: 'route="shop", result="refused"',
  },
  {
    alert: 'LbSourceFails',
    series: { 'lb_provider_up{instance="a",source="dns"}': '0x60' },
    labels: 'source="dns"',
  },
  { alert: 'LbSharedLost', series: { 'lb_shared_up{instance="a"}': '0x60' }, labels: '' },
  {
    alert: 'LbSpansDropped',
    series: { 'lb_otlp_spans_total{instance="a",result="dropped"}': '0+10x60' },
    labels: 'result="dropped"',
  },
  {
    alert: 'LbExportFails',
    series: {
      'lb_otlp_requests_total{instance="a",signal="traces",result="failure"}': '0+1x60',
      'lb_otlp_requests_total{instance="a",signal="traces",result="success"}': '7x60',
    },
    labels: 'signal="traces"',
  },
];

/** Series of an hour in which all is well: they raise none of these alerts. */
const CALM = {
  'lb_route_requests_waiting{instance="a",route="shop"}': '0x60',
  'lb_route_hold_failures_total{instance="a",route="shop",result="refused"}': '9x60',
  'lb_provider_up{instance="a",source="dns"}': '1x60',
  'lb_shared_up{instance="a"}': '1x60',
  'lb_shared_nodes{instance="a"}': '3x60',
  'lb_shared_nodes{instance="b"}': '3x60',
  'lb_otlp_spans_total{instance="a",result="dropped"}': '9x60',
  'lb_otlp_spans_total{instance="a",result="sent"}': '0+9x60',
  'lb_otlp_requests_total{instance="a",signal="traces",result="failure"}': '0+1x60',
  'lb_otlp_requests_total{instance="a",signal="traces",result="success"}': '0+1x60',
};

function inputs(series: Readonly<Record<string, string>>): string {
  const lines = Object.entries(series).map(
    ([name, values]) => `      - { series: '${name}', values: '${values}' }`,
  );
  return `  - interval: 1m\n    input_series:\n${lines.join('\n')}\n    promql_expr_test:\n`;
}

function firing(alert: string, samples: readonly string[]): string {
  const expr = `count by (route, result, source, signal) (ALERTS{alertname="${alert}",alertstate="firing"})`;
  const list = samples.map((labels) => `{ labels: '{${labels}}', value: 1 }`).join(', ');
  return `      - { expr: '${expr}', eval_time: 50m, exp_samples: [${list}] }\n`;
}

t.test(
  'held requests, sources, Redis and collectors raise their alerts, and nothing does when all is well',
  { skip: !promtool && !isRequired && 'no promtool (Debian: prometheus)' },
  async (t) => {
    const groups = RAISED.map(({ alert, series, labels }) => inputs(series) + firing(alert, [labels]));
    const disagree = { 'lb_shared_nodes{instance="a"}': '3x60', 'lb_shared_nodes{instance="b"}': '2x60' };
    groups.push(inputs(disagree) + firing('LbNodesDisagree', ['']));
    groups.push(
      inputs(CALM) + [...RAISED, { alert: 'LbNodesDisagree' }].map(({ alert }) => firing(alert, [])).join(''),
    );
    const text = `rule_files: [${JSON.stringify(ALERTS)}]\nevaluation_interval: 1m\ntests:\n${groups.join('')}`;
    const file = join(t.testdir({ 'alerts-test.yml': text }), 'alerts-test.yml');
    const result = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    t.equal(result.status, 0, result.stdout + result.stderr);
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
