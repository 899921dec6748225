import t from 'tap';
import { FIELD } from '../../lib/http/fields.js';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { encodeRequestHead } from '../../lib/http/head-encoder.js';
import { bytes, RequestReader, ResponseReader, type Seen } from '../support/transport.js';

/** Faults that llhttp accepts and a proxy must not, numbered. */

const HOST = 'Host: a\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';

function read(text: string): Seen {
  return new RequestReader().read([bytes(text)], { form: 'wire' });
}

function statusOf(text: string): number | string {
  return read(text).outcome;
}

function request(line: string, fields = HOST): string {
  return `${line}\r\n${fields}\r\n`;
}

function post(fields: string, body = ''): string {
  return `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

/** The head that a server gets for this request. */
function forwarded(text: string): string {
  const reader = new RequestReader();
  reader.read([bytes(text)]);
  return encodeRequestHead(reader.parser.head, new ForwardedClient('192.0.2.1', false), 'id', '');
}

t.test('1: a coding other than chunked, alone, is 501', async (t) => {
  for (const coding of ['identity, chunked', 'gzip, chunked', ',chunked', 'gzip', 'identity', 'xchunked'])
    t.equal(statusOf(post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\n')), 501, coding);
  t.equal(statusOf(post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')), 501);
  t.equal(statusOf(post('Transfer-Encoding: CHUNKED\r\n', '0\r\n\r\n')), 'whole');
});

t.test(
  '2: an empty Transfer-Encoding is 400, and the bytes after it are not parsed as a request',
  async (t) => {
    const { outcome, messages } = read(post('Transfer-Encoding:\r\n', NEXT));
    t.equal(outcome, 400);
    t.equal(messages.length, 0);
  },
);

t.test('3: a Transfer-Encoding in HTTP/1.0 is 400', async (t) => {
  t.equal(statusOf(`POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), 400);
});

t.test('4: a missing, second or invalid Host is 400; absolute-form wins over Host', async (t) => {
  t.equal(statusOf(request('GET / HTTP/1.1', '')), 400);
  t.equal(statusOf(request('GET / HTTP/1.1', HOST + HOST)), 400);
  for (const host of [
    '',
    'a b',
    'a/b',
    'u@a',
    'a:b',
    '[::1',
    'a, b',
    'a,b',
    'a%zz',
    'a%4',
    '%',
    '%61',
    'a%2eb',
  ])
    t.equal(statusOf(request('GET / HTTP/1.1', `Host: ${host}\r\n`)), 400, `"${host}"`);
  t.equal(statusOf(request('GET http://evil.test,b/ HTTP/1.1')), 400);
  t.match(
    forwarded(request('GET http://b.example:81/x?y HTTP/1.1')),
    /^GET \/x\?y HTTP\/1\.1\r\nHost: b\.example:81\r\n/,
  );
});

t.test('5: a version other than 1.0 and 1.1 is 505, a line without version 400 at once', async (t) => {
  for (const version of ['2.0', '0.9', '1.2', '3.0'])
    t.equal(statusOf(request(`GET / HTTP/${version}`)), 505, version);
  t.equal(statusOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 505);
  t.equal(statusOf('GET /\r\n'), 400);
});

t.test('6: a protocol other than HTTP is 400', async (t) => {
  t.equal(statusOf(request('GET / RTSP/1.0')), 400);
  t.equal(statusOf(request('DESCRIBE / RTSP/1.0')), 400);
  t.equal(statusOf(request('SOURCE / ICE/1.0')), 400);
});

t.test('a TLS handshake on a plain port is named in the log', async (t) => {
  const { outcome, detail } = read('\x16\x03\x01\x02\x00\x01');
  t.equal(outcome, 400);
  t.match(detail, /^TLS is not spoken here/);
});

