import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { chunked, deadAddress, field, origin } from '../support/origin.js';

const HERE = '127.0.0.1:0';
const HTML = 'text/html; charset=utf-8';
const JSON_TEXT = '{"status": {status}, "reason": "{reason}", "id": "{request_id}"}';
const BROWSER = 'Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n';

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

async function ask(client: RawClient, path: string, fields = '', method = 'GET'): Promise<Answer> {
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return await client.response(method === 'HEAD');
}

/** A server that answers its path `/404` with that status, and so on, and the sent fields and body. */
function erring(t: Test, fields = '', body = 'x'): ReturnType<typeof origin> {
  return origin(t, async (connection) => {
    for (;;) {
      const [, status = '200'] = /^\S+ \/(\d+)/.exec(await connection.readHead()) ?? [];
      const framing = /^transfer-encoding/im.test(fields) ? '' : `Content-Length: ${body.length}\r\n`;
      await connection.write(`HTTP/1.1 ${status} Whatever\r\n${framing}${fields}\r\n${body}`);
    }
  });
}

t.test('errors of lb itself have the page of their place, in the type that the client prefers', async (t) => {
  const page = join(
    t.testdir({ 'lost.html': '<style>a{b:c}</style><h1>{title} {status}</h1>' }),
    'lost.html',
  );
  const { connect, seen } = await startBalancer(t, {
    retry: false,
    firewall_rules: { path_reject: ['/walled'] },
    error_pages: [
      { status: 404, file: page },
      { status: '400-599', text: JSON_TEXT },
    ],
    hosts: [
      {
        host: 'a',
        error_pages: [{ status: [502, 503], text: '<p>{reason} {request_id}</p>' }],
        paths: [
          { path: '/dead', servers: [await deadAddress()] },
          { path: '/limited', firewall_rules: { rate_limit: { requests: 1, per: '1h' } }, respond: {} },
          { path: '/own', respond: { status: 404, body: 'mine' } },
        ],
      },
    ],
  });
  const client = await connect();
  const lost = await ask(client, '/none');
  t.equal(lost.status, 404);
  t.equal(lost.body, '<style>a{b:c}</style><h1>Not Found 404</h1>');
  t.equal(field(lost.head, 'content-type'), HTML);
  t.equal(field(lost.head, 'content-length'), String(lost.body.length));
  t.equal(field(lost.head, 'cache-control'), 'no-store');
  t.equal(field(lost.head, 'vary'), 'Accept');
  t.equal((await ask(client, '/none', BROWSER)).body, lost.body);

  const asJson = await ask(client, '/none', 'Accept: application/json\r\n');
  t.equal(field(asJson.head, 'content-type'), 'application/json');
  t.match(JSON.parse(asJson.body), { status: 404, reason: 'no_route', id: /^[0-9a-f]{32}$/ });
  t.equal((await ask(client, '/none', 'Accept: image/png\r\n')).body, lost.body, 'rather than none');
  t.equal((await ask(client, '/none', 'Accept: text/html;q=0.1, application/json\r\n')).body[0], '{');

  const head = await ask(client, '/none', '', 'HEAD');
  t.equal(field(head.head, 'content-length'), String(lost.body.length), 'and the connection goes on');

  const dead = await ask(client, '/dead', BROWSER);
  t.match(dead, { status: 502, body: /^<p>connect_refused [0-9a-f]{32}<\/p>$/ });
  t.match(JSON.parse((await ask(client, '/dead', 'Accept: application/json\r\n')).body), { status: 502 });

  await ask(client, '/limited');
  const limited = await ask(client, '/limited');
  t.match(JSON.parse(limited.body), { status: 429, reason: 'rate_limited' });
  t.match(field(limited.head, 'retry-after'), /^\d+$/);
  t.equal((await ask(client, '/own')).body, 'mine', 'a fixed response is none of them');

  client.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  t.match(JSON.parse((await client.response()).body), { status: 400, reason: 'bad_request', id: '' });
  const other = await connect();
  t.match(JSON.parse((await ask(other, '/walled')).body), { status: 403, reason: 'blocked_path' });
  await seen.when(({ requests }) => requests.at(-1)?.reason === 'blocked_path');
  t.match(seen.requests.at(-1), { status: 403, reason: 'blocked_path' }, 'the log says what it said before');
  for (const one of [client, other]) one.destroy();
});

t.test('a page is read again by a reload, and without one an error keeps its short text', async (t) => {
  const page = join(t.testdir({ 'page.txt': 'one {status}' }), 'page.txt');
  const settings = {
    listen: HERE,
    error_pages: [{ status: 404, file: page }],
    paths: [{ path: '/x', respond: {} }],
  };
  const { balancer, connect } = await startBalancer(t, settings);
  const client = await connect();
  const lost = await ask(client, '/');
  t.equal(lost.body, 'one 404');
  t.equal(field(lost.head, 'vary'), null, 'nothing to choose');
  writeFileSync(page, 'two');
  await balancer.reload(createConfig(settings));
  t.equal((await ask(client, '/')).body, 'two');
  await balancer.reload(createConfig({ ...settings, error_pages: [{ status: 503, file: page }] }));
  t.equal((await ask(client, '/')).body, 'Not Found');
  client.destroy();
});

t.test('what is filled in cannot leave its place', async (t) => {
  const forged = '"><script>alert(1)</script>';
  const settings = (text: string): Settings => ({
    listen: HERE,
    trusted_proxies: ['127.0.0.0/8'],
    error_pages: [{ status: 404, text }],
    paths: [{ path: '/x', respond: {} }],
  });
  const { balancer, connect } = await startBalancer(t, settings('<a title="{request_id}">'));
  const client = await connect();
  const fields = `X-Request-Id: ${forged}\r\n`;
  t.notMatch((await ask(client, '/', fields)).body, /<script|"">/);
  await balancer.reload(createConfig(settings('{"id": "{request_id}"}')));
  t.match(JSON.parse((await ask(client, '/', fields)).body), { id: String });
  client.destroy();
});

