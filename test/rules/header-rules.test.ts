import t from 'tap';
import type { CommonSettings } from '../../lib/config/context.js';
import type { RulesConfig } from '../../lib/config/types.js';
import { HeadEdit } from '../../lib/http/head-edit.js';
import { encodeResponseHead, type ResponseForm } from '../../lib/http/head-encoder.js';
import type { RuleContext } from '../../lib/rules/context.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { responseHead, viewOf } from '../http/heads.js';
import { contextOf, routeOf, send, valuesSent } from './routes.js';

type HeaderSettings = NonNullable<CommonSettings['header_rules']>;

const OWN = /\r\n(X-Forwarded-(For|Proto|Host)|X-Request-Id|CDN-Loop): [^\r]*/g;

/** The fields a server gets, Host and our own left out, as text. */
function sent(fields: readonly string[], rules: HeaderSettings, others: Partial<RuleContext> = {}): string[] {
  const view = viewOf('/a?b=%0D%0AX-Evil:1', fields);
  const { text } = send(view, new RouteRules(routeOf({ header_rules: rules }).rules), others);
  return text.replace(OWN, '').trimEnd().split('\r\n').slice(2);
}

const FORM: ResponseForm = { framing: 'length', keepAlive: true, oldClient: false };

/** The head a client gets, as text. */
function answered(
  fields: readonly string[],
  rules: HeaderSettings,
  others: Partial<RuleContext> = {},
): string {
  const head = responseHead(['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n'));
  const edit = new HeadEdit();
  new RouteRules(routeOf({ response_header_rules: rules }).rules).editResponse(
    contextOf(viewOf('/'), others),
    edit,
  );
  return encodeResponseHead(head, FORM, 0, edit);
}

t.test('a field is set where the first of its name was, or at the end', async (t) => {
  const rules = { add: { 'X-A': 'new' } };
  t.same(sent([], rules), ['X-A: new']);
  t.same(sent(['B: 1', 'x-a:  1 ', 'C:2', 'X-A: 2'], rules), ['B: 1', 'X-A: new', 'C:2']);
});

t.test('a field is appended at the end, and those there are stay', async (t) => {
  t.same(sent(['x-a: 1', 'B: 1'], { append: { 'X-A': '2' } }), ['x-a: 1', 'B: 1', 'X-A: 2']);
});

t.test('a field is removed, all of its name', async (t) => {
  t.same(sent(['A:1', 'b: 1', 'B:  2', 'C: \xe9'], { remove: ['B'] }), ['A:1', 'C: \xe9']);
});

t.test('a value is edited wherever a text or a regular expression is found', async (t) => {
  const fields = ['Referer: http://a/http://b', 'referer: ftp://c', 'A: http'];
  t.same(sent(fields, { replace: { Referer: { '/^http:/': 'https:' } } }), [
    'Referer: https://a/http://b',
    'referer: ftp://c',
    'A: http',
  ]);
  t.same(sent(['A: a.b.c'], { replace: { A: { '.': '$-{method}' } } }), ['A: a$-GETb$-GETc']);
  t.same(sent(['A: k=v'], { replace: { A: { '/(\\w)=(\\w)/i': '$2=$1 $$ $0' } } }), ['A: v=k $ k=v']);
  t.same(sent(['A: abc'], { replace: { A: { '/x*/': '-' } } }), ['A: -a-b-c-']);
});

t.test('rules of the inside act on what those of the outside made', async (t) => {
  const outer = routeOf({ header_rules: { add: { A: 'one' }, append: { B: 'two' } } }).rules;
  const inner = routeOf({
    header_rules: { replace: { A: { n: 'N' }, B: { w: 'W' } }, append: { A: 'x' } },
  }).rules;
  const rules: RulesConfig = { ...inner, headers: [...outer.headers, ...inner.headers] };
  const answer = send(viewOf('/', ['A: 0', 'B: 0w']), new RouteRules(rules));
  t.same(valuesSent(answer, 'a'), ['oNe', 'x']);
  t.same(valuesSent(answer, 'b'), ['0W', 'tWo']);
});