t.test('7: two spaces instead of one in the request line are 400', async (t) => {
  t.equal(statusOf(request('GET  / HTTP/1.1')), 400);
  t.equal(statusOf(request('GET /  HTTP/1.1')), 400);
  t.equal(statusOf(request('GET / HTTP/1.1 ')), 400);
});

t.test('8: a few empty lines before a request are skipped, many are refused', async (t) => {
  t.equal(statusOf(`\r\n\r\n${NEXT}`), 'whole');
  t.equal(statusOf(`${'\r\n'.repeat(5)}${NEXT}`), 400);
  const endless = Array.from({ length: 1000 }, () => bytes('\r\n'));
  t.equal(new RequestReader().read(endless).outcome, 400);
});

t.test('9: a target keeps every byte that does not end it, unchanged', async (t) => {
  for (let code = 0; code < 256; code++) {
    const byte = String.fromCharCode(code);
    const passes = (code > 0x20 && code < 0x7f && byte !== '#') || code > 0x7f;
    for (const target of [`/a${byte}b`, `/?a${byte}b`]) {
      const text = request(`GET ${target} HTTP/1.1`);
      const name = `${JSON.stringify(target)}`;
      t.equal(statusOf(text), passes ? 'whole' : 400, name);
      if (passes) t.ok(forwarded(text).startsWith(`GET ${target} HTTP/1.1\r\n`), name);
    }
  }
});

t.test('9: the authority of a target is checked strictly', async (t) => {
  for (const target of ['http://a\\b/', 'http://a"/', 'http://\xe9/', 'http://a\\@b/', 'a\\b', '\\\\a'])
    t.equal(statusOf(request(`GET ${target} HTTP/1.1`)), 400, JSON.stringify(target));
  t.match(forwarded(request('GET http://b/\\c?\xe9 HTTP/1.1')), /^GET \/\\c\?\xe9 HTTP\/1\.1\r\nHost: b\r\n/);
});

t.test('9: `*` for anything but OPTIONS is 400', async (t) => {
  t.equal(statusOf(request('GET * HTTP/1.1')), 400);
  t.equal(statusOf(request('OPTIONS * HTTP/1.1')), 'whole');
});

t.test('10: CONNECT is 501, in every form of target', async (t) => {
  t.equal(statusOf(request('CONNECT a:443 HTTP/1.1')), 501);
  t.equal(statusOf(request('CONNECT / HTTP/1.1')), 501);
  t.equal(statusOf(request('CONNECT a:443 HTTP/1.0', '')), 501);
  t.equal(statusOf(request('Connect / HTTP/1.1')), 501);
});

t.test(
  '11: Upgrade alone opens no tunnel: the next request is read, and h2c is never passed on',
  async (t) => {
    for (const protocol of ['foo', 'h2c', 'websocket']) {
      const upgrade = `${HOST}Connection: upgrade\r\nUpgrade: ${protocol}\r\n`;
      t.equal(read(request('GET / HTTP/1.1', upgrade) + NEXT).messages.length, 2, protocol);
    }
    const head = forwarded(
      request(
        'GET / HTTP/1.1',
        `${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n`,
      ),
    );
    t.notMatch(head, /upgrade|h2c|http2/i);
  },
);

t.test(
  '12: a name that equals one of ours but for `_` instead of `-` is not passed on; others are',
  async (t) => {
    const disguised = [
      'Transfer_Encoding',
      'Content_Length',
      'X_Forwarded_For',
      'x_real-ip',
      'X_Forwarded_Anything',
    ];
    const head = forwarded(
      request(
        'GET / HTTP/1.1',
        `${HOST}${disguised.map((name) => `${name}: 1\r\n`).join('')}My_Field: 1\r\n`,
      ),
    );
    for (const name of disguised) t.notMatch(head, name);
    t.match(head, /\r\nMy_Field: 1\r\n/);
  },
);

