import t from 'tap';
import type { RouteSettings } from '../../lib/config/settings.js';
import { HeadEdit } from '../../lib/http/head-edit.js';
import { encodeRouteReply } from '../../lib/http/replies.js';
import type { RuleContext } from '../../lib/rules/context.js';
import { RouteReply } from '../../lib/rules/route-reply.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { viewOf } from '../http/heads.js';
import { contextOf, routeOf } from './routes.js';

/** What a client gets, head and body. */
function reply(settings: RouteSettings, context: RuleContext, toHead = false): string {
  const { action, rules } = routeOf(settings);
  if (action.kind === 'forward') throw new Error('it forwards');
  const made = new RouteReply(action);
  const edit = new HeadEdit();
  made.edit(context, edit);
  new RouteRules(rules).editResponse(context, edit);
  const form = { framing: 'length', keepAlive: true, oldClient: false } as const;
  return encodeRouteReply(made.status, made.body, edit, form, toHead, 0);
}

function location(to: string, target: string, others: Partial<RuleContext> = {}): string | undefined {
  const text = reply({ redirect: { to } }, contextOf(viewOf(target), others));
  return /^Location: (.*)\r$/m.exec(text)?.[1];
}

t.test('a redirect leads to a URL made of the request', async (t) => {
  t.equal(
    reply({ redirect: { to: 'https://new.example{path}', status: 308 } }, contextOf(viewOf('/a%20b?c=d'))),
    'HTTP/1.1 308 Permanent Redirect\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n' +
      'Location: https://new.example/a%20b?c=d\r\nContent-Length: 0\r\n\r\n',
  );
  t.equal(location('https://{host}{path}', '/a'), 'https://example.test/a');
});

t.test('the query goes along unless the redirect has one', async (t) => {
  t.equal(location('/new', '/a?b=1'), '/new?b=1');
  t.equal(location('/new', '/a'), '/new');
  t.equal(location('/new?x=1', '/a?b=1'), '/new?x=1');
  t.equal(location('/new?', '/a?b=1'), '/new');
  t.equal(location('{path}/?{query}&x', '/a?b=1'), '/a/?b=1&x');
  t.equal(location('/new?{query}', '/a'), '/new');
  t.equal(location('/new#there', '/a?b=1'), '/new#there');
});

t.test('a request cannot choose where a redirect leads', async (t) => {
  t.equal(location('{path}/', '//evil.test/x'), '/evil.test/x/');
  t.equal(
    location('/to/{param.u}', '/?u=//evil.test%0d%0aX:1'),
    '/to/%2F%2Fevil.test%0D%0AX%3A1?u=//evil.test%0d%0aX:1',
  );
  t.equal(location('{path}?', '/a?x'), '/a');
});

t.test('a redirect takes what the path of the route captured', async (t) => {
  const { action } = routeOf({ redirect: { to: '/x' } });
  if (action.kind !== 'redirect') throw new Error('no redirect');
  const to = [{ kind: 'text', text: '/' } as const, { kind: 'capture', group: 1 } as const];
  const edit = new HeadEdit();
  new RouteReply({ ...action, to }).edit(
    contextOf(viewOf('/'), { captures: ['', '/evil.test/\xe9 \r\n'] }),
    edit,
  );
  t.equal(edit.rest(), 'Location: /evil.test/%C3%A9%20%0D%0A\r\n');
});

t.test('a fixed answer has the status, fields and body that are written', async (t) => {
  const settings = {
    respond: { status: 503, body: 'Back so\u014dn', headers: { 'Retry-After': '60', 'X-Ip': '{client_ip}' } },
    response_header_rules: { add: { 'Strict-Transport-Security': 'max-age=1' }, remove: ['X-Ip'] },
  };
  const head =
    'HTTP/1.1 503 Service Unavailable\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n' +
    'Content-Type: text/plain; charset=utf-8\r\nRetry-After: 60\r\nStrict-Transport-Security: max-age=1\r\n' +
    'Content-Length: 10\r\n\r\n';
  const context = contextOf(viewOf('/'));
  t.equal(reply(settings, context), `${head}Back so\xc5\x8dn`);
  t.equal(reply(settings, context, true), head, 'HEAD gets no body');
});

t.test('the type of a fixed answer may be another, and 204 has no length', async (t) => {
  const context = contextOf(viewOf('/'));
  const json = reply({ respond: { body: '{}', headers: { 'content-type': 'application/json' } } }, context);
  t.match(json, /^content-type: application\/json\r$/m);
  t.notMatch(json, /text\/plain/);
  t.notMatch(reply({ respond: { status: 204 } }, context), /Content-Length/);
  t.match(reply({ respond: { status: 299 } }, context), /^HTTP\/1\.1 299 \r\n/);
});
