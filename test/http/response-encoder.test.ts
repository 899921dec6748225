import t from 'tap';
import { encodeInterimHead, encodeResponseHead, type ResponseForm } from '../../lib/http/head-encoder.js';
import { encodeReply } from '../../lib/http/replies.js';
import { bytes, ResponseReader } from '../support/transport.js';

const NOW = Date.UTC(2026, 0, 31, 12, 0, 0);
const DATE = 'Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n';

function parse(text: string): ResponseReader['parser']['head'] {
  const reader = new ResponseReader();
  const seen = reader.read([bytes(text)]);
  if (typeof seen.outcome === 'number') throw new Error(`${seen.outcome} ${seen.detail}`);
  return reader.parser.head;
}

/** The head that a client gets, with the server's framing unless `form` says otherwise. */
function encode(text: string, form: Partial<ResponseForm> = {}): string {
  const head = parse(text);
  return encodeResponseHead(head, { framing: head.framing, keepAlive: true, oldClient: false, ...form }, NOW);
}

t.test('response lines pass byte for byte, and Date is added', async (t) => {
  t.equal(
    encode(
      'HTTP/1.1 200 Fine\r\nserver:  \xe9 \r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n\r\n',
    ),
    `HTTP/1.1 200 Fine\r\nserver:  \xe9 \r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n${DATE}\r\n`,
  );
});

t.test('no Date is added beside that of the server', async (t) => {
  const own = 'HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n';
  t.equal(encode(own), own);
});

t.test('hop-by-hop response fields are removed, and those that Connection names', async (t) => {
  t.equal(
    encode(
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, Foo, content-length\r\nKeep-Alive: 5\r\nFoo: 1\r\nUpgrade: h2c\r\n' +
        'Proxy-Connection: x\r\nContent-Length: 0\r\nContent_Length: 5\r\nA: 1\r\n\r\n',
    ),
    `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: 1\r\n${DATE}\r\n`,
  );
});

t.test('a status line of HTTP/1.0 or without a reason becomes a complete HTTP/1.1 status line', async (t) => {
  t.match(
    encode('HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n'),
    /^HTTP\/1\.1 404 No\r\nContent-Length: 0\r\n/,
  );
  t.match(encode('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'), /^HTTP\/1\.1 200 \r\nContent-Length: 0\r\n/);
  t.match(encode('HTTP/1.0 200\r\n\r\n'), /^HTTP\/1\.1 200 \r\n/);
  t.match(
    encodeInterimHead(parse('HTTP/1.1 103\r\nLink: a\r\n\r\n')),
    /^HTTP\/1\.1 103 \r\nLink: a\r\n\r\n$/,
  );
});

t.test('a body that ends with the connection is announced as chunked, or as the end', async (t) => {
  const text = 'HTTP/1.0 200 OK\r\nA: 1\r\n\r\n';
  t.equal(
    encode(text, { framing: 'chunked' }),
    `HTTP/1.1 200 OK\r\nA: 1\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n`,
  );
  t.equal(
    encode(text, { framing: 'close', keepAlive: false }),
    `HTTP/1.1 200 OK\r\nA: 1\r\n${DATE}Connection: close\r\n\r\n`,
  );
});

t.test('chunks are announced once, and not to an HTTP/1.0 client', async (t) => {
  const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding:  Chunked\r\nTrailer: X-Sum\r\n\r\n';
  t.equal(encode(text), `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nTrailer: X-Sum\r\n${DATE}\r\n`);
  t.notMatch(encode(text, { framing: 'close', keepAlive: false, oldClient: true }), /transfer-encoding/i);
});