t.test(
  '13: a long head or many fields are 431, a long target 414, as soon as the limit is passed',
  async (t) => {
    t.equal(statusOf(request(`GET /${'a'.repeat(128)} HTTP/1.1`)), 414);
    t.equal(statusOf(`GET /${'a'.repeat(128)}`), 414);
    t.equal(statusOf(request('GET / HTTP/1.1', `${HOST}${'A: b\r\n'.repeat(16)}`)), 431);
    t.equal(statusOf(`GET / HTTP/1.1\r\n${HOST}A: ${'b'.repeat(1024)}`), 431);
  },
);

t.test('14: chunk extensions, zeros before a size and trailers are limited', async (t) => {
  const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
  t.equal(statusOf(chunked(`1;${'a'.repeat(17_000)}`)), 400, 'an endless extension');
  t.equal(statusOf(chunked(`${'0'.repeat(17_000)}1\r\na\r\n`)), 400);
  t.equal(
    statusOf(chunked(`0;${'a'.repeat(17_000)}\r\nA: b\r\n\r\n`)),
    400,
    'also when trailers come in the same read',
  );
  t.equal(statusOf(chunked(`0\r\n${'A: b\r\n'.repeat(65)}`)), 431);
  t.equal(statusOf(chunked(`0\r\nA: ${'b'.repeat(1100)}`)), 431);
  const drip = Array.from({ length: 2000 }, () => bytes('a'.repeat(10)));
  t.equal(new RequestReader().read([bytes(chunked('1;')), ...drip]).outcome, 400, 'also in small pieces');
});

t.test('14: the limit for chunk framing applies to each chunk, not to their sum', async (t) => {
  const chunk = `1;${'a'.repeat(100)}\r\nx\r\n`;
  t.equal(statusOf(post('Transfer-Encoding: chunked\r\n', `${chunk.repeat(1000)}0\r\n\r\n`)), 'whole');
});

t.test('15: sizes that cannot be counted exactly are 400', async (t) => {
  for (const length of ['9007199254740992', '18446744073709551615', '18446744073709551616'])
    t.equal(statusOf(post(`Content-Length: ${length}\r\n`)), 400, length);
  t.equal(statusOf(post('Content-Length: 9007199254740991\r\n')), 'partial');
  for (const size of ['10000000000000', '8000000000000000', 'ffffffffffffffff', '10000000000000000'])
    t.equal(statusOf(post('Transfer-Encoding: chunked\r\n', `${size}\r\na`)), 400, size);
  t.equal(statusOf(post('Transfer-Encoding: chunked\r\n', 'fffffffffffff\r\na')), 'partial');
});

t.test('16: a Content-Length with leading zeros is sent without them', async (t) => {
  t.match(forwarded(post('content-length:  003 \r\n', 'abc')), /\r\ncontent-length: 3\r\n/);
});

t.test('17: Connection: close is recognised after a tab, in a list, in any case', async (t) => {
  for (const value of ['close\t', '\tclose', 'foo, Close', 'keep-alive,close ,x']) {
    const [message] = read(request('GET / HTTP/1.1', `${HOST}Connection: ${value}\r\n`)).messages;
    t.match(message?.meaning, /keeps alive false/, JSON.stringify(value));
  }
});

t.test('18: an expectation other than 100-continue is 417', async (t) => {
  t.equal(statusOf(request('GET / HTTP/1.1', `${HOST}Expect: 200-ok\r\n`)), 417);
  t.equal(statusOf(request('GET / HTTP/1.1', `${HOST}Expect: ,\r\n`)), 417);
  t.equal(statusOf(request('GET / HTTP/1.1', `${HOST}Expect: 100-CONTINUE\r\n`)), 'whole');
  t.equal(statusOf(request('GET / HTTP/1.0', 'Expect: 200-ok\r\n')), 'whole', 'ignored from HTTP/1.0');
});

