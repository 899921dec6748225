import t from 'tap';
import type { RewriteRulesSettings } from '../../lib/config/settings.js';
import type { RulesConfig } from '../../lib/config/types.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { viewOf } from '../http/heads.js';
import { routeOf, send, targetSent, valuesSent } from './routes.js';

function rewritten(target: string, rules: RewriteRulesSettings, ...fields: string[]): string {
  return targetSent(viewOf(target, fields), { rewrite_rules: rules });
}

t.test('a prefix is stripped by whole segments, however they are spelt', async (t) => {
  const cases: [target: string, sent: string][] = [
    ['/api', '/'],
    ['/api/', '/'],
    ['/api?a=1', '/?a=1'],
    ['/api/a%2Fb/%7E?x', '/a%2Fb/%7E?x'],
    ['/apis/a', '/apis/a'],
    ['/%61pi/a', '/a'],
    ['//api/a', '/a'],
    ['/./api/./a', '/a'],
    ['/x/../api/a', '/a'],
    ['/api/../api/a', '/a'],
    ['/api%2Fa', '/a'],
    ['/api//evil.test/a', '/evil.test/a'],
    ['/api%2F%2Fevil.test', '/evil.test'],
    ['/api/\\evil.test/a', '/evil.test/a'],
    ['/api/%5C%2fevil.test/a', '/evil.test/a'],
    ['/api/a\\b', '/a\\b'],
  ];
  for (const [target, sent] of cases) t.equal(rewritten(target, { strip_prefix: '/api' }), sent, target);
  t.equal(rewritten('/api/v1/a', { strip_prefix: '/api/v1' }), '/a');
  t.equal(rewritten('/api/a', { strip_prefix: '/api/v1' }), '/api/a');
});

t.test('X-Forwarded-Prefix is the stripped prefix, after that of a trusted peer', async (t) => {
  const rules = new RouteRules(routeOf({ rewrite_rules: { strip_prefix: '/caf\xe9' } }).rules);
  const view = viewOf('/caf%C3%A9/a', ['X-Forwarded-Prefix: /outer/']);
  const prefix = (sent: ReturnType<typeof send>) => valuesSent(sent, 'x-forwarded-prefix');
  t.same(prefix(send(view, rules)), ['/caf%C3%A9']);
  t.same(prefix(send(view, rules, { trustsPeer: true })), ['/outer/caf%C3%A9']);
  t.same(prefix(send(viewOf('/tea'), rules)), []);
});

t.test('segments are replaced wherever they stand in a row', async (t) => {
  const cases: [target: string, sent: string][] = [
    ['/v1', '/v2'],
    ['/v1/a?v1=v1', '/v2/a?v1=v1'],
    ['/a/v1/v1/', '/a/v2/v2/'],
    ['/v10/av1', '/v10/av1'],
    ['/%761/%2F', '/v2/%2F'],
    ['/a%2Fv1', '/a%2Fv2'],
    ['/a//v1', '/a//v2'],
  ];
  for (const [target, sent] of cases) t.equal(rewritten(target, { replace: { v1: 'v2' } }), sent, target);
  t.equal(rewritten('/x/a/b/c', { replace: { 'a/b': 'd/e/f' } }), '/x/d/e/f/c');
  t.equal(rewritten('/a/b/a', { replace: { 'a/b': 'd' } }), '/d/a');
  t.equal(rewritten('/v1/a/v1', { replace: { v1: '' } }), '/a/');
});

t.test('a regular expression is replaced in the path as it came', async (t) => {
  const rules = { replace: { '/^\\/old\\/(.*?)(-x)?$/': '/new/$1$2' } };
  t.equal(rewritten('/old/a%20b/c?q', rules), '/new/a%20b/c?q');
  t.equal(rewritten('/old/a-x', rules), '/new/a-x');
  t.equal(rewritten('/older', rules), '/older');
  t.equal(rewritten('/a/b', { replace: { '/a/': '//evil.test' } }), '/evil.test/b');
  for (const slashes of ['//', '/\\', '/%5c', '%2F%2f'])
    t.equal(
      rewritten(`/old${slashes}evil.test`, { replace: { '/^\\/old(.*)/': '$1' } }),
      '/evil.test',
      slashes,
    );
});

t.test('a path without anything to change is sent as it came, dot segments too', async (t) => {
  t.equal(rewritten('/a/./b//%7e', { strip_prefix: '/api', replace: { v1: 'v2' } }), '/a/./b//%7e');
});

t.test('rules are applied in order', async (t) => {
  const rules = { strip_prefix: '/api', replace: { v1: 'v2' }, add_prefix: '/internal' };
  t.equal(rewritten('/api/v1/a', rules), '/internal/v2/a');
  t.equal(rewritten('/', { add_prefix: '/internal/' }), '/internal/');
});

t.test('a value of the request becomes one segment', async (t) => {
  const rules = { add_prefix: '/t/{header.X-Tenant}' };
  t.equal(rewritten('/a', rules, 'X-Tenant: acme'), '/t/acme/a');
  t.equal(rewritten('/a', rules, 'X-Tenant: a/b c?\xe9%'), '/t/a%2Fb%20c%3F%E9%25/a');
  t.equal(targetSent(viewOf('/a'), { rewrite_rules: { add_prefix: '/{method}{path}' } }), '/GET/a/a');
});

t.test('a value that would lead out of its place is not sent', async (t) => {
  const rules = { add_prefix: '/t/{header.X-Tenant}' };
  for (const tenant of ['..', '.', '../..', '%2e%2e', '../etc']) {
    if (tenant === '%2e%2e') t.equal(rewritten('/a', rules, `X-Tenant: ${tenant}`), '/t/%252e%252e/a');
    else t.throws(() => rewritten('/a', rules, `X-Tenant: ${tenant}`), /rewrite rule made a path/, tenant);
  }
  t.throws(() => rewritten('/x..%2Fy', { replace: { '/^\\/x(.*)/': '/p/$1' } }), /rewrite rule made a path/);
  t.throws(() => rewritten('/%20', { replace: { '/2/': '0' } }), /rewrite rule made a path/);
});

t.test('a capture of the path of the route keeps its slashes', async (t) => {
  const rules: RulesConfig = {
    ...routeOf({}).rules,
    path: [{ kind: 'replace_segments', from: ['x'], to: [{ kind: 'capture', group: 1 }] }],
  };
  const { line } = send(viewOf('/x/y'), new RouteRules(rules), { captures: ['', 'caf\xe9/%?'] });
  t.equal(line, 'GET /caf%C3%A9/%25%3F/y HTTP/1.1');
});
