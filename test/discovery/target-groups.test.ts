import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseTargetGroups } from '../../lib/discovery/target-groups.js';

const NOTHING = { name: null, weight: null, backup: null, maxConnections: null, host: null, origin: 'here' };

t.test('targets and labels are read from JSON and YAML alike', async (t) => {
  const expected = [
    { ...NOTHING, address: '10.0.0.7:8080', weight: 3 },
    { ...NOTHING, address: '[2001:db8::7]:8080', weight: 3 },
    { ...NOTHING, address: 'app.internal:80', name: 'spare', backup: true, maxConnections: 20 },
  ];
  const groups = [
    { targets: ['10.0.0.7:8080', '[2001:db8::7]:8080'], labels: { env: 'prod', __lb_weight: '3' } },
    {
      targets: ['app.internal:80'],
      labels: { __lb_name: 'spare', __lb_backup: 'true', __lb_max_connections: '20' },
    },
  ];
  t.same(parseTargetGroups(JSON.stringify(groups), 'json', 'here'), expected);
  const yaml = [
    '- targets: [10.0.0.7:8080, "[2001:db8::7]:8080"]',
    '  labels: { env: prod, __lb_weight: 3 }',
    '- targets:',
    '    - app.internal:80',
    '  labels: { __lb_name: spare, __lb_backup: true, __lb_max_connections: 20 }',
  ].join('\n');
  t.same(parseTargetGroups(yaml, 'yaml', 'here'), expected);
  t.same(parseTargetGroups('[]', 'json', 'here'), []);
});

t.test('problems of a list are reported with line and column', async (t) => {
  const problems: [format: 'json' | 'yaml', text: string, expected: RegExp][] = [
    ['json', '[{"targets": ["10.0.0.7:8080"', /^line 1, column 30: not JSON/],
    ['json', '', /^line 1, column 1: the file is empty/],
    ['json', '[\n {"targets": oops}]', /^line 2, column 14: not JSON/],
    ['json', '{}', /^line 1, column 1: expected a list of .*, got a map/],
    ['json', '[\n  {"labels": {}}\n]', /^line 2, .*\[0\].targets: expected a list of addresses/],
    ['json', '[{"targets": ["10.0.0.7"]}]', /^line 1, column 15, \[0\].targets\[0\]: expected host:port/],
    ['json', '[{"targets": ["http://a/metrics"]}]', /expected host:port/],
    ['json', '[{"targets": [":80"]}]', /expected host:port/],
    ['json', '[{"targets": [80]}]', /expected host:port, got 80/],
    ['yaml', '- targets: [a:80]\n  labels: { __lb_weight: 300 }', /^line 2, column 26, .*0 to 256/],
    ['yaml', '- targets: [a:80]\n  labels: { __lb_wieght: 3 }', /unknown label: expected one of __lb_weight/],
    ['yaml', '- targets: [a:80, b:80]\n  labels: { __lb_name: a }', /one name for several targets/],
    ['yaml', '- targets: [a:80]\n  labels: { __lb_name: "a:b" }', /without a colon/],
    ['yaml', '- targets: [a:80]\n  labels: { __lb_backup: sometimes }', /true or false/],
    ['yaml', `- targets: ["$\{HOME}:80"]`, /HOME/],
    ['yaml', '- targets: [a:80', /^line 1, column \d+/],
  ];
  for (const [format, text, expected] of problems)
    t.throws(() => parseTargetGroups(text, format, 'here'), { message: expected }, text);
});

t.test('the list of the documentation is one', async (t) => {
  const [, list = ''] = /```json\n(.*?)```/s.exec(readFileSync('docs/discovery.md', 'utf8')) ?? [];
  t.match(parseTargetGroups(list, 'json', ''), [
    { address: '10.0.0.7:8080', weight: 3 },
    { address: '10.0.0.8:8080', weight: 3 },
    { address: '10.0.0.9:8080', name: 'spare', backup: true },
  ]);
});

t.test('labels that are named as what every object has are unknown, and values must be texts', async (t) => {
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
    const text = `[{"targets": ["a:80"], "labels": {"__lb_${name}": "1"}}]`;
    t.throws(() => parseTargetGroups(text, 'json', 'here'), { message: /unknown label/ }, name);
  }
  for (const value of ['{"toString": 1, "valueOf": 1}', '["3"]', 'null']) {
    const text = `[{"targets": ["a:80"], "labels": {"__lb_weight": ${value}}}]`;
    t.throws(() => parseTargetGroups(text, 'json', 'here'), { message: /expected a text, got/ }, value);
  }
});

t.test('a problem in a long list is reported without reading the list again', async (t) => {
  const long = Array.from({ length: 9000 }, () => ({ targets: ['10.0.0.1:80'], labels: { env: 'prod' } }));
  const text = JSON.stringify([...long, { targets: ['a'] }]);
  t.throws(() => parseTargetGroups(text, 'json', 'here'), {
    message: /^\[9000\]\.targets\[0\]: expected host:port/,
  });
});
