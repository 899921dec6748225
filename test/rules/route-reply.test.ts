import t from 'tap';
import type { CommonSettings } from '../../lib/config/context.js';
import { parseTemplate } from '../../lib/config/template.js';
import { HeadEdit } from '../../lib/http/head-edit.js';
import { encodeRouteReply } from '../../lib/http/replies.js';
import type { RuleContext } from '../../lib/rules/context.js';
import { RouteReply } from '../../lib/rules/route-reply.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { viewOf } from '../http/heads.js';
import { contextOf, routeOf } from './routes.js';

/** What a client gets, head and body. */
function reply(settings: CommonSettings, context: RuleContext, toHead = false): string {
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

t.test('the query is appended to a redirect unless the redirect has one', async (t) => {
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

/** Where a redirect leads when the path of its route captured `group`. */
function captured(to: string, group: string): string | undefined {
  const { action } = routeOf({ redirect: { to: '/' } });
  if (action.kind !== 'redirect') throw new Error('no redirect');
  const edit = new HeadEdit();
  const template = parseTemplate(to, { captures: 1 });
  const context = contextOf(viewOf('/'), { captures: ['', group] });
  new RouteReply({ ...action, to: template }).edit(context, edit);
  return /^Location: (.*)\r$/m.exec(edit.rest())?.[1];
}

t.test('a group at the start of a redirect cannot name a host', async (t) => {
  t.equal(captured('{$1}', 'https:/evil.test'), '/https:/evil.test');
  t.equal(captured('{$1}', '//evil.test'), '/evil.test');
  t.equal(captured('{$1}/x', '/a'), '/a/x');
  t.equal(captured('/{$1}', '/evil.test'), '/evil.test');
  t.equal(captured('/{$1}', '\\evil.test'), '/%5Cevil.test');
  t.equal(captured('/{$1}', '\t/evil.test'), '/%09/evil.test');
  t.equal(captured('{$1}://www.mango.com/', '//evil.test/'), '%2F%2Fevil.test%2F://www.mango.com/');
});

t.test('a group in the host of a redirect cannot end the host', async (t) => {
  t.equal(captured('https://{$1}.mango.com/', 'eu'), 'https://eu.mango.com/');
  t.equal(captured('https://{$1}.mango.com/', '/evil.test/'), 'https://%2Fevil.test%2F.mango.com/');
  t.equal(captured('https://{$1}.mango.com/', 'evil.test#'), 'https://evil.test%23.mango.com/');
  t.equal(captured('https://www-{$1}.mango.com/', 'a@evil.test?'), 'https://www-a%40evil.test%3F.mango.com/');
  t.equal(captured('//cdn.{$1}.mango.com/', '\\evil.test'), '//cdn.%5Cevil.test.mango.com/');
  t.equal(captured('https://mango.com:{$1}/', '80@evil.test'), 'https://mango.com:80%40evil.test/');
});

t.test('a group after the host of a redirect cannot lengthen the host', async (t) => {
  t.equal(captured('https://mango.com{$1}', '/a b'), 'https://mango.com/a%20b');
  t.equal(captured('https://mango.com{$1}', ''), 'https://mango.com');
  t.equal(captured('https://mango.com{$1}', '.evil.test'), 'https://mango.com/.evil.test');
  t.equal(captured('https://mango.com{$1}', '@evil.test'), 'https://mango.com/@evil.test');
  t.equal(captured('https://mango.com{$1}/x', ':80@evil.test'), 'https://mango.com/:80@evil.test/x');
  t.equal(captured('https://mango.com{$1}.html', '/a'), 'https://mango.com/a.html');
  t.equal(captured('https://{host}{$1}', '.evil.test'), 'https://example.test/.evil.test');
  t.equal(captured('https://{$1}/evil.test', ''), '/evil.test', 'no host is left');
});

t.test('values of the target in a redirect are percent-encoded', async (t) => {
  const view = viewOf('/');
  view.head.originTarget = '/\\evil.test/"\xe9%41?a=\\"\xff<%41?b';
  const raw = contextOf(view);
  t.match(
    reply({ redirect: { to: '{path}' } }, raw),
    'Location: /%5Cevil.test/%22%E9%41?a=%5C%22%FF%3C%41?b\r\n',
  );
  t.match(reply({ redirect: { to: '/x?{query}' } }, raw), 'Location: /x?a=%5C%22%FF%3C%41?b\r\n');
  const fields = { Link: '<{path}?{query}>', Location: '{path}', 'content-location': '/{header.x-to}' };
  const answer = reply({ respond: { headers: fields } }, raw);
  t.match(answer, 'Link: </%5Cevil.test/%22%E9%41?a=%5C%22%FF%3C%41?b>\r\n');
  t.match(answer, 'Location: /%5Cevil.test/%22%E9%41\r\n');
});

t.test(
  'a field that a client follows as a URL leads where the configuration says, whoever writes it',
  async (t) => {
    const context = contextOf(viewOf('/', ['X-To: //evil.test']));
    const add = { Location: '{header.x-to}', 'content-location': 'https://mango.com{header.x-to}' };
    const answer = reply({ respond: { status: 201 }, response_header_rules: { add } }, context);
    t.match(answer, 'Location: /%2F%2Fevil.test\r\n');
    t.match(answer, 'content-location: https://mango.com/%2F%2Fevil.test\r\n');
  },
);

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
