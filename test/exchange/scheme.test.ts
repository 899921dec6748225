import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field, origin } from '../support/origin.js';
import { unlessTls } from '../support/tls-switch.js';

t.test(
  '{scheme}, conditions and guards use the scheme that a trusted proxy reports, and no other client',
  unlessTls('the scheme is https, whoever says what'),
  async (t) => {
    const heads: string[] = [];
    const server = await origin(t, async (connection) => {
      for (;;) {
        heads.push(await connection.readHead());
        await connection.write(OK);
      }
    });
    const settings = {
      servers: [server.address],
      header_rules: { add: { 'X-Scheme': '{scheme} {header.X-Forwarded-Proto}' } },
      sticky: { cookie: 'lb' },
      routes: [
        { match: { path: '/only-tls', not: { scheme: 'https' } }, redirect: { to: 'https://{host}{path}' } },
        { match: { path: '/to' }, redirect: { to: '{scheme}://other.test{path}' } },
        {
          match: { path: '/header', header: { 'X-Forwarded-Proto': 'https' } },
          respond: { status: 200, body: 'https' },
        },
      ],
    };
    for (const trusted of [true, false]) {
      const { connect } = await startBalancer(t, {
        ...settings,
        trusted_proxies: trusted ? ['127.0.0.1'] : [],
        firewall_rules: { header_reject: { 'X-Forwarded-Proto': 'ftp', 'X-Forwarded-Port': '*' } },
      });
      const ask = async (path: string, claims: string) => {
        const client = await connect();
        client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${claims}\r\n`);
        const answer = await client.response();
        client.destroy();
        return answer;
      };
      const told = 'X-Forwarded-Proto: https\r\n';
      t.equal((await ask('/only-tls', told)).status, trusted ? 200 : 302);
      t.equal(
        field((await ask('/to', told)).head, 'location'),
        `${trusted ? 'https' : 'http'}://other.test/to`,
      );
      t.equal((await ask('/header', told)).body, trusted ? 'https' : 'ok');
      const { head } = await ask('/', 'Forwarded: proto=https\r\n');
      const scheme = trusted ? 'https' : 'http';
      t.equal(field(heads.at(-1) ?? '', 'x-scheme'), `${scheme} ${scheme}`);
      t.equal(field(heads.at(-1) ?? '', 'x-forwarded-proto'), scheme, 'and servers get the same scheme');
      t.equal(/; Secure/.test(head), trusted);
      t.equal(
        (await ask('/', 'X-Forwarded-Proto: ftp\r\n')).status,
        403,
        'a guard also refuses a false claim',
      );
      t.equal((await ask('/', 'X-Forwarded-Port: 1\r\n')).status, 403);
      t.equal((await ask('/', '')).status, 200);
    }
  },
);

t.test(
  'hsts is sent only over https, replaces the value of the server, and can be set per host',
  async (t) => {
    const server = await origin(t, async (connection) => {
      for (;;) {
        await connection.readHead();
        await connection.write(
          'HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n',
        );
      }
    });
    const { connect } = await startBalancer(t, {
      trusted_proxies: ['127.0.0.1'],
      hsts: '365d',
      servers: [server.address],
      paths: [{ path: '/none', respond: { status: 204 } }],
      hosts: [
        {
          host: 'sub.test',
          hsts: { max_age: '1y', include_subdomains: true, preload: true },
          servers: [server.address],
        },
        { host: 'off.test', hsts: 0, redirect: { to: 'https://a' } },
      ],
    });
    const ask = async (host: string, scheme: string, path = '/') => {
      const client = await connect();
      client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Proto: ${scheme}\r\n\r\n`);
      const { head } = await client.response();
      client.destroy();
      return field(head, 'strict-transport-security') ?? '';
    };
    t.equal(await ask('a', 'https'), 'max-age=31536000');
    t.equal(await ask('a', 'https', '/none'), 'max-age=31536000', 'also in local replies');
    t.equal(await ask('a', 'http'), 'max-age=1', 'the field of a server over http is passed on');
    t.equal(await ask('a', 'http', '/none'), '');
    t.equal(await ask('sub.test', 'https'), 'max-age=31536000; includeSubDomains; preload');
    t.equal(await ask('off.test', 'https'), 'max-age=0', 'redirects too');
  },
);

nothingIsLeft(t);
