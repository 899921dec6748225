import t from 'tap';
import { answering, type Script, startRawServer } from '../../../fixtures/raw-server.js';
import { createConfig } from '../../../lib/config/config.js';
import { startBalancer } from '../../support/balancer.js';
import { startDeafServer } from '../../support/deaf-server.js';
import { nothingIsLeft } from '../../support/leaks.js';
import { turns, until } from '../../support/loop-ticks.js';
import { LATE, MANUAL, nextCheck, OK, resultOf, startServer } from './support.js';

const withBody = (body: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${Buffer.from(body).toString('latin1')}`;
const inPieces =
  (answer: string, size: number): Script =>
  (connection) =>
    connection.readHead().then(() => connection.trickle(answer, size));

t.test('without a configured path, any status below 500 is healthy', async (t) => {
  for (const [status, state] of [
    [200, 'up'],
    [302, 'up'],
    [401, 'up'],
    [404, 'up'],
    [405, 'up'],
    [500, 'down'],
    [503, 'down'],
  ] as const) {
    const answer = answering(`HTTP/1.1 ${status} Whatever\r\nContent-Length: 0\r\n\r\n`);
    t.equal(await resultOf(t, answer, {}), `${state}: status ${status}`);
    t.equal(await resultOf(t, answer, { method: 'HEAD' }), `${state}: status ${status}`);
    const chosen = await resultOf(t, answer, { path: '/' });
    t.equal(
      chosen,
      `${status < 400 ? 'up' : 'down'}: status ${status}`,
      'with a configured path only 200 to 399',
    );
    t.match(await resultOf(t, answer, { expect_status: 503 }), status === 503 ? /^up/ : /^down/);
  }
});

t.test('a configured path also applies to inner scopes', async (t) => {
  const config = createConfig({
    health_check: { interval: '1s' },
    hosts: [
      { host: 'a', servers: ['localhost:1'] },
      {
        host: 'b',
        health_check: { path: '/up' },
        servers: ['localhost:2'],
        paths: [{ path: '/p', health_check: { interval: '2s' }, servers: ['localhost:3'] }],
      },
      { host: 'c', health_check: { path: '/up', expect_status: 404 }, servers: ['localhost:4'] },
    ],
  });
  const statuses = config.groups.map(({ healthCheck }) => healthCheck?.expectStatus);
  const usual = [{ from: 200, to: 399 }];
  t.same(statuses, [[{ from: 100, to: 499 }], usual, usual, [{ from: 404, to: 404 }]]);
});

t.test('tcp check: a server that accepts is up, and gets no bytes', async (t) => {
  let received = -1;
  const script: Script = async (connection) => {
    received = (await connection.readToEnd()).length;
  };
  t.equal(await resultOf(t, script, { type: 'tcp' }), 'up: connected');
  await until(() => received === 0);
});

t.test('tcp check: a server that does not accept is down', async (t) => {
  const gone = await startRawServer(answering(OK));
  await gone.close();
  const health_check = { type: 'tcp', timeout: '2s' } as const;
  const patient = { servers: [gone.address], health_check: { ...health_check, timeout: '1h' } };
  const refused = await startBalancer(t, patient, MANUAL);
  t.equal(await nextCheck(refused.seen, refused.clock), 'refused');
  const deaf = await startBalancer(t, { servers: [await startDeafServer(t)], health_check }, MANUAL);
  deaf.clock.advance(50);
  await turns();
  deaf.clock.advance(2000 + LATE);
  t.match(deaf.seen.checks, [{ ok: false, result: 'timed out' }]);
});

t.test('a check sends the configured request', async (t) => {
  const heads: string[] = [];
  const bodies: string[] = [];
  const script: Script = async (connection) => {
    heads.push(await connection.readHead());
    bodies.push((await connection.read(5)).toString('utf8'));
    await connection.write(OK);
  };
  const check = {
    method: 'POST',
    path: '/deep?x=1',
    host: 'app.internal',
    headers: { Authorization: 'Bearer x', 'user-agent': 'probe' },
    body: 'ping€'.slice(2),
  };
  t.equal(await resultOf(t, script, check), 'up: status 200');
  t.equal(
    heads[0],
    'POST /deep?x=1 HTTP/1.1\r\nHost: app.internal\r\nAccept: */*\r\nAuthorization: Bearer x\r\n' +
      'user-agent: probe\r\nContent-Length: 5\r\nConnection: close\r\n\r\n',
  );
  t.equal(bodies[0], 'ng€', 'in UTF-8');
});

t.test('an answer to a HEAD check has no body, whatever its Content-Length says', async (t) => {
  const script = answering('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
  t.equal(await resultOf(t, script, { method: 'HEAD' }), 'up: status 200');
});

t.test('a check may use another port or another address', async (t) => {
  const served = await startServer(t);
  const asked: string[] = [];
  const monitor = await startServer(t, async (connection) => {
    asked.push(await connection.readHead());
    await connection.write(OK);
  });
  for (const target of [{ port: monitor.port }, { address: `localhost:${monitor.port}` }]) {
    const health_check = { ...target, timeout: '1h' };
    const { seen, clock } = await startBalancer(t, { servers: [served.address], health_check }, MANUAL);
    await nextCheck(seen, clock);
    t.match(seen.checks, [{ ok: true, server: served.address }]);
  }
  t.equal(served.accepted, 0);
  t.match(asked[0], `\r\nHost: ${monitor.address}\r\n`);
  t.match(asked[1], `\r\nHost: localhost:${monitor.port}\r\n`);
});

const fields = 'X-Ready: 1\r\nX-Build: v12\r\nX-Many: a\r\nx-many: b\r\n';
const headerCases: readonly [expect_header: Record<string, string>, result: string][] = [
  [{ 'x-ready': '1' }, 'up: status 200'],
  [{ 'X-Ready': '*', 'X-Build': '/^v\\d+$/' }, 'up: status 200'],
  [{ 'X-Many': 'b' }, 'up: status 200'],
  [{ 'X-Ready': '2' }, 'down: header x-ready is not as expected'],
  [{ 'X-Build': '/^\\d+$/' }, 'down: header x-build is not as expected'],
  [{ 'X-Ready': '1', 'X-None': '*' }, 'down: no header x-none'],
];
for (const [expect_header, result] of headerCases) {
  t.test(`expect_header ${JSON.stringify(expect_header)}: ${result}`, async (t) => {
    t.equal(await resultOf(t, answering(withBody('', fields)), { expect_header }), result);
  });
}

const filler = 'x'.repeat(70_000);
const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n';
const late = `${filler.slice(0, 65_531)}ready`;
const endless: Script = async (connection) => {
  await connection.readHead();
  await connection.write('HTTP/1.1 200 OK\r\n\r\n');
  await connection.trickle(filler.repeat(3), 9000, 0);
};
const bodyCases: readonly [what: string, script: Script, expect_body: string, result: string][] = [
  ['a text that occurs', answering(withBody('I am ready.')), 'ready', 'up: status 200'],
  ['a text that does not occur', answering(withBody('not yet')), 'ready', 'down: body is not as expected'],
  ['a non-ASCII text', answering(withBody('prêt €')), 'prêt €', 'up: status 200'],
  ['an expression', answering(withBody('{"status": "OK"}')), '/"status": *"ok"/i', 'up: status 200'],
  ['an expression with $', answering(withBody('ok, nearly')), '/^ok$/', 'down: body is not as expected'],
  [
    'an expression with $ and an answer in pieces',
    inPieces(withBody('ok, nearly'), 1),
    '/^ok$/',
    'down: body is not as expected',
  ],
  ['chunks', answering(chunks), 'ready', 'up: status 200'],
  ['chunks, byte by byte', inPieces(chunks, 1), '/^ready$/', 'up: status 200'],
  ['a text over two reads', inPieces(withBody('.ready.'), 3), 'ready', 'up: status 200'],
  ['no body at all', answering('HTTP/1.1 204 No Content\r\n\r\n'), 'ready', 'down: body is not as expected'],
  ['the end of 64 KiB', answering(withBody(late)), 'ready', 'up: status 200'],
  ['a byte after 64 KiB', answering(withBody(`.${late}`)), 'ready', 'down: body is not as expected'],
  ['the end of 8 KiB', answering(withBody(`${'x'.repeat(8187)}ready`)), '/ready/', 'up: status 200'],
  [
    'behind 8 KiB',
    answering(withBody(`${'x'.repeat(8188)}ready`)),
    '/ready/',
    'down: body is not as expected',
  ],
  ['an endless body', endless, 'ready', 'down: body is not as expected'],
  [
    'a body that ends with its connection',
    (c) =>
      c
        .readHead()
        .then(() => c.write('HTTP/1.1 200 OK\r\n\r\nready'))
        .then(() => c.end()),
    '/y$/',
    'up: status 200',
  ],
  [
    'a body that is cut',
    (c) =>
      c
        .readHead()
        .then(() => c.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nrea'))
        .then(() => c.end()),
    'ready',
    'down: closed within the answer',
  ],
  [
    'an invalid chunk',
    answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
    'ready',
    'down: bad response',
  ],
  [
    'a wrong status',
    answering('HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nready'),
    'ready',
    'down: status 500',
  ],
];
for (const [what, script, expect_body, result] of bodyCases) {
  t.test(`expect_body ${expect_body}, ${what}: ${result}`, async (t) => {
    t.equal(await resultOf(t, script, { expect_body }), result);
  });
}

nothingIsLeft(t);
