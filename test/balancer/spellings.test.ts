import t, { type Test } from 'tap';
import type { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin, type ReceivedRequest, readRequest } from '../support/origin.js';

type Settings = NonNullable<Parameters<typeof createConfig>[0]>;

/** Spellings of X-User that servers with CGI, WSGI or PHP behind them read as HTTP_X_USER. */
const SPELLINGS = ['X_User', 'X.User', 'x_uSER', 'X~User', 'X!User', "X'User", 'X+User', 'X|User', 'X`User'];

/** A balancer before a server that answers its `name`, and what the server got last. */
async function throughServer(t: Test, settings: (address: string) => Settings) {
  let got: ReceivedRequest | undefined;
  const server = await origin(t, async (connection) => {
    for (;;) {
      got = await readRequest(connection);
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  });
  const started = await startBalancer(t, settings(server.address));
  const client = await started.connect();
  return {
    ...started,
    /** The status of the answer. */
    ask: async (fields: readonly string[], host = 'a.test'): Promise<number> => {
      client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`);
      return (await client.response()).status;
    },
    /** Sends a chunked body with these trailers. */
    askWithTrailers: async (trailers: readonly string[], host = 'a.test'): Promise<number> => {
      const lines = trailers.map((line) => `${line}\r\n`).join('');
      client.send(
        `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${lines}\r\n`,
      );
      return (await client.response()).status;
    },
    /** Lines of the head that the server got, of names that could be X-User. */
    users: (): string[] => (got?.head ?? '').split('\r\n').filter((line) => /^x.user:/i.test(line)),
    received: (): ReceivedRequest => got as ReceivedRequest,
  };
}

t.test('a field that a rule sets, removes or edits cannot come in by another spelling', async (t) => {
  for (const [rules, expected] of [
    [{ add: { 'X-User': 'rule' } }, ['X-User: rule']],
    [{ remove: ['X-User'] }, []],
    [{ add: { 'X-User': 'rule' }, append: { 'X-User': 'more' } }, ['X-User: rule', 'X-User: more']],
  ] as const) {
    const { ask, users } = await throughServer(t, (address) => ({
      servers: [address],
      header_rules: rules as NonNullable<Settings['header_rules']>,
    }));
    for (const name of SPELLINGS) {
      await ask([`${name}: admin`]);
      t.same(users(), expected, `${name} alone`);
      await ask(['X-User: ann', `${name}: admin`, 'x-user: ben']);
      t.same(users(), expected, `${name} among X-User`);
    }
  }
  const { ask, users } = await throughServer(t, (address) => ({
    servers: [address],
    header_rules: { replace: { 'X-User': { admin: 'nobody' } } },
  }));
  await ask(['X_User: admin', 'X-User: admin', 'X.User: ann']);
  t.same(users(), ['X_User: nobody', 'X-User: nobody', 'X.User: ann']);
});

t.test('two spellings that the settings name are two fields, each as its own rule has it', async (t) => {
  const { ask, users } = await throughServer(t, (address) => ({
    servers: [address],
    header_rules: { add: { 'X-User': 'one', X_User: 'two' }, remove: ['X.User'] },
  }));
  await ask(['X-User: a', 'X_User: b', 'X.User: c', 'X~User: d']);
  t.same(users().sort(), ['X-User: one', 'X_User: two']);
});

t.test('a name with other marks that no rule names passes unchanged', async (t) => {
  const { ask, users, received } = await throughServer(t, (address) => ({
    servers: [address],
    header_rules: { add: { 'X-Other': '1' } },
  }));
  await ask(['X_User: ann', 'X.User: ben', 'XUser: cem', 'X-Use_r: dee']);
  t.same(users(), ['X_User: ann', 'X.User: ben']);
  t.match(received().head, 'XUser: cem\r\nX-Use_r: dee\r\n');
});

t.test('header_reject refuses a field in every spelling', async (t) => {
  const { ask } = await throughServer(t, (address) => ({
    servers: [address],
    firewall_rules: { header_reject: { 'X-User': 'admin' } },
  }));
  t.equal(await ask(['X-User: admin']), 403);
  for (const name of SPELLINGS) t.equal(await ask([`${name}: admin`]), 403, name);
  t.equal(await ask(['X_User: ann']), 200);
});

t.test('a condition on a header is met by every spelling of it', async (t) => {
  const { ask } = await throughServer(t, (address) => ({
    routes: [
      {
        match: { header: { 'X-User': 'admin' } },
        servers: [address],
        firewall_rules: { ip_allow: ['10.0.0.1'] },
      },
    ],
    servers: [address],
  }));
  for (const name of SPELLINGS) t.equal(await ask([`${name}: admin`]), 403, name);
});

t.test('a field by which requests are judged is not sent in a second spelling', async (t) => {
  for (const settings of [
    { routes: [{ match: { header: { 'X-User': 'ann' } }, respond: {} }] },
    { firewall_rules: { header_reject: { 'X-User': 'admin' } } },
    { firewall_rules: { rate_limit: { requests: 99, per: '1s', key: 'header.X-User' } } },
    { sticky: { header: 'X-User' } },
    { algorithm: { name: 'hash', on: 'header.X-User' } },
    { hosts: [{ host: 'b.test', firewall_rules: { header_reject: { 'X-User': 'x' } }, respond: {} }] },
  ] as readonly Settings[]) {
    const { ask, users, askWithTrailers, received } = await throughServer(t, (address) => ({
      servers: [address],
      ...settings,
    }));
    await ask(['X_User: eli', 'X-User: ben', 'X.User: fay']);
    t.same(users(), ['X-User: ben'], JSON.stringify(settings));
    await ask(['X_User: eli']);
    t.same(users(), ['X_User: eli'], 'a single spelling is what was judged');
    await askWithTrailers(['X-User: eli', 'X_User: eli', 'X-Sum: 1']);
    t.equal(received().trailers, 'X-Sum: 1\r\n');
  }
});

t.test('a client is counted, bound and hashed by a header in whatever spelling', async (t) => {
  const limited = await throughServer(t, (address) => ({
    servers: [address],
    firewall_rules: { rate_limit: { requests: 2, per: '1h', burst: 2, key: 'header.X-User' } },
  }));
  t.same(
    [
      await limited.ask(['X-User: ann']),
      await limited.ask(['X_User: ann']),
      await limited.ask(['X.User: ann']),
      await limited.ask(['X_User: ben', 'X-User: ann']),
      await limited.ask(['X.User: ben']),
    ],
    [200, 200, 429, 429, 200],
  );
  for (const terms of [
    { sticky: { header: 'X-User' } },
    { algorithm: { name: 'hash', on: 'header.X-User' } },
  ]) {
    const servers = await Promise.all(
      [0, 1, 2].map((index) =>
        origin(t, async (connection) => {
          for (;;) {
            await readRequest(connection);
            await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${index}`);
          }
        }),
      ),
    );
    const { connect } = await startBalancer(t, {
      servers: servers.map(({ address }) => address),
      ...(terms as Settings),
    });
    const client = await connect();
    const server = async (line: string): Promise<string> => {
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
      return (await client.response()).body;
    };
    for (const user of ['ann', 'ben', 'cem', 'dee', 'eli'])
      t.equal(await server(`X_User: ${user}`), await server(`X-User: ${user}`), user);
  }
});