t.test("a server's own error gets the page, and keeps the fields that are not about its body", async (t) => {
  const fields = [
    'Retry-After: 77',
    'Set-Cookie: a=b',
    'X-Trace: 1',
    'ETag: "x"',
    'Cache-Control: max-age=600',
    'Content-Encoding: gzip',
    'Content-Type: image/png',
    'Connection: X-Hop',
    'X-Hop: 1',
    'WWW-Authenticate: Basic',
    '',
  ].join('\r\n');
  const server = await erring(t, fields);
  const { connect, seen } = await startBalancer(t, {
    error_pages: [{ status: '400-599', text: '<p>{status} {reason}</p>', servers: true }],
    response_header_rules: { add: { 'X-Served-By': '{server}' } },
    sticky: { cookie: 'lb', secret: 'of-the-cookie-16' },
    servers: [{ address: server.address, name: 'one' }],
  });
  const client = await connect();
  const { status, head, body } = await ask(client, '/503');
  t.equal(status, 503);
  t.equal(body, '<p>503 </p>');
  t.equal(head.match(/^retry-after:/gim)?.length, 1);
  t.equal(field(head, 'retry-after'), '77');
  t.match(head, /^Set-Cookie: a=b\r\n/m);
  t.match(head, /^Set-Cookie: lb=/m);
  t.equal(field(head, 'x-trace'), '1');
  t.equal(field(head, 'x-served-by'), 'one');
  t.equal(field(head, 'content-type'), HTML);
  t.equal(field(head, 'content-length'), '11');
  t.equal(field(head, 'cache-control'), 'no-store');
  for (const gone of ['etag', 'content-encoding', 'x-hop']) t.equal(field(head, gone), null, gone);
  t.equal(head.match(/^date:/gim)?.length, 1);
  await seen.when(({ requests }) => requests.length === 1);
  t.match(seen.requests[0], { status: 503, server: 'one', reason: '', attempts: 1, bytesOut: 11 });
  t.match(seen.requests[0]?.tries, [{ server: 'one', status: 503, reason: '' }]);

  t.equal((await ask(client, '/404', '', 'HEAD')).status, 404);
  t.match(await ask(client, '/401'), { status: 401, body: 'x' }, 'a challenge is left to the server');
  t.match(await ask(client, '/200'), { status: 200, body: 'x' });
  client.destroy();
});

t.test(
  "bodies of servers' errors are read within bounds, and the connection used again where that pays",
  async (t) => {
    const page = { status: 500, text: 'page', servers: true };
    for (const [name, fields, body, reused] of [
      ['small', '', 'x'.repeat(2000), true],
      ['in chunks', 'Transfer-Encoding: chunked\r\n', chunked('y'.repeat(3000), 100).toString(), true],
      ['large', '', 'x'.repeat(500_000), false],
      ['to the end of the connection', 'Connection: close\r\n', 'x'.repeat(50), false],
    ] as const) {
      let connections = 0;
      const server = await origin(t, async (connection) => {
        connections++;
        for (;;) {
          await connection.readHead();
          const length = fields.startsWith('Transfer') ? '' : `Content-Length: ${body.length}\r\n`;
          await connection.write(`HTTP/1.1 500 Oh\r\n${length}${fields}\r\n${body}`);
        }
      });
      const { connect } = await startBalancer(t, { error_pages: [page], servers: [server.address] });
      const client = await connect();
      for (let i = 0; i < 3; i++) t.match(await ask(client, '/'), { status: 500, body: 'page' }, name);
      t.equal(connections, reused ? 1 : 3, name);
      client.destroy();
    }
  },
);

t.test(
  'an upload that a server refuses early gets the page too, and pipelined requests their own',
  async (t) => {
    const server = await erring(t, 'Connection: close\r\n');
    const { connect } = await startBalancer(t, {
      error_pages: [{ status: '400-599', text: '{status}!', servers: true }],
      servers: [server.address],
    });
    const client = await connect();
    client.send('POST /413 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc');
    t.match(await client.response(), { status: 413, body: '413!' });
    client.destroy();
    const other = await connect();
    other.send(['/500', '/200', '/404'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    t.match(await other.response(), { status: 500, body: '500!' });
    t.match(await other.response(), { status: 200, body: 'x' });
    t.match(await other.response(), { status: 404, body: '404!' });
    other.destroy();
  },
);

t.test('what is tried again is tried before any page is shown', async (t) => {
  const bad = await origin(t, answering('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'));
  const good = await origin(t, answering(OK));
  const settings = {
    listen: HERE,
    error_pages: [{ status: 503, text: 'page', servers: true }],
    algorithm: 'first' as const,
    passive_health: false as const,
    servers: [bad.address, good.address],
  };
  const { balancer, connect, seen } = await startBalancer(t, { ...settings, retry: { on: [503] } });
  const client = await connect();
  t.equal((await ask(client, '/')).status, 200);
  await balancer.reload(createConfig({ ...settings, servers: [bad.address], retry: { on: [503] } }));
  t.match(await ask(client, '/'), { status: 503, body: 'page' });
  await seen.when(({ requests }) => requests.length === 2);
  t.match(seen.requests[1], { status: 503, reason: '' });
  client.destroy();
});

nothingIsLeft(t);
