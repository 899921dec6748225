import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field, origin } from '../support/origin.js';

t.test('{scheme}, conditions and guards follow a trusted proxy and no other client', async (t) => {
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
    t.equal(field(heads.at(-1) ?? '', 'x-forwarded-proto'), scheme, 'and servers are told the same');
    t.equal(/; Secure/.test(head), trusted);
    t.equal((await ask('/', 'X-Forwarded-Proto: ftp\r\n')).status, 403, 'a guard refuses a claim as well');
    t.equal((await ask('/', 'X-Forwarded-Port: 1\r\n')).status, 403);
    t.equal((await ask('/', '')).status, 200);
  }
});

nothingIsLeft(t);
