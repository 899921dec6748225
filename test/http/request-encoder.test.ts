import t from 'tap';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { encodeRequestHead, receivedRequestId } from '../../lib/http/head-encoder.js';
import { bytes, RequestReader } from '../support/transport.js';

const STRANGER = new ForwardedClient('192.0.2.1', false);
const FRIEND = new ForwardedClient('192.0.2.1', true);
/** The fields added to an HTTP/1.1 request of an untrusted client to `a`. */
const ADDED =
  'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nX-Request-Id: id\r\nCDN-Loop: lb\r\n';

/** The head that a server gets; `host` as in `encodeRequestHead`. */
function encode(text: string, client = STRANGER, host = ''): string {
  const reader = new RequestReader({ headBytes: 8192, fields: 100, targetBytes: 1024 });
  const seen = reader.read([bytes(text)]);
  if (seen.outcome !== 'whole') throw new Error(`${seen.outcome} ${seen.detail}`);
  return encodeRequestHead(reader.parser.head, client, 'id', host);
}

/** The client's fields that are sent on, of a request with `fields` and `Host: a`. */
function left(fields: string, client = STRANGER): string {
  const head = encode(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, client);
  return head.slice('GET / HTTP/1.1\r\nHost: a\r\n'.length, head.indexOf('X-Forwarded-For: '));
}

t.test('header lines pass byte for byte, and lb adds its own after them', async (t) => {
  t.equal(
    encode('GET /a?b HTTP/1.1\r\nhOST:\ta \r\nX-a:  \xe9 \r\nx-A:\r\nCookie: 1\r\ncookie: 2\r\n\r\n'),
    `GET /a?b HTTP/1.1\r\nhOST:\ta \r\nX-a:  \xe9 \r\nx-A:\r\nCookie: 1\r\ncookie: 2\r\n${ADDED}\r\n`,
  );
});

t.test('hop-by-hop request fields are removed, whether Connection names them or not', async (t) => {
  t.equal(
    left(
      'A: 1\r\nConnection: keep-alive, Foo\r\nKeep-Alive: 5\r\nFoo: 1\r\nfoo: 2\r\nProxy-Connection: x\r\nTE: gzip\r\n' +
        'Upgrade: h2c\r\nconnection: BAR ,, \r\nbar: 1\r\nB: 2\r\n',
    ),
    'A: 1\r\nB: 2\r\n',
  );
});