t.test('18: an empty expectation is ignored, and not passed on', async (t) => {
  for (const fields of ['Expect:\r\n', 'Expect: \t\r\n', 'Expect:\r\nExpect: 100-continue\r\n']) {
    const text = request('GET / HTTP/1.1', `${HOST}${fields}`);
    t.equal(statusOf(text), 'whole', fields);
    const passed = fields.includes('100') ? ['Expect: 100-continue'] : null;
    t.strictSame(forwarded(text).match(/expect.*(?=\r)/gi), passed, fields);
  }
});

t.test('Content-Length and Transfer-Encoding are passed on without tabs around the value', async (t) => {
  for (const around of ['\t', ' \t ', '\t\t', '\t ', ' \t']) {
    t.match(
      forwarded(post(`Content-Length:${around}003${around}\r\nX: \t\r\n`, 'abc')),
      /\r\nContent-Length: 3\r\nX: \t\r\n/,
    );
    t.match(
      forwarded(post(`transfer-encoding:${around}Chunked${around}\r\n`, '0\r\n\r\n')),
      /\r\ntransfer-encoding: chunked\r\n/,
    );
  }
});

t.test('the log says what is wrong with a refused head', async (t) => {
  for (const [fields, detail] of [
    ['A : b\r\n', 'the head is not valid HTTP/1.1: invalid header token'],
    ['Content-Length: 5\r\nContent-Length: 5\r\n', 'more than one Content-Length'],
    ['Content-Length: +5\r\n', 'Content-Length is not a plain number'],
    [
      'Content-Length: 5\t\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding together with Content-Length',
    ],
  ] as const)
    t.strictSame(
      [read(post(fields)).outcome, read(post(fields)).detail],
      [400, detail],
      JSON.stringify(fields),
    );
});

t.test('19: bytes above 0x7f are kept, and white space around a value is not part of it', async (t) => {
  const text = request('GET / HTTP/1.1', `${HOST}X: \t\xe9\xff\x80 \t\r\n`);
  const reader = new RequestReader();
  t.same(reader.read([bytes(text)]).messages[0]?.fields[1], ['X', '\xe9\xff\x80']);
  t.match(forwarded(text), /\r\nX: \t\xe9\xff\x80 \t\r\n/);
});

t.test('20: the body of a GET is kept', async (t) => {
  const { messages } = read(`GET / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc${NEXT}`);
  t.equal(messages[0]?.body, 'abc');
  t.equal(messages.length, 2);
});

t.test('a refused head with a valid request line keeps method and target for the log', async (t) => {
  const refused = [
    request('HEAD /x HTTP/1.0', 'A : b\r\n'),
    request('HEAD /x HTTP/1.0', 'A: b\r\n'.repeat(17)),
    request('HEAD /x HTTP/1.0', `A: ${'b'.repeat(1100)}\r\n`),
  ];
  for (const text of refused) {
    for (const cut of [text.length, 3, 18, 25]) {
      const reader = new RequestReader();
      const seen = reader.read([bytes(text.slice(0, cut)), bytes(text.slice(cut))]);
      const { head } = reader.parser;
      t.same([typeof seen.outcome, head.method, head.target, head.minorVersion], ['number', 'HEAD', '/x', 0]);
      t.equal(head.text, 'HEAD /x HTTP/1.0\r\n\r\n');
    }
  }
  const reader = new RequestReader();
  reader.read([bytes('CONNECT a:443 HTTP/1.1\r\n')]);
  t.same([reader.parser.head.method, reader.parser.head.target], ['CONNECT', 'a:443']);
});

t.test('a request begins with the first byte after empty lines', async (t) => {
  const { parser } = new RequestReader();
  const feed = (text: string): void => {
    parser.readHead(bytes(text), 0, text.length);
  };
  parser.reset();
  feed('\r\n\r');
  t.notOk(parser.started);
  feed('\n');
  t.notOk(parser.started);
  feed('G');
  t.ok(parser.started);
});