t.test('our own fields are edited like any other', async (t) => {
  const rules = new RouteRules(
    routeOf({
      header_rules: {
        remove: ['CDN-Loop', 'X-Forwarded-Host'],
        add: { 'X-Forwarded-Proto': 'https', 'X-Real-IP': '{client_ip}' },
        replace: { 'X-Forwarded-For': { '/$/': ';lb' } },
      },
    }).rules,
  );
  const { fields } = send(viewOf('/', ['X-Forwarded-Proto: gopher', 'X-Real-Ip: 6.6.6.6']), rules);
  t.same(fields.slice(1), [
    ['X-Forwarded-For', '192.0.2.1;lb'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Request-Id', 'id-1'],
    ['X-Real-IP', '192.0.2.1'],
  ]);
});

t.test('a client cannot take away a field that rules set', async (t) => {
  t.same(sent(['X-A: client', 'Connection: X-A'], { add: { 'X-A': 'rule' } }), ['X-A: rule']);
});

t.test('templates speak of the request as it came', async (t) => {
  const rules = {
    remove: ['X-In'],
    add: {
      A: '{client_ip} {host} {path}?{query} {method} {scheme} {route} {request_id}',
      B: '{header.X-In}|{header.X-None}|{cookie.c}|{param.q}|{$1}',
    },
  };
  const config = routeOf({ header_rules: { add: { A: rules.add.A } } }).rules;
  const view = viewOf('/a%20b?q=%C3%A9+1', ['Host: WWW.Mango.com:80', 'X-In: 1', 'X-In: 2', 'Cookie: c=%20']);
  const parts = { ...config, headers: [...config.headers] };
  parts.headers.push({
    kind: 'set',
    name: 'B',
    key: 'b',
    value: [
      { kind: 'header', name: 'x-in' },
      { kind: 'text', text: '|' },
      { kind: 'header', name: 'x-none' },
      { kind: 'cookie', name: 'c' },
      { kind: 'param', name: 'q' },
      { kind: 'capture', group: 1 },
      { kind: 'capture', group: 2 },
    ],
  });
  const answer = send(view, new RouteRules(parts), { captures: ['', '\u20ac', undefined] });
  t.same(valuesSent(answer, 'a'), ['192.0.2.1 www.mango.com /a%20b?q=%C3%A9+1 GET http r id-1']);
  t.same(valuesSent(answer, 'b'), ['1, 2|%20\xc3\xa9 1\xe2\x82\xac']);
});

t.test('no value can end its field', async (t) => {
  t.same(sent([], { add: { A: '{param.b}' } }), ['A: X-Evil:1']);
  const edit = new HeadEdit();
  edit.set('a', 'A', 'x\r\nEvil: 1\0\x7f\u010a\u{10d0a}y\tz');
  edit.append('a', 'A', '\n');
  t.equal(edit.rest(), 'A: xEvil: 1y\tz\r\nA: \r\n');
  edit.target = '/a b\r\n#\u010ac';
  t.equal(edit.target, '/abc');
});

t.test('fields that hold a message together cannot be edited', async (t) => {
  const edit = new HeadEdit();
  for (const name of [
    'Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer',
    'Upgrade', 'Expect', 'Max-Forwards', 'Content_Length', 'Transfer_encoding', 'X_Forwarded_For',
  ]) {
    const key = name.toLowerCase();
    edit.remove(key);
    edit.set(key, name, '1');
    edit.append(key, name, '1');
    edit.rewrite(key, () => '1');
  } // biome-ignore format: a list
  t.ok(edit.isEmpty);
  t.equal(edit.rest(), '');
});

t.test('an edit is written as often as there are attempts, and forgotten when cleared', async (t) => {
  const edit = new HeadEdit();
  edit.set('x-a', 'X-A', '1');
  for (let attempt = 0; attempt < 2; attempt++) {
    edit.begin();
    t.equal(edit.own(''), '');
    t.equal(edit.rest(), 'X-A: 1\r\n');
  }
  edit.clear();
  t.ok(edit.isEmpty);
  t.equal(edit.rest(), '');
});

t.test('the Host is that of the client, that of the server, or a text', async (t) => {
  const address = { kind: 'tcp', host: 'a', port: 1, text: 'a:1' } as const;
  const socket = { kind: 'unix', path: '/run/a', text: 'unix:/run/a' } as const;
  const context = contextOf(viewOf('/', ['Host: b', 'X-Host: c d']));
  const hostFor = (settings: CommonSettings) =>
    new RouteRules(routeOf(settings).rules).hostFor(context, address);
  t.equal(hostFor({}), '');
  t.equal(hostFor({ preserve_host: false }), 'a:1');
  t.equal(hostFor({ header_rules: { remove: ['hOST'] } }), 'a:1');
  t.equal(hostFor({ header_rules: { add: { Host: 'x-{host}:2' } } }), 'x-b:2');
  t.equal(
    hostFor({ header_rules: { add: { Host: '{header.X-Host}' } } }),
    'a:1',
    'what is no host is not sent',
  );
  const rules = new RouteRules(routeOf({ preserve_host: false }).rules);
  t.equal(rules.hostFor(context, socket), 'localhost');
});

t.test('a response is edited like a request, with the server that answered', async (t) => {
  const head = answered(
    ['X-Powered-By: x', 'Set-Cookie: a=1; Domain=b', 'Content-Length: 0', 'set-cookie: c; domain=b'],
    {
      add: { 'X-Served-By': '{server}', Date: 'never' },
      remove: ['x-powered-by'],
      replace: { 'Set-Cookie': { '/domain=b/i': 'Domain=c' } },
      append: { 'Set-Cookie': 'd=1' },
    },
    { server: 'big' },
  );
  t.equal(
    head,
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Domain=c\r\nContent-Length: 0\r\nset-cookie: c; Domain=c\r\n' +
      'Date: never\r\nSet-Cookie: d=1\r\nX-Served-By: big\r\n\r\n',
  );
});

t.test('a route without rules has nothing to do', async (t) => {
  const plain = new RouteRules(routeOf({}).rules);
  t.match(plain, { editsRequests: false, editsResponses: false });
  const edit = new HeadEdit();
  t.equal(plain.editRequest(contextOf(viewOf('/')), edit), null);
  t.ok(edit.isEmpty);
});