t.test('fields that Connection must not name are kept', async (t) => {
  const kept = 'Cookie: 1\r\nAuthorization: 2\r\nContent-Length: 0\r\nUser-Agent: 3\r\n';
  t.equal(left(`Connection: Host, cookie, AUTHORIZATION, content-length, user-agent\r\n${kept}`), kept);
  const trusted = encode(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For, X-Forwarded-Proto\r\nX-Forwarded-For: 10.1.1.1\r\n' +
      'X-Forwarded-Proto: https\r\n\r\n',
    FRIEND,
  );
  t.match(trusted, /\r\nX-Forwarded-Proto: https\r\n/);
  t.match(trusted, /\r\nX-Forwarded-For: 10\.1\.1\.1, 192\.0\.2\.1\r\n/);
  t.match(
    encode(
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    /\r\nTransfer-Encoding: chunked\r\n/,
  );
});

t.test('forwarding headers from an untrusted client are overwritten in every spelling', async (t) => {
  const claims =
    'X-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 1\r\n' +
    'X-Forwarded-Anything: 1\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Request-Id: mine\r\n' +
    'X_Forwarded_For: 1.1.1.1\r\nX-Forwarded_Proto: https\r\nX_Real_IP: 1.1.1.1\r\n';
  t.equal(encode(`GET / HTTP/1.1\r\nHost: a\r\n${claims}\r\n`), `GET / HTTP/1.1\r\nHost: a\r\n${ADDED}\r\n`);
});

t.test('forwarding headers from a trusted proxy are kept, joined in order and extended', async (t) => {
  t.equal(
    encode(
      'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For:\r\n' +
        'x-forwarded-for: 2.2.2.2 , 3.3.3.3\r\nX-Forwarded-Port: 443\r\nForwarded: for=1.1.1.1\r\nX_Forwarded_For: 9\r\n\r\n',
      FRIEND,
    ),
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nForwarded: for=1.1.1.1\r\n' +
      'X-Forwarded-For: 1.1.1.1, 2.2.2.2 , 3.3.3.3, 192.0.2.1\r\nX-Forwarded-Host: a\r\nForwarded: for=192.0.2.1;host=a;proto=http\r\nX-Request-Id: id\r\nCDN-Loop: lb\r\n\r\n',
  );
});

t.test(
  'Forwarded is dropped from untrusted peers, extended from a trusted proxy, and sent if configured',
  async (t) => {
    const lines = (client: ForwardedClient, fields = '', host = 'a.example'): string[] =>
      encode(`GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`, client)
        .split('\r\n')
        .filter((line) => line.startsWith('Forwarded'));
    const sent = 'Forwarded: for=198.51.100.1\r\nForwarded: for="[2001:db8::7]:4711"\r\n';
    t.same(lines(new ForwardedClient('192.0.2.1', false), sent), []);
    t.same(lines(new ForwardedClient('192.0.2.1', true)), []);
    t.same(lines(new ForwardedClient('2001:db8::1', true), sent), [
      'Forwarded: for=198.51.100.1',
      'Forwarded: for="[2001:db8::7]:4711"',
      'Forwarded: for="[2001:db8::1]";host=a.example;proto=http',
    ]);
    t.same(lines(new ForwardedClient('192.0.2.1', false, true), sent, 'a.example:81'), [
      'Forwarded: for=192.0.2.1;host="a.example:81";proto=http',
    ]);
    t.same(lines(new ForwardedClient('unix', true, true), '', '[::1]'), [
      'Forwarded: for=_unix;host="[::1]";proto=http',
    ]);
  },
);

t.test(
  'X-Forwarded-Proto is the scheme of the transport, or the one that a trusted proxy reports',
  async (t) => {
    const transport = { scheme: 'https', port: 443, alpn: null, sni: 'a', tls: null } as const;
    const told = (trusted: boolean, fields = ''): string[] =>
      encode(
        `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`,
        new ForwardedClient('192.0.2.1', trusted, true, false, transport),
      )
        .split('\r\n')
        .filter((line) => /proto/i.test(line));
    const element = 'Forwarded: for=192.0.2.1;host=a;proto=https';
    t.same(told(false), ['X-Forwarded-Proto: https', element]);
    t.same(told(true), ['X-Forwarded-Proto: https', element]);
    t.same(told(false, 'X-Forwarded-Proto: http\r\n'), ['X-Forwarded-Proto: https', element]);
    t.same(told(true, 'X-Forwarded-Proto: http\r\n'), ['X-Forwarded-Proto: http', element]);
  },
);

t.test('a request id is kept only from a trusted peer, and only if it fits a log line', async (t) => {
  const idOf = (value: string, client: ForwardedClient): string => {
    const reader = new RequestReader();
    reader.read([bytes(`GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${value}\r\n\r\n`)]);
    return receivedRequestId(reader.parser.head, client);
  };
  t.equal(idOf('abc-1', FRIEND), 'abc-1');
  t.equal(idOf('abc-1', STRANGER), '');
  for (const bad of ['', 'a b', '\xe9', 'a'.repeat(129)]) t.equal(idOf(bad, FRIEND), '', JSON.stringify(bad));
});

t.test('an HTTP/1.0 request is sent as HTTP/1.1, with a Host', async (t) => {
  t.equal(
    encode('GET /x HTTP/1.0\r\nConnection: keep-alive\r\nA: 1\r\n\r\n', STRANGER, 'server:80'),
    'GET /x HTTP/1.1\r\nA: 1\r\nHost: server:80\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n' +
      'X-Request-Id: id\r\nCDN-Loop: lb\r\n\r\n',
  );
  t.match(
    encode('GET / HTTP/1.0\r\n\r\n', STRANGER, 's'),
    /^GET \/ HTTP\/1\.1\r\nHost: s\r\n/,
    'without any field',
  );
});

t.test('an absolute-form request is sent in origin-form with the authority of its target', async (t) => {
  const line = (target: string, fields: string, version = '1.1'): string =>
    encode(`GET ${target} HTTP/${version}\r\n${fields}\r\n`).split('\r\n').slice(0, 2).join('|');
  t.equal(line('http://b:81/x?y', 'Host: a\r\n'), 'GET /x?y HTTP/1.1|Host: b:81');
  t.equal(line('http://b', 'host: a\r\n'), 'GET / HTTP/1.1|host: b');
  t.equal(line('http://b?y', 'Host: b\r\n'), 'GET /?y HTTP/1.1|Host: b');
  t.equal(line('http://b/x', '', '1.0'), 'GET /x HTTP/1.1|Host: b', 'HTTP/1.0 without a Host field');
  t.match(encode('GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n'), /\r\nX-Forwarded-Host: b\r\n/);
});

t.test('OPTIONS keeps its asterisk, and absolute-form without a path becomes one', async (t) => {
  t.match(encode('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'), /^OPTIONS \* HTTP\/1\.1\r\n/);
  t.match(encode('OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n'), /^OPTIONS \* HTTP\/1\.1\r\nHost: b\r\n/);
  t.match(encode('OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n'), /^OPTIONS \/ HTTP\/1\.1\r\n/);
});

t.test('a configured host replaces the one of the client', async (t) => {
  t.match(
    encode('GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n', STRANGER, 's:1'),
    /^GET \/ HTTP\/1\.1\r\nHost: s:1\r\nA: 1\r\n/,
  );
});

t.test('Max-Forwards is counted down for OPTIONS, and unchanged for other methods', async (t) => {
  const hops = (method: string, value: string): string =>
    /\r\nMax-Forwards:(.*)\r\n/.exec(
      encode(`${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`),
    )?.[1] ?? '';
  t.equal(hops('OPTIONS', '10'), ' 9');
  t.equal(hops('OPTIONS', '1'), ' 0');
  t.equal(hops('OPTIONS', '007'), ' 6');
  for (const value of ['x', '-1', '1, 2', '0', '99999999999999999999'])
    t.equal(hops('OPTIONS', value), ` ${value}`, 'what cannot be counted down stays');
  t.equal(hops('GET', '10'), ' 10');
});

t.test('Expect is passed on, except from HTTP/1.0', async (t) => {
  t.equal(left('Expect: 100-Continue\r\n'), 'Expect: 100-Continue\r\n');
  t.notMatch(encode('GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n', STRANGER, 's'), 'Expect');
});

t.test('TE: trailers is sent to the server if the client sent it', async (t) => {
  const end = 'CDN-Loop: lb\r\nConnection: TE\r\nTE: trailers\r\n\r\n';
  const head = (fields: string): string => encode(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  t.ok(head('Connection: TE\r\nTE: gzip, Trailers\r\n').endsWith(end));
  t.notMatch(head('TE: trailers\r\n'), 'TE: trailers', 'not named in Connection');
  t.notMatch(head('Connection: TE\r\nTE: xtrailers\r\n'), 'trailers');
});

t.test('Upgrade is sent to the server as the client spelt it', async (t) => {
  const head = (fields: string, version = '1.1'): string =>
    encode(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`);
  t.ok(
    head('Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: x\r\n').endsWith(
      'CDN-Loop: lb\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n',
    ),
  );
  t.notMatch(head('Upgrade: websocket\r\n'), 'Upgrade');
  t.notMatch(head('Upgrade: h2c\r\nConnection: Upgrade\r\n'), 'Upgrade');
  t.notMatch(head('Upgrade: websocket\r\nConnection: Upgrade\r\n', '1.0'), 'Upgrade');
});

t.test('framing is written so that it can be read in one way only', async (t) => {
  const framing = (lines: string, body: string): string =>
    encode(`POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`).split('\r\n')[2] ?? '';
  t.equal(framing('Content-Length: 3\r\n', 'abc'), 'Content-Length: 3');
  t.equal(framing('CONTENT-length:003 \r\n', 'abc'), 'CONTENT-length: 3');
  t.equal(framing('Content-Length: 000\r\n', ''), 'Content-Length: 0');
  t.equal(framing('Transfer-Encoding:  Chunked  \r\n', '0\r\n\r\n'), 'Transfer-Encoding: chunked');
});

t.test('Via is sent when it is configured', async (t) => {
  const via = new ForwardedClient('192.0.2.1', false, false, true);
  t.match(encode('GET / HTTP/1.1\r\nHost: a\r\n\r\n', via), /\r\nCDN-Loop: lb\r\nVia: 1\.1 lb\r\n\r\n$/);
  t.match(encode('GET / HTTP/1.0\r\nHost: a\r\n\r\n', via), /\r\nCDN-Loop: lb\r\nVia: 1\.0 lb\r\n\r\n$/);
  const passed = encode('GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 x\r\nCDN-Loop: y; z\r\n\r\n');
  t.match(
    passed,
    /\r\nVia: 1\.1 x\r\nCDN-Loop: y; z\r\n.*\r\nCDN-Loop: lb\r\n\r\n$/s,
    'a received Via is passed on',
  );
  t.notMatch(passed, 'Via: 1.1 lb');
});

t.test('Upgrade passes all protocols except HTTP and TLS, in their order and spelling', async (t) => {
  for (const [sent, passed] of [
    ['SPDY/3.1', 'SPDY/3.1'],
    ['WebSocket', 'WebSocket'],
    ['tcp, h2c ,\tSPDY/3.1,, HTTP/2.0', 'tcp, SPDY/3.1'],
    ['h2c', ''],
    ['H2C', ''],
    ['h2c-16', ''],
    ['HTTP/1.1', ''],
    ['http', ''],
    ['TLS/1.2', ''],
    ['"h2c"', ''],
    ['a b', ''],
    ['a/b/c, \xe9', ''],
    ['', ''],
  ] as const) {
    const head = encode(`POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: ${sent}\r\n\r\n`);
    const lines = passed === '' ? [] : ['Connection: Upgrade', `Upgrade: ${passed}`];
    t.strictSame(
      head.split('\r\n').filter((line) => /^(connection|upgrade):/i.test(line)),
      lines,
      sent,
    );
  }
});