t.test('an HTTP/1.0 client is told that its connection stays open', async (t) => {
  t.match(
    encode('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { oldClient: true }),
    /\r\nConnection: keep-alive\r\n\r\n$/,
  );
});

t.test('the length stays on HEAD and 304, and is removed from 204 and 1xx', async (t) => {
  const length = 'Content-Length: 005\r\n\r\n';
  t.match(encode(`HTTP/1.1 304 Not Modified\r\n${length}`), /\r\nContent-Length: 5\r\n/);
  t.notMatch(encode(`HTTP/1.1 204 No Content\r\n${length}`), 'Content-Length');
  t.equal(
    encodeInterimHead(parse(`HTTP/1.1 103 Early Hints\r\nLink: a\r\nConnection: x\r\nX: 1\r\n${length}`)),
    'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n',
  );
  const reader = new ResponseReader();
  reader.read([bytes(`HTTP/1.1 200 OK\r\n${length}`)], { toHead: true });
  const form = { framing: reader.parser.head.framing, keepAlive: true, oldClient: false };
  t.match(encodeResponseHead(reader.parser.head, form, NOW), /\r\nContent-Length: 5\r\n/);
});

t.test('several equal lengths are announced once', async (t) => {
  const lengths = 'Content-Length: 0\r\nA: 1\r\ncontent-length: 0\r\nContent-Length:\t0\r\n';
  t.equal(
    encode(`HTTP/1.1 200 OK\r\n${lengths}\r\n`),
    `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: 1\r\n${DATE}\r\n`,
  );
});

t.test('a length beside chunks is not sent, not even in the answer to a HEAD or in a 304', async (t) => {
  const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n';
  t.equal(
    encode(`HTTP/1.1 200 OK\r\n${both}\r\n`),
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n`,
  );
  t.equal(encode(`HTTP/1.1 304 Not Modified\r\n${both}\r\n`), `HTTP/1.1 304 Not Modified\r\n${DATE}\r\n`);
  const reader = new ResponseReader();
  reader.read([bytes(`HTTP/1.1 200 OK\r\n${both}\r\n`)], { toHead: true });
  const form = { framing: reader.parser.head.framing, keepAlive: true, oldClient: false };
  t.equal(encodeResponseHead(reader.parser.head, form, NOW), `HTTP/1.1 200 OK\r\n${DATE}\r\n`);
});

t.test('204 and 304 are sent without Transfer-Encoding', async (t) => {
  for (const status of ['204 No Content', '304 Not Modified'])
    t.equal(
      encode(`HTTP/1.1 ${status}\r\nTransfer-Encoding: chunked\r\n\r\n`),
      `HTTP/1.1 ${status}\r\n${DATE}\r\n`,
    );
});

t.test('101 keeps its Upgrade, and gets a Connection for this hop', async (t) => {
  t.equal(
    encodeInterimHead(
      parse(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, foo\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\nFoo: 1\r\n\r\n',
      ),
    ),
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\n\r\n',
  );
});

t.test('local replies are complete messages with all required fields', async (t) => {
  const form = { framing: 'length', keepAlive: true, oldClient: false } as const;
  for (const status of [
    200, 400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505, 508,
  ]) {
    const reply = encodeReply(status, form, false, NOW);
    const { outcome, messages } = new ResponseReader().read([bytes(reply)]);
    t.equal(outcome, 'whole', String(status));
    t.equal(messages.length, 1);
    t.match(reply, `HTTP/1.1 ${status} `);
    t.match(reply, DATE);
    t.match(reply, 'Cache-Control: no-store\r\n');
    const toHead = encodeReply(status, form, true, NOW);
    t.equal(toHead, reply.slice(0, reply.indexOf('\r\n\r\n') + 4), 'a HEAD gets only the head');
  }
  t.match(encodeReply(503, form, false, NOW), /\r\nRetry-After: \d+\r\n/);
  t.match(encodeReply(405, form, false, NOW), /\r\nAllow: [A-Z, ]+\r\n/);
  t.match(
    encodeReply(503, form, false, NOW, 'No backend servers available.'),
    /\r\n\r\nNo backend servers available\.$/,
  );
  t.match(encodeReply(400, { ...form, keepAlive: false }, false, NOW), /\r\nConnection: close\r\n\r\n/);
});

t.test('the date changes each second', async (t) => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  const at = (ms: number): string =>
    encodeResponseHead(parse(text), { framing: 'none', keepAlive: true, oldClient: false }, ms);
  t.match(at(NOW + 999), '12:00:00 GMT');
  t.match(at(NOW + 1000), '12:00:01 GMT');
  t.match(at(NOW), '12:00:00 GMT');
});
