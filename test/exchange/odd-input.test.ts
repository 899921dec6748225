import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin, readRequest } from '../support/origin.js';
import { startPaths } from '../support/paths.js';

/**
 * What real clients and servers send that RFC 9112 does not allow, and what smugglers would make of it: the exact bytes
 * that the other side gets, when sent whole and when cut at every byte.
 */

/** A server that reports every request, and answers with its number. */
async function listening(t: Test) {
  const received: { head: string; body: string }[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head, body } = await readRequest(connection);
      received.push({ head, body: body.toString('latin1') });
      await connection.write(OK);
    }
  });
  return { received, ...(await startBalancer(t, { servers: [server.address] })) };
}

t.test('a target reaches the server unchanged, with any byte that does not end it', async (t) => {
  const { received, connect, seen } = await listening(t);
  const client = await connect();
  const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
  const target = `/${bytes.replace(/[\x00-\x20\x7f#?]/g, '').replace('%', '%25')}?${bytes.replace(/[\x00-\x20\x7f#]/g, '')}`;
  const request = `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
  client.send(request);
  t.equal((await client.response()).status, 200);
  t.ok(received[0]?.head.startsWith(`GET ${target} HTTP/1.1\r\nHost: a\r\n`));
  t.equal((await seen.request()).target, target, 'and is logged');
  for (let at = 1; at < 40; at++) {
    await client.sendPieces([request.slice(0, at), request.slice(at, at + 1), request.slice(at + 1)]);
    t.equal((await client.response()).status, 200);
    t.equal(received.at(-1)?.head.split('\r\n')[0], `GET ${target} HTTP/1.1`, `cut at ${at}`);
  }
});

t.test('a rewritten target keeps the bytes that the rules do not touch', async (t) => {
  const heads: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  const { connect } = await startBalancer(t, {
    servers: [server.address],
    rewrite_rules: { strip_prefix: '/api', replace: { caf\u00e9: 'tea' } },
    param_rules: { add: { x: '1' } },
  });
  const client = await connect();
  client.send('GET /api/\xff"<\\>/caf\xc3\xa9?\xe9\\ HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal((await client.response()).status, 200);
  t.equal(heads[0]?.split('\r\n')[0], 'GET /\xff"<\\>/tea?\xe9\\&x=1 HTTP/1.1');
});

t.test('routes and guards match a path that is sent as raw bytes', async (t) => {
  const server = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, {
    servers: [server.address],
    firewall_rules: { path_reject: ['/caf\u00e9', '/private'] },
  });
  const client = await connect();
  for (const [target, status] of [
    ['/caf\xc3\xa9', 403],
    ['/caf%C3%A9', 403],
    ['/x\\..\\private', 403],
    ['\\private', 400],
    ['/\xc0\xafprivate', 400],
    ['/caf\xe9', 200],
  ] as const) {
    const asked = await connect();
    asked.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    t.equal((await asked.response()).status, status, JSON.stringify(target));
  }
  client.destroy();
});

t.test('a length or a coding with tabs around it frames exactly one request', async (t) => {
  const { received, connect } = await listening(t);
  const next = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const [framing, body, passed] of [
    ['Content-Length:\t29 \t', 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n.', 'Content-Length: 29'],
    ['Transfer-Encoding: chunked\t', '3\r\nabc\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', '3 ; a=b\r\nabc\r\n0\t;\tx\r\n\r\n', 'Transfer-Encoding: chunked'],
  ] as const) {
    const request = `POST /first HTTP/1.1\r\nHost: a\r\n${framing}\r\nX-Tab: a\t\r\n\r\n${body}${next}`;
    const cuts = Array.from({ length: request.length - next.length }, (_, i) => i + 1);
    for (const at of cuts) {
      received.length = 0;
      const client = await connect();
      await client.sendPieces([request.slice(0, at), request.slice(at)]);
      t.equal((await client.response()).body + (await client.response()).body, 'okok', `cut at ${at}`);
      t.match(received[0]?.head, `POST /first HTTP/1.1\r\nHost: a\r\n${passed}\r\nX-Tab: a\t\r\n`);
      t.strictSame(
        received.map(({ head, body: content }) => [head.split(' ')[1], content]),
        [
          ['/first', passed.endsWith('29') ? body : 'abc'],
          ['/next', ''],
        ],
      );
      client.destroy();
    }
  }
});

t.test(
  'a refused request is the last one of its connection, and no byte of it reaches the server',
  async (t) => {
    const { received, connect, seen } = await listening(t);
    const hidden = '0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
    const framings: [fields: string, status: number, detail: string][] = [
      ['Content-Length: 5\t\r\nContent-Length: 5', 400, 'more than one Content-Length'],
      [
        'Content-Length: 5\t\r\nTransfer-Encoding: chunked',
        400,
        'Transfer-Encoding together with Content-Length',
      ],
      [
        'Transfer-Encoding: chunked\t\r\nContent-Length: 5',
        400,
        'Transfer-Encoding together with Content-Length',
      ],
      ['Content-Length: 1\t2', 400, 'Content-Length is not a plain number'],
      ['Transfer-Encoding: chun\tked', 501, 'the only transfer coding understood is chunked, once'],
      ['Content-Length : 5', 400, 'the head is not valid HTTP/1.1: invalid header token'],
    ];
    for (const [index, [fields, status, detail]] of framings.entries()) {
      const client = await connect();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${hidden}`);
      const answer = await client.toEnd();
      t.equal(answer.split('HTTP/1.1').length, 2, 'one answer');
      t.match(
        await seen.request(index + 1),
        { status, detail, reason: 'bad_request' },
        JSON.stringify(fields),
      );
    }
    t.strictSame(received, []);
  },
);

