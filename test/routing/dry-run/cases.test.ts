import { readFileSync } from 'node:fs';
import t from 'tap';
import { createConfig, loadConfig } from '../../../lib/config/config.js';
import { type Mismatch, runCases } from '../../../lib/routing/dry-run/cases.js';

type Settings = NonNullable<Parameters<typeof createConfig>[0]>;
type Case = NonNullable<Settings['tests']>[number];

const HOSTS: NonNullable<Settings['hosts']> = [
  {
    host: 'www.mango.com',
    servers: ['a.test:1'],
    rewrite_rules: { replace: { v1: 'v2' } },
    header_rules: { add: { 'X-A': 'Test' } },
    firewall_rules: { path_reject: ['/messages'], ip_reject: ['10.192.0.1'] },
  },
  { host: 'old.mango.com', redirect: { to: 'http://www.mango.com{path}', status: 301 } },
];

function mismatches(test: Case): readonly Mismatch[] {
  const [result] = runCases(createConfig({ hosts: HOSTS, tests: [test] }));
  return result?.mismatches ?? [{ what: 'no result', expected: '', actual: '' }];
}

t.test('test cases that are met have no mismatches', async (t) => {
  const cases: Case[] = [
    {
      request: 'GET http://www.mango.com/v1?a=1',
      expect: { path: '/v2', query: 'a=1', route: 'www.mango.com' },
    },
    {
      request: 'GET http://www.mango.com/',
      expect: { header: { 'X-A': '/^T/', Host: '*' }, no_header: ['X-B'] },
    },
    { request: 'GET http://www.mango.com/messages', expect: { status: 403, route: 'www.mango.com' } },
    { request: 'GET http://www.mango.com/', ip: '10.192.0.1', expect: { status: 403 } },
    { request: 'GET http://nowhere.test/', expect: { status: 404 } },
    { request: 'GET http://old.mango.com/a', expect: { status: 301, location: 'http://www.mango.com/a' } },
    { request: 'GET http://www.mango.com/', headers: { 'X-B': 'ü' }, expect: { header: { 'X-B': 'ü' } } },
  ];
  for (const test of cases) t.same(mismatches(test), [], test.request);
});

t.test('an address that is refused before routing is not answered: its connection is closed', async (t) => {
  const run = (expect: Case['expect'], ip = '203.0.113.9') => {
    const request = 'GET http://www.mango.com/';
    const settings = { firewall_rules: { ip_reject: ['203.0.113.0/24'] }, tests: [{ request, ip, expect }] };
    return runCases(createConfig({ hosts: HOSTS, ...settings }))[0]?.mismatches;
  };
  t.same(run({ closed: true }), []);
  t.same(run({ closed: false }, '198.51.100.1'), []);
  const actual = 'closed at accept without an answer, firewall_rules: ip_reject';
  t.same(run({ status: 403 }), [{ what: 'status', expected: '403', actual }]);
  t.same(run({ closed: false }), [{ what: 'closed', expected: 'false', actual }]);
  t.same(run({ closed: true }, '198.51.100.1'), [
    { what: 'closed', expected: 'true', actual: 'forwarded to a.test:1' },
  ]);
  // In the firewall of a host the refusal is a response.
  t.same(run({ closed: true }, '10.192.0.1'), [
    {
      what: 'closed',
      expected: 'true',
      actual: 'refused with 403, firewall_rules of www.mango.com: ip_reject',
    },
  ]);
});

t.test('non-ASCII text in a test of the file is sent as UTF-8', async (t) => {
  const text = readFileSync(
    new URL('../../../../fixtures/config/good/beyond-ascii.yaml', import.meta.url),
    'utf8',
  );
  const result = loadConfig(text);
  t.ok(result.ok);
  if (result.ok)
    t.same(
      runCases(result.config).map(({ mismatches }) => mismatches),
      [[], []],
    );
});

t.test('a test case that fails shows what was expected and what happened', async (t) => {
  t.same(mismatches({ request: 'GET http://www.mango.com/v1', expect: { path: '/v1', query: 'a=1' } }), [
    { what: 'path', expected: '/v1', actual: '/v2' },
    { what: 'query', expected: 'a=1', actual: '' },
  ]);
  t.same(
    mismatches({ request: 'GET http://www.mango.com/', expect: { status: 404, route: 'old.mango.com' } }),
    [
      { what: 'route', expected: 'old.mango.com', actual: 'www.mango.com' },
      { what: 'status', expected: '404', actual: 'forwarded to a.test:1' },
    ],
  );
  t.same(
    mismatches({
      request: 'GET http://www.mango.com/',
      headers: { 'X-B': '1' },
      expect: { header: { 'X-A': '/^x/', 'X-C': '*' }, no_header: ['X-B'] },
    }),
    [
      { what: 'header.x-a', expected: '/^x/', actual: 'Test' },
      { what: 'header.x-c', expected: 'any value', actual: 'no such field' },
      { what: 'no_header x-b', expected: 'no such field', actual: '1' },
    ],
  );
  t.same(mismatches({ request: 'GET http://www.mango.com/messages', expect: { path: '/messages' } }), [
    {
      what: 'path',
      expected: '/messages',
      actual: 'refused with 403, firewall_rules of www.mango.com: path_reject',
    },
  ]);
  t.same(mismatches({ request: 'GET http://nowhere.test/', expect: { route: 'www.mango.com' } }), [
    { what: 'route', expected: 'www.mango.com', actual: 'refused with 404, no_route' },
  ]);
});