t.test('a field is recognised in any case, and only by its whole name', async (t) => {
  const reader = new RequestReader();
  reader.read([
    bytes(
      request(
        'GET / HTTP/1.1',
        'hOST: a\r\nCOOKIE: 1\r\nCookies: 2\r\nX-Forwarded-Xyz: 3\r\nX-Forwarded-: 4\r\n',
      ),
    ),
  ]);
  const { head } = reader.parser;
  t.same(
    [0, 1, 2, 3, 4].map((i) => head.idAt(i)),
    [FIELD.host, FIELD.cookie, FIELD.other, FIELD.xForwardedOther, FIELD.other],
  );
});

// Responses.

function answered(text: string): Seen {
  return new ResponseReader().read([bytes(text)], { ends: true });
}

t.test(
  'a response with a coding other than chunked is refused, not read until the connection ends',
  async (t) => {
    for (const coding of ['xchunked', 'gzip', 'chunked, gzip', 'gzip, chunked', '', 'chun\tked'])
      t.equal(
        answered(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n`).outcome,
        502,
        JSON.stringify(coding),
      );
  },
);

t.test(
  'a response with chunks and a length ends with its chunks, and its connection is not used again',
  async (t) => {
    for (const line of ['HTTP/1.1 200 OK', 'HTTP/1.1 999 Odd']) {
      const fields = ['Content-Length: 9\r\n', 'Transfer-Encoding: chunked\r\n'];
      for (const pair of [fields, fields.toReversed()]) {
        const seen = answered(`${line}\r\n${pair.join('')}\r\n1\r\na\r\n0\r\n\r\n`);
        t.match(seen, { outcome: 'whole', messages: [{ body: 'a' }] });
        t.match(seen.messages[0]?.meaning, /chunked .* keeps alive false/);
      }
    }
    const old = 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n';
    t.match(answered(old), { outcome: 502, detail: /together with Content-Length in HTTP\/1\.0/ });
  },
);

t.test('several equal lengths of a response count as one, different ones are refused', async (t) => {
  const lengths = (...values: string[]): Seen =>
    answered(
      `HTTP/1.1 200 OK\r\n${values.map((value) => `Content-Length:${value}\r\n`).join('')}\r\nabHTTP/1.1`,
    );
  t.match(lengths(' 2', ' 2', '\t2 ').messages[0], { body: 'ab' });
  for (const [first, second, detail] of [
    [' 2', ' 3', /differ/],
    [' 2', ' 02', /differ/],
    [' 2', ' 2, 2', /not one plain number/],
    [' 2', ' ', /not one plain number/],
  ] as const)
    t.match(lengths(first, second), { outcome: 502, detail }, `${first} and ${second}`);
});

t.test('blanks before the colon are not part of the name of a response field', async (t) => {
  const seen = answered(
    'HTTP/1.1 200 OK\r\nX \t : \ta\r\nConnection : close\r\nContent-Length\t: 1\r\n\r\nb',
  );
  t.strictSame(seen.messages[0]?.fields, [
    ['X', 'a'],
    ['Connection', 'close'],
    ['Content-Length', '1'],
  ]);
  t.equal(
    seen.messages[0]?.head,
    'HTTP/1.1 200 OK\r\nX: \ta\r\nConnection: close\r\nContent-Length: 1\r\n\r\n',
  );
  t.match(seen.messages[0]?.meaning, /length 1 keeps alive false/);
  for (const field of [' X: a', 'X Y: a', 'X Y : a', ' : a', 'X \r\n: a'])
    t.equal(answered(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`).outcome, 502, JSON.stringify(field));
});

t.test('the limits of a head also apply to its second reading', async (t) => {
  const odd = 'HTTP/1.1 200 OK\r\nX : a\r\n';
  t.match(answered(`${odd}${'A: b\r\n'.repeat(16)}\r\n`), { outcome: 502, detail: /more fields/ });
  t.match(answered(`${odd}A: ${'b'.repeat(1024)}`), { outcome: 502, detail: /longer than/ });
  t.match(answered(`${odd}A${' '.repeat(1024)}`), { outcome: 502, detail: /longer than/ });
  const drip = Array.from({ length: 600 }, () => bytes('  '));
  t.match(new ResponseReader().read([bytes(`${odd}A`), ...drip]), { outcome: 502, detail: /longer than/ });
});

