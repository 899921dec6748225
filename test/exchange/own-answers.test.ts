import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { deadAddress, field, origin } from '../support/origin.js';

/** Local replies: a browser must find CORS and HSTS in them, as in answers of servers. */

const CORS = {
  add: { 'Access-Control-Allow-Origin': '*', 'X-Path': '{path}', 'X-Served-By': '[{server}]' },
  append: { Vary: 'Origin' },
};

t.test('a local reply carries the response_header_rules of its route', async (t) => {
  const dead = await deadAddress();
  const silent = await origin(t, (connection) => connection.hang());
  const garbage = await origin(t, answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx`));
  const good = await origin(t, answering(OK));
  const { connect } = await startBalancer(t, {
    retry: false,
    timeouts: { response_header: '200ms' },
    limits: { body_bytes: 10 },
    response_header_rules: { add: { 'Strict-Transport-Security': 'max-age=1' } },
    firewall_rules: { path_reject: ['/nowhere'] },
    hosts: [
      {
        host: 'a',
        response_header_rules: CORS,
        paths: [
          { path: '/dead', servers: [dead] },
          { path: '/silent', servers: [silent.address] },
          { path: '/garbage', servers: [garbage.address] },
          { path: '/walled', firewall_rules: { path_reject: ['/'] }, servers: [good.address] },
          {
            path: '/limited',
            firewall_rules: { rate_limit: { requests: 1, per: '1h', burst: 1 } },
            servers: [good.address],
          },
          { path: '/good', servers: [good.address] },
        ],
      },
    ],
  });
  const ask = async (path: string, host = 'a', fields = '', body = ''): Promise<[number, string]> => {
    const client = await connect();
    client.send(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n${body}`);
    const { status, head } = await client.response();
    client.destroy();
    return [status, head];
  };
  await ask('/limited');
  for (const [path, expected, fields = '', body = ''] of [
    ['/dead', 502],
    ['/silent', 504],
    ['/garbage', 502],
    ['/walled', 403],
    ['/limited', 429],
    ['/none', 404],
    ['/good', 413, 'Content-Length: 11\r\n'],
    ['/good', 413, 'Transfer-Encoding: chunked\r\n', 'b\r\n01234567890\r\n'],
  ] as const) {
    const [status, head] = await ask(path, 'a', fields, body);
    t.equal(status, expected, path);
    t.equal(field(head, 'access-control-allow-origin'), '*', path);
    t.equal(field(head, 'x-path'), path);
    t.equal(field(head, 'x-served-by'), '[]', 'no server answered');
    t.equal(field(head, 'vary'), 'Origin');
    t.equal(field(head, 'strict-transport-security'), 'max-age=1');
    t.equal(field(head, 'cache-control'), 'no-store');
    t.equal(head.match(/^content-length:/gim)?.length, 1);
  }
  for (const [path, host, expected, fields = ''] of [
    ['/', 'b', 404],
    ['/nowhere', 'a', 403],
    ['/%', 'a', 400],
    ['/', 'a', 400, 'A : b\r\n'],
    ['/', 'a', 417, 'Expect: x\r\n'],
    [`/${'a'.repeat(9000)}`, 'a', 414],
  ] as const) {
    const [status, head] = await ask(path, host, fields);
    t.equal(status, expected, `${expected} before any route`);
    t.equal(field(head, 'strict-transport-security'), 'max-age=1', 'the rules of the file');
    t.equal(field(head, 'x-path'), null, 'and not those of a route');
  }
});

