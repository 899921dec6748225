import fc from 'fast-check';
import t from 'tap';
import { normalisePath } from '../../lib/http/path.js';
import { RequestView } from '../../lib/http/request-view.js';
import { requestHead, viewOf } from './heads.js';

t.test('the host is in lower case, without port and final dot', async (t) => {
  const hosts: [authority: string, host: string][] = [
    ['WWW.Mango.com', 'www.mango.com'],
    ['www.mango.com.', 'www.mango.com'],
    ['www.mango.com:8080', 'www.mango.com'],
    ['www.mango.com.:8080', 'www.mango.com'],
    ['www.mango.com:', 'www.mango.com'],
    ['[2001:DB8::1]', '[2001:db8::1]'],
    ['[2001:db8::1]:80', '[2001:db8::1]'],
    ['127.0.0.1:80', '127.0.0.1'],
  ];
  for (const [authority, host] of hosts) t.equal(viewOf('/', [`Host: ${authority}`]).host, host, authority);
});

t.test('an absolute target wins over Host, and a missing host is empty', async (t) => {
  const view = viewOf('http://a.test:81/x?y', ['Host: b.test']);
  t.equal(view.host, 'a.test');
  t.same(view.header('host'), ['a.test:81']);
  t.equal(view.rawPath, '/x');
  t.equal(view.query, 'y');
  view.load(requestHead('GET / HTTP/1.0\r\n\r\n'), '::1');
  t.equal(view.host, '');
  t.same(view.header('host'), []);
});

t.test('path and query are separated, whatever the query contains', async (t) => {
  const targets: [target: string, rawPath: string, path: string, query: string][] = [
    ['/', '/', '/', ''],
    ['/?', '/', '/', ''],
    ['/a?b=/../%', '/a', '/a', 'b=/../%'],
    ['/a?b?c', '/a', '/a', 'b?c'],
    ['//a/%62?x', '//a/%62', '/a/b', 'x'],
  ];
  for (const [target, rawPath, path, query] of targets) {
    const view = viewOf(target);
    t.match(view, { rawPath, path, query, pathProblem: null }, target);
  }
  t.match(viewOf('/%?a').pathProblem, { status: 400 });
});

t.test('OPTIONS about the server itself has the path *', async (t) => {
  const view = new RequestView();
  view.load(requestHead('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'), '::1');
  t.match(view, { method: 'OPTIONS', rawPath: '*', path: '*', query: '', pathProblem: null });
});

t.test('bytes above 0x7F in a path are read like their triplets', async (t) => {
  const pairs: [raw: string, encoded: string][] = [
    ['/caf\xc3\xa9', '/caf%C3%A9'],
    ['/\xe9/\xff', '/%E9/%FF'],
    ['/a/\xc3\xa9/../b', '/a/%C3%A9/../b'],
    ['/a\\b"<>', '/a%5Cb%22%3C%3E'],
  ];
  for (const [raw, encoded] of pairs) t.equal(viewOf(raw).path, viewOf(encoded).path, JSON.stringify(raw));
  t.equal(viewOf('/caf\xc3\xa9?\xc3\xa9').path, '/caf\u00e9');
  t.same(viewOf('/?\xc3\xa9=\xe4\xb8\xad\\').param('\u00e9'), ['\u4e2d\\']);
  t.match(viewOf('/a/\xc0\xae\xc0\xae/b').pathProblem, { detail: /overlong/ });
});

t.test('the fast check of a path agrees with full normalisation', async () => {
  const piece = fc.constantFrom(
      '/', '.', '..', '%2e', '%2F', 'a', 'B', '%', '%41', '-', ';', '%00', '\\', '"', '\xc3', '\xa9', '\xc0', '\xaf',
    ); // biome-ignore format: one table
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const raw = `/${pieces.join('')}`;
      const { path, pathProblem } = viewOf(`${raw}?q`);
      const expected = normalisePath(raw);
      return path === expected.path && pathProblem === expected.problem;
    }),
  );
});

t.test('the values of a field are returned in order, whatever the case of its name', async (t) => {
  const view = viewOf('/', ['X-A: 1', 'x-a:  2 ', 'X-AB: 3', 'X-a:']);
  t.same(view.header('x-a'), ['1', '2', '']);
  t.same(view.header('x-b'), []);
});

t.test('parameters are decoded, and invalid encoding stays as it is', async (t) => {
  const view = viewOf('/?a=1&b&a=%32+3&%61=%C3%A9&=x&c=a=b&&d=%&e=%E9&f=%26');
  t.same(view.param('a'), ['1', '2 3', 'é']);
  t.same(view.param('b'), ['']);
  t.same(view.param(''), ['x']);
  t.same(view.param('c'), ['a=b']);
  t.same(view.param('d'), ['%']);
  t.same(view.param('e'), ['\ufffd']);
  t.same(view.param('f'), ['&']);
  t.same(view.param('constructor'), []);
});

t.test('cookies of all Cookie fields are found, as written', async (t) => {
  const view = viewOf('/', ['Cookie: a=1; b="x y";c=%41=;flag', 'cookie: a=2;']);
  t.same(view.cookie('a'), ['1', '2']);
  t.same(view.cookie('b'), ['"x y"']);
  t.same(view.cookie('c'), ['%41=']);
  t.same(view.cookie('flag'), []);
});

t.test('nothing of a request is left when the next one is loaded', async (t) => {
  const view = viewOf('/a?b=1', ['Host: one.test', 'Cookie: c=1']);
  t.match(
    [view.host, view.path, view.query, view.param('b'), view.cookie('c')],
    ['one.test', '/a', 'b=1', ['1'], ['1']],
  );
  view.load(requestHead('PUT /%2F HTTP/1.1\r\nHost: two.test\r\n\r\n'), '198.51.100.7');
  t.match(view, { method: 'PUT', clientAddress: '198.51.100.7', host: 'two.test', path: '/', query: '' });
  t.same([view.param('b'), view.cookie('c')], [[], []]);
  view.clear();
  t.throws(() => view.method, /no head loaded/);
});