t.test('no client can send our own fields in another spelling, in head or trailers', async (t) => {
  const own = [
    'X_Forwarded_For: 6.6.6.6',
    'X.Forwarded.For: 6.6.6.6',
    'X-Forwarded_For: 6.6.6.6',
    'X~Forwarded~Proto: https',
    'X.Forwarded.Evil: 1',
    'X_Forwarded-Prefix: /x',
    'X_Request_Id: evil',
    'X.Request-Id: evil',
    'X_Real_Ip: 6.6.6.6',
    'Content_Length: 5',
    'Transfer.Encoding: chunked',
    'Keep_Alive: 1',
  ];
  for (const trusted of [[], ['127.0.0.1']]) {
    const { ask, askWithTrailers, received } = await throughServer(t, (address) => ({
      servers: [address],
      trusted_proxies: trusted,
    }));
    await ask(own);
    t.notMatch(received().head, /6\.6\.6\.6|evil|https|\/x|_|^Transfer\./im);
    await askWithTrailers([
      ...own,
      'X-Request-Id: evil',
      'X-Forwarded-For: 6.6.6.6',
      'Content_Type: x',
      'A_B: 1',
    ]);
    t.equal(received().trailers, 'A_B: 1\r\n');
  }
});

t.test('a field that a rule sets, removes or edits cannot come in by trailers', async (t) => {
  const { askWithTrailers, received } = await throughServer(t, (address) => ({
    servers: [address],
    header_rules: {
      add: { 'X-User': 'rule' },
      remove: ['X-Gone'],
      replace: { 'X-Edited': { a: 'b' } },
      append: { 'X-More': '1' },
    },
  }));
  await askWithTrailers(['X-User: admin', 'x_gone: 1', 'X.Edited: a', 'X-More: 2', 'Expires: 0', 'X-Sum: 1']);
  t.equal(received().trailers, 'X-More: 2\r\nX-Sum: 1\r\n');
});

t.test('a response field that a rule removes reaches the client in no spelling and no trailer', async (t) => {
  const server = await origin(t, async (connection) => {
    await readRequest(connection);
    await connection.write(
      'HTTP/1.1 200 OK\r\nX_Secret: 1\r\nX-Secret: 2\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '1\r\nx\r\n0\r\nX-Secret: 3\r\nX.Secret: 4\r\nX-Sum: 5\r\n\r\n',
    );
  });
  const { connect } = await startBalancer(t, {
    servers: [server.address],
    response_header_rules: { remove: ['X-Secret'] },
  });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n');
  const { head, trailers } = await client.response();
  t.notMatch(head, /secret/i);
  t.equal(trailers, 'X-Sum: 5\r\n');
});

nothingIsLeft(t);