t.test('an empty Expect is ignored', async (t) => {
  const { received, connect } = await listening(t);
  const client = await connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect:\r\nContent-Length: 2\r\n\r\nhi');
  t.equal((await client.response()).status, 200);
  t.notMatch(received[0]?.head, /expect/i);
  t.equal(received[0]?.body, 'hi');
});

// Answers of servers.

const DATE = 'Date: now\r\n';

interface Passing {
  readonly what: string;
  readonly answer: string;
  readonly expected: string;
  /** Is the server's connection reused? */
  readonly kept: boolean;
  readonly method?: string;
}

const PASSING: readonly Passing[] = [
  {
    what: 'a status beyond 599',
    answer: `HTTP/1.1 999 Odd\r\n${DATE}Content-Length: 2\r\n\r\nok`,
    expected: `HTTP/1.1 999 Odd\r\n${DATE}Content-Length: 2\r\n\r\nok`,
    kept: true,
  },
  {
    what: 'chunks beside a length',
    answer: `HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2\r\nok\r\n0\r\n\r\n`,
    expected: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2\r\nok\r\n0\r\n\r\n`,
    kept: false,
  },
  {
    what: 'chunks beside a length, for HEAD',
    answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 50\r\n${DATE}\r\n`,
    expected: `HTTP/1.1 200 OK\r\n${DATE}\r\n`,
    kept: false,
    method: 'HEAD',
  },
  {
    what: 'equal lengths',
    answer: `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${DATE}content-length:\t2 \r\n\r\nok`,
    expected: `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${DATE}\r\nok`,
    kept: true,
  },
  {
    what: 'a length among the trailers',
    answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2\r\nok\r\n0\r\nA : b\r\nContent-Length: 2\r\nC: d\r\n\r\n`,
    expected: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2\r\nok\r\n0\r\nA: b\r\nC: d\r\n\r\n`,
    kept: true,
  },
  {
    what: 'blanks around the parts of a chunk extension',
    answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2 ; a = "b" \t; c\r\nok\r\n0\t;d\r\n\r\n`,
    expected: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n2\r\nok\r\n0\r\n\r\n`,
    kept: true,
  },
  {
    what: 'blanks before a colon',
    answer: `HTTP/1.1 200 OK\r\nContent-Length \t: 2\r\n${DATE}Keep-Alive : x\r\nConnection\t: X-Hop\r\nX-Hop : 1\r\nX-Kept : 1\r\n\r\nok`,
    expected: `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${DATE}X-Kept: 1\r\n\r\nok`,
    kept: true,
  },
];

t.test('the client gets one framing of an odd answer, however it is cut', async (t) => {
  let cut = Number.POSITIVE_INFINITY;
  const servers = await Promise.all(
    PASSING.map(({ answer }) =>
      origin(t, async (connection) => {
        for (;;) {
          await connection.readHead();
          const at = cut;
          await connection.write(answer.slice(0, at));
          if (at >= answer.length) continue;
          await new Promise((resolve) => setImmediate(resolve));
          await connection.write(answer.slice(at));
        }
      }),
    ),
  );
  const { connect, seen } = await startPaths(
    t,
    servers.map(({ address }) => ({ servers: [address] })),
  );
  let asked = 0;
  for (const [index, { what, answer, expected, kept, method = 'GET' }] of PASSING.entries()) {
    await t.test(what, async (t) => {
      const client = await connect();
      const request = `${method} /${index} HTTP/1.1\r\nHost: a\r\n\r\n`;
      cut = answer.length;
      for (let i = 0; i < 3; i++) {
        client.send(request);
        t.equal(await client.bytes(expected.length), expected);
      }
      t.equal(servers[index]?.accepted, kept ? 1 : 3, 'connections to the server');
      for (cut = 1; cut < answer.length; cut++) {
        client.send(request);
        t.equal(await client.bytes(expected.length), expected, `cut at ${cut}`);
      }
      t.equal(client.received, '', 'and nothing more');
      asked += 3 + answer.length - 1;
    });
  }
  await seen.request(asked);
  t.ok(seen.requests.every(({ reason }) => reason === ''));
});