t.test('no rule makes a local error cacheable, or sets Content-Type of its text', async (t) => {
  const dead = await deadAddress();
  const { connect } = await startBalancer(t, {
    retry: false,
    response_header_rules: {
      add: {
        'Cache-Control': 'public, max-age=3600',
        Expires: 'Thu, 01 Jan 2099 00:00:00 GMT',
        ETag: '"x"',
        'Last-Modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
        'CDN-Cache-Control': 'max-age=60',
        'Content-Encoding': 'gzip',
        'Content-Type': 'application/json',
        'Retry-After': '7',
        'X-Ok': '1',
      },
      append: { 'cache-control': 'immutable' },
      replace: { 'Cache-Control': { 'no-store': 'public' } },
    },
    hosts: [
      { host: 'dead', servers: [dead] },
      { host: 'down', response_header_rules: { remove: ['Cache-Control', 'Date'] }, servers: [dead] },
      { host: 'own', respond: { status: 503, body: 'x', headers: { 'Cache-Control': 'max-age=5' } } },
      { host: 'fine', respond: { status: 200, body: 'x' } },
    ],
  });
  const ask = async (host: string): Promise<string> => {
    const client = await connect();
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { head } = await client.response();
    client.destroy();
    return head;
  };
  for (const host of ['dead', 'down', 'nobody']) {
    const head = await ask(host);
    t.strictSame(
      head.match(/^(cache-control|expires|etag|last-modified|cdn-cache-control|content-[et]).*(?=\r)/gim),
      ['Content-Type: text/plain; charset=utf-8', 'Cache-Control: no-store'],
      host,
    );
    t.strictSame(head.match(/^(retry-after|x-ok).*(?=\r)/gim)?.toSorted(), ['Retry-After: 7', 'X-Ok: 1']);
  }
  t.notMatch(await ask('down'), /^date/im, 'everything else follows the rules');
  t.strictSame((await ask('own')).match(/^(cache-control|etag).*(?=\r)/gim), ['Cache-Control: max-age=5']);
  t.match(
    await ask('fine'),
    /\r\nCache-Control: public, max-age=3600\r\n/,
    'an answer that is no error may be cached',
  );
});

t.test(
  'the body of a fixed response is read from a file with the settings, and again by a reload',
  async (t) => {
    const image = Buffer.from([0x89, 0x50, 0, 0xff, 0xc3, 0x28, 0x0d, 0x0a]);
    const directory = t.testdir({ 'page.html': '<h1>Zur\u00fcck um zw\u00f6lf</h1>', 'no.txt': '' });
    const files = { page: join(directory, 'page.html'), image: join(directory, 'logo.PNG') };
    writeFileSync(files.image, image);
    const settings: Settings = {
      paths: [
        { path: '/page', respond: { status: 503, file: files.page, headers: { 'Retry-After': '60' } } },
        { path: '/image', respond: { file: files.image } },
        { path: '/as', respond: { file: files.image, headers: { 'content-type': 'image/x-own' } } },
        { path: '/empty', respond: { file: join(directory, 'no.txt') } },
      ],
    };
    const { balancer, connect } = await startBalancer(t, settings);
    const client = await connect();
    const ask = async (path: string, method = 'GET'): Promise<readonly unknown[]> => {
      client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const { status, head, body } = await client.response(method === 'HEAD');
      return [status, field(head, 'content-type'), field(head, 'content-length'), body];
    };
    const html = 'text/html; charset=utf-8';
    const page = Buffer.from('<h1>Zur\u00fcck um zw\u00f6lf</h1>').toString('latin1');
    t.same(await ask('/page'), [503, html, String(page.length), page]);
    t.same(await ask('/page', 'HEAD'), [503, html, String(page.length), '']);
    t.same(await ask('/image'), [200, 'image/png', '8', image.toString('latin1')]);
    t.same(await ask('/as'), [200, 'image/x-own', '8', image.toString('latin1')]);
    t.same(await ask('/empty'), [200, 'text/plain; charset=utf-8', '0', '']);
    writeFileSync(files.page, 'soon');
    await balancer.reload(createConfig(settings));
    t.same(await ask('/page'), [503, html, '4', 'soon'], 'on the same connection');
    client.destroy();
  },
);

nothingIsLeft(t);