t.test('a status line with another protocol, version or form is refused', async (t) => {
  for (const line of [
    'HTTP/2.0 200 OK',
    'HTTP/1.1 099 x',
    'HTTP/1.1 1000 x',
    'HTTP/1.1 200 OK\r',
    'ICY 200 OK',
    'HTTP/1.1 20 x',
  ])
    t.equal(answered(`${line}\r\n\r\n`).outcome, 502, JSON.stringify(line));
});

t.test('a response that cannot begin a status line is refused at its first wrong byte', async (t) => {
  const begun = (text: string): Seen => new ResponseReader().read([...text].map((byte) => bytes(byte)));
  for (const text of ['\x16', '<html>', 'SSH-', 'HTTP/2', 'HTTP 1', '\r', '\0'])
    t.equal(begun(text).outcome, 502, JSON.stringify(text));
  for (const text of ['H', 'HTTP/1', 'HTTP/1.', 'HTTP/1.1 2']) t.equal(begun(text).outcome, 'partial', text);
});

t.test('a long status line is complete wherever it is cut, whatever the limit for targets', async (t) => {
  const line = `HTTP/1.1 200 ${'r'.repeat(900)}`;
  const text = `${line}\r\nContent-Length: 0\r\n\r\n`;
  const reader = new ResponseReader({ headBytes: 4096, fields: 4, targetBytes: 1 });
  for (const at of [1, 100, 500, 900, 914]) {
    const seen = reader.read([bytes(text.slice(0, at)), bytes(text.slice(at))]);
    t.equal(seen.messages[0]?.head, text, `cut at ${at}`);
  }
});

t.test('blanks after a chunk size are accepted from a server and refused from a client', async (t) => {
  const body = '1 \r\na\r\n0\r\n\r\n';
  t.equal(answered(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`).outcome, 'whole');
  t.equal(statusOf(post('Transfer-Encoding: chunked\r\n', body)), 400);
});

t.test('responses to HEAD and with 1xx, 204 and 304 have no body, whatever their fields say', async (t) => {
  const text = 'Content-Length: 5\r\n\r\n';
  const next = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  for (const line of ['100 Continue', '103 Early Hints', '204 No Content', '304 Not Modified'])
    t.equal(answered(`HTTP/1.1 ${line}\r\n${text}${next}`).messages.length, 2, line);
  for (const framing of [text, 'Transfer-Encoding: chunked\r\n\r\n', '\r\n']) {
    const seen = new ResponseReader().read([bytes(`HTTP/1.1 200 OK\r\n${framing}`)], { toHead: true });
    t.match(seen, { outcome: 'whole', messages: [{ body: '' }] });
  }
});

t.test('a body that ends with the connection is complete, any other one is then incomplete', async (t) => {
  t.equal(answered('HTTP/1.1 200 OK\r\n\r\nabc').outcome, 'whole');
  t.equal(answered('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc').outcome, 'partial');
  t.equal(answered('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n').outcome, 'partial');
});

t.test('chunks from an HTTP/1.0 server are read, but its connection is not used again', async (t) => {
  const fields = 'Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n';
  const [message] = answered(`HTTP/1.0 200 OK\r\n${fields}\r\n1\r\na\r\n0\r\n\r\n`).messages;
  t.equal(message?.body, 'a');
  t.match(message?.meaning, /keeps alive false/);
});

t.test('after a bad chunk the parser reads the next response whose head comes in two reads', async (t) => {
  const reader = new ResponseReader();
  reader.read([bytes('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx')]);
  const seen = reader.read([bytes('HTTP/1.1 200 OK\r\nCont'), bytes('ent-Length: 1\r\n\r\na')]);
  t.equal(seen.outcome, 'whole');
});