t.test('bytes after the chunks of an answer that also has a length are dropped', async (t) => {
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
  const server = await origin(
    t,
    answering(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`),
  );
  const { connect } = await startBalancer(t, { servers: [server.address] });
  for (let i = 0; i < 3; i++) {
    const client = await connect();
    client.send(GET + GET);
    t.equal((await client.response()).body + (await client.response()).body, '');
    client.destroy();
  }
  t.equal(server.accepted, 6, 'one connection for each');
});

// Answers that are refused.

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

const REFUSED: readonly (readonly [answer: string, detail: RegExp])[] = [
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok',
    /Content-Length fields that differ/,
  ],
  ['HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok', /not one plain number/],
  ['HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', /not valid HTTP\/1\.1: /],
  ['HTTP/1.1 099 No\r\n\r\n', /the status line/],
  [`${CHUNKED}x\r\n`, /chunked body is not valid/],
  [`${CHUNKED}2\r\nok\r\n-1\r\n`, /chunked body is not valid/],
  [`${CHUNKED}2\r\nok\r\n0\r\nA: b\r\n c\r\n\r\n`, /chunked body is not valid/],
  [`${CHUNKED}fffffffffffffff\r\nok`, /counted exactly/],
  ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', /status 101/],
];

for (const method of ['GET', 'POST'] as const) {
  t.test(
    `${method}: an answer refused before any of it was sent is a 502, and the log says why`,
    async (t) => {
      const servers = await Promise.all(REFUSED.map(([answer]) => origin(t, answering(answer))));
      const { connect, seen } = await startPaths(
        t,
        servers.map(({ address }) => ({ servers: [address] })),
      );
      let settled = 0;
      for (const [index, [answer, detail]] of REFUSED.entries()) {
        const client = await connect();
        for (let i = 1; i <= 2; i++) {
          client.send(`${method} /${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
          const { status, body, head } = await client.response();
          t.strictSame([status, body], [502, 'Bad Gateway'], JSON.stringify(answer));
          t.notMatch(head, /chunked/);
          const request = await seen.request(++settled);
          t.match(request, { status: 502, reason: 'bad_response', detail, bytesOut: 11 });
        }
        t.equal(client.received, '', 'nothing of the refused answer');
      }
    },
  );
}

t.test('an answer refused after some of it was sent ends the connection', async (t) => {
  let sent = (): void => {};
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(`${CHUNKED}2\r\nok\r\n`);
    await new Promise<void>((resolve) => {
      sent = resolve;
    });
    await connection.write('x\r\n');
    await connection.hang();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send(GET);
  await client.until('ok\r\n');
  sent();
  await client.gone();
  t.match(await seen.request(), { status: 200, reason: 'bad_response', detail: /chunked body/, bytesOut: 2 });
});

t.test('pipelined answers before a refused one in the same read are sent', async (t) => {
  const server = await origin(t, async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      await connection.write(head.startsWith('GET /good') ? OK : `${CHUNKED}x`);
    }
  });
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (let i = 0; i < 20; i++) {
    client.send(['good', 'bad', 'good'].map((path) => `GET /${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await client.response()).status);
    t.strictSame(statuses, [200, 502, 200]);
  }
});

t.test('invalid answers eject a server as errors, not as cut connections', async (t) => {
  const bad = await origin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'));
  const good = await origin(t, answering(OK));
  const { connect, seen } = await startBalancer(t, {
    servers: [bad.address, good.address],
    algorithm: 'first',
    passive_health: { consecutive_failures: 2, consecutive_errors: 3 },
  });
  const client = await connect();
  const statuses = [];
  for (let i = 0; i < 5; i++) {
    client.send(GET);
    statuses.push((await client.response()).status);
  }
  t.strictSame(statuses, [502, 502, 502, 200, 200]);
  t.strictSame(seen.stateChanges, [`ejected ${bad.address} 30000 3 errors in a row: bad response`]);
});

t.test('QUERY is idempotent: it is sent again with the body that was kept', async (t) => {
  const bodies: string[] = [];
  const bad = await origin(t, async (connection) => {
    bodies.push(`bad ${(await readRequest(connection)).body}`);
    connection.reset();
  });
  const good = await origin(t, async (connection) => {
    bodies.push(`good ${(await readRequest(connection)).body}`);
    await connection.write(OK);
  });
  const { connect, seen } = await startBalancer(t, {
    servers: [bad.address, good.address],
    algorithm: 'first',
    retry: { on: ['reset'] },
  });
  const client = await connect();
  client.send('QUERY /contacts HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nselect');
  t.equal((await client.response()).status, 200);
  t.strictSame(bodies, ['bad select', 'good select']);
  t.match(await seen.request(), { method: 'QUERY', attempts: 2, reason: '' });
});

nothingIsLeft(t);
