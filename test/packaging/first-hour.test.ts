import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { VERSION } from '../../lib/base/version.js';
import { blocksOf, commandsOf, sectionOf } from '../docs/markdown.js';
import { lacking } from './command.js';
import { Hour, NEXT_VERSION } from './hour.js';

/**
 * What somebody does who has never seen lb, with nothing but the package and the pages of `docs/`: every command and every
 * settings file below is taken from a page, by the heading that one would look for.
 */
t.setTimeout(240_000);

t.test(
  'by the documentation alone: install, balance, a header rule, a canary, an alert, an upgrade',
  { skip: lacking([['promtool', 'prometheus']]) },
  async (t) => {
    const hour = await Hour.begin(t);
    await t.test('install the package and balance two servers', (t) => install(t, hour));
    await t.test('a header rule', (t) => headers(t, hour));
    await t.test('a canary', (t) => canary(t, hour));
    await t.test('an alert', (t) => alert(t, hour));
    await t.test('an upgrade', (t) => upgrade(t, hour));
  },
);

/** The answers to `count` requests, none of which has a cookie. */
function ask(hour: Hour, count: number): Promise<string> {
  return hour.type(`curl -s 'http://localhost:8080/?[1-${count}]'`);
}

async function install(t: Test, hour: Hour): Promise<void> {
  const commands = commandsOf(sectionOf('docs/operations.md', 'Install'));
  t.ok(commands.some((command) => command.startsWith('npm install')));
  for (const command of commands) {
    const output = await hour.type(command.replace('./lb-http-0.1.0.tgz', hour.packages.first));
    if (command.includes(' init ')) t.match(output, 'loadbalancer.yaml is written: 2 servers');
    if (command.endsWith(' check')) t.match(output, 'loadbalancer.yaml is fine: 0 hosts, 1 route, 2 servers');
    if (command.includes('lb.pid'))
      await hour.see('curl -s localhost:8080/', (output) => output.startsWith('Hello'));
    if (command.endsWith(' status')) t.match(output, hour.here('localhost:5002'));
  }
  t.same((await ask(hour, 2)).trim().split('\n').sort(), ['Hello from one', 'Hello from two']);
}

async function headers(t: Test, hour: Hour): Promise<void> {
  await hour.settings(t, 'docs/recipes.md', 'Headers');
  const answer = await hour.type("curl -s -i -H 'X-Debug: 1' localhost:8080/echo");
  t.match(answer, /^X-Served-By: localhost:\d+\r?$/im);
  t.match(answer, /"X-Client",\s+"127\.0\.0\.1"/);
  t.match(answer, /"X-Site",\s+"shop"/);
  t.notMatch(answer, 'X-Debug');
}

async function canary(t: Test, hour: Hour): Promise<void> {
  await hour.settings(t, 'docs/recipes.md', 'A canary by weight');
  const met = async (): Promise<number> => (await ask(hour, 100)).match(/from two/g)?.length ?? 0;
  const few = await met();
  t.ok(few >= 3 && few <= 8, `${few} of 100 requests met the canary`);
  const { text } = sectionOf('docs/recipes.md', 'A canary by weight');
  const [more = '', none = ''] = [...text.matchAll(/`(lb weight [^`]*)`/g)].map(([, command]) => command);
  await hour.type(`node_modules/.bin/${more}`);
  const several = await met();
  t.ok(several >= 14 && several <= 22, `${several} of 100 after ${more}`);
  await hour.type(`node_modules/.bin/${none}`);
  t.equal(await met(), 0, none);
}

async function alert(t: Test, hour: Hour): Promise<void> {
  const section = sectionOf('docs/operations.md', 'An alert of your own');
  const [rules] = blocksOf(section).filter(({ program }) => program === 'prometheus');
  writeFileSync(join(hour.cwd, 'canary.yml'), rules?.text ?? '');
  const [check = ''] = commandsOf(section);
  t.match(await hour.type(check, (output) => /SUCCESS|FAILED/.test(output)), 'SUCCESS: 1 rules found');
  const metrics = await hour.type('curl -s localhost:9090/metrics', (output) => output.includes('lb_ready'));
  t.match(metrics, /^lb_server_responses_total\{.*server="canary".*\} [1-9]/m, 'what it asks for is there');
  writeFileSync(join(hour.cwd, 'fires.yml'), FIRES);
  t.match(
    await hour.type('promtool test rules fires.yml', (output) => /SUCCESS|FAILED/.test(output)),
    'SUCCESS',
  );
}

/** Five errors in a hundred answers of the canary, for a quarter of an hour. */
const FIRES = `rule_files: [canary.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'lb_server_responses_total{server="canary",code="2xx"}', values: "0+95x15" }
      - { series: 'lb_server_responses_total{server="canary",code="5xx"}', values: "0+5x15" }
      - { series: 'lb_server_responses_total{server="stable",code="5xx"}', values: "0+50x15" }
    alert_rule_test:
      - eval_time: 15m
        alertname: CanaryErrors
        exp_alerts:
          - exp_labels: { severity: critical, server: canary }
            exp_annotations:
              summary: "canary answers with 5% errors"
              description: "lb weight canary 0 sends everything to the others."
`;

async function upgrade(t: Test, hour: Hour): Promise<void> {
  const old = readFileSync(join(hour.cwd, 'lb.pid'), 'utf8').trim();
  for (const command of commandsOf(sectionOf('docs/operations.md', 'Upgrades'))) {
    const output = await hour.type(command.replace('./lb-http-NEW.tgz', hour.packages.next));
    if (command.endsWith(' check')) t.match(output, 'loadbalancer.yaml is fine');
    if (command.startsWith('kill')) t.match(await hour.type(`wait ${old}; echo "exit $?"`), /^exit 0$/m);
  }
  await hour.see('curl -s localhost:8080/', (output) => output.startsWith('Hello'));
  t.match(await hour.type('node_modules/.bin/lb --version'), `lb ${NEXT_VERSION}\n`);
  t.match(await hour.type('node_modules/.bin/lb status'), 'canary', 'with the settings as they were');
  t.match(await hour.type('cat lb.log'), `lb ${VERSION}`);
  t.match(await hour.type('cat lb.log'), `lb ${NEXT_VERSION}`);
  const now = readFileSync(join(hour.cwd, 'lb.pid'), 'utf8').trim();
  t.match(await hour.type(`kill ${now}; wait ${now}; echo "exit $?"`), /^exit 0$/m);
  t.not(now, old);
}
