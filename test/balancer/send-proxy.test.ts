import t, { type Test } from 'tap';
import { type RawConnection, startRawServer } from '../../fixtures/raw-server.js';
import { createConfig } from '../../lib/config/config.js';
import { ProxyHeaderParser } from '../../lib/net/proxy-header.js';
import { startBalancer } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { oneThread, SWITCHED_WORKERS } from '../support/thread-switch.js';

/** Reads the header that a connection begins with, and no byte more. */
async function readHeader(connection: RawConnection): Promise<string> {
  const parser = new ProxyHeaderParser();
  while (parser.header === null && parser.refusal === null) parser.read(await connection.read(1), 0, 1);
  const { header, refusal } = parser;
  if (header === null) throw new Error(refusal?.detail);
  if (header.isLocal) return 'local';
  if (header.ends === null) return 'unknown';
  const { source, sourcePort, destination, destinationPort } = header.ends;
  return `v${header.version} ${source.text}:${sourcePort} ${destination.text}:${destinationPort}`;
}

function ok(body: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A server that expects PROXY headers, and answers with the header of the connection that a request came by. */
async function startAnnounced(t: Test) {
  const headers: string[] = [];
  const server = await startRawServer(async (connection, index) => {
    const header = await readHeader(connection);
    headers.push(header);
    for (;;) {
      await connection.readHead();
      await connection.write(ok(`${index} ${header}`));
    }
  });
  t.teardown(() => server.close());
  return { server, address: server.address, headers };
}

async function get(client: RawClient): Promise<string> {
  client.send(GET);
  return (await client.response()).body;
}

/** How a server is told of `client`. */
function ends(client: RawClient, port: number, version: 'v1' | 'v2'): string {
  return `${version} 127.0.0.1:${client.socket.localPort} 127.0.0.1:${port}`;
}

for (const means of ['fast', 'documented'] as const) {
  for (const version of ['v1', 'v2'] as const) {
    t.test(
      `${means} sockets: with send_proxy: ${version} each connection begins with the client's address and port, and is that client's alone`,
      async (t) => {
        const { server, address } = await startAnnounced(t);
        const servers = [{ address, send_proxy: version }];
        const { connect, port } = await startBalancer(t, { servers }, { sockets: means });
        const [one, other] = [await connect(), await connect()];
        const [ofOne, ofOther] = [ends(one, port, version), ends(other, port, version)];
        t.equal(await get(one), `0 ${ofOne}`);
        t.equal(await get(other), `1 ${ofOther}`, 'an idle connection of another client is not lent');
        t.equal(await get(one), `0 ${ofOne}`, 'its own is used again');
        t.equal(await get(other), `1 ${ofOther}`);
        t.equal(server.accepted, 2);
        one.destroy();
        await until(() => server.connections === 1);
        t.equal(await get(other), `1 ${ofOther}`, 'what goes with a client is its own connections');
        other.destroy();
        await until(() => server.connections === 0);
      },
    );
  }
}

t.test(
  'a request with a body, and one that is pipelined by its client, come by the connection of their client',
  async (t) => {
    const { address } = await startAnnounced(t);
    const servers = [{ address, send_proxy: 'v1' as const }];
    const { connect, port } = await startBalancer(t, { servers, pool: { pipelining: 8 } });
    const [one, other] = [await connect(), await connect()];
    one.send(GET.repeat(3));
    other.send(GET.repeat(3));
    for (const [client, what] of [
      [one, ends(one, port, 'v1')],
      [other, ends(other, port, 'v1')],
    ] as const)
      for (let i = 0; i < 3; i++) t.match((await client.response()).body, what);
  },
);

t.test('one client has a connection to each of several servers, and keeps them all', async (t) => {
  const [a, b] = [await startAnnounced(t), await startAnnounced(t)];
  const servers = [a, b].map(({ address }) => ({ address, send_proxy: 'v2' as const }));
  const { connect } = await startBalancer(t, { servers });
  const client = await connect();
  for (let i = 0; i < 6; i++) await get(client);
  t.same([a.server.accepted, b.server.accepted], [1, 1]);
});

t.test('clients still share connections to a server without send_proxy', async (t) => {
  const plain = await startRawServer(async (connection, index) => {
    for (;;) {
      await connection.readHead();
      await connection.write(ok(`plain ${index}`));
    }
  });
  t.teardown(() => plain.close());
  const announced = await startAnnounced(t);
  const servers = [plain.address, { address: announced.address, send_proxy: 'v2' as const }];
  const { connect } = await startBalancer(t, { servers });
  for (let i = 0; i < 4; i++) {
    const client = await connect();
    await get(client);
    await get(client);
  }
  t.ok(plain.accepted <= SWITCHED_WORKERS, 'each thread has one');
  t.equal(announced.server.accepted, 4);
});

t.test('a retry on another server announces the client there', async (t) => {
  const broken = await startRawServer(async (connection) => {
    await readHeader(connection);
    await connection.readHead();
    connection.reset();
  });
  t.teardown(() => broken.close());
  const { address } = await startAnnounced(t);
  const servers = [broken.address, address].map((to) => ({ address: to, send_proxy: 'v1' as const }));
  const { connect, port } = await startBalancer(t, {
    servers,
    algorithm: 'first',
    retry: { on: ['connect', 'reset'] },
  });
  const client = await connect();
  t.equal(await get(client), `0 ${ends(client, port, 'v1')}`);
});

t.test(
  'a kept connection that the server closed is replaced by one that announces the client again',
  async (t) => {
    let closes: (() => void)[] = [];
    const headers: string[] = [];
    const server = await startRawServer(async (connection, index) => {
      headers.push(await readHeader(connection));
      closes.push(() => connection.end());
      for (;;) {
        await connection.readHead();
        await connection.write(ok(String(index)));
      }
    });
    t.teardown(() => server.close());
    const { connect } = await startBalancer(t, { servers: [{ address: server.address, send_proxy: 'v2' }] });
    const client = await connect();
    t.equal(await get(client), '0');
    for (const close of closes) close();
    closes = [];
    await until(() => server.connections === 0);
    t.equal(await get(client), '1');
    t.equal(headers[0], headers[1]);
  },
);

t.test('with max_connections an idle connection of another client makes room', async (t) => {
  const { server, address } = await startAnnounced(t);
  const servers = [{ address, send_proxy: 'v1' as const, max_connections: 1 }];
  const { connect, port } = await startBalancer(t, { servers });
  const [one, other] = [await connect(), await connect()];
  for (let i = 0; i < 3; i++) {
    t.match(await get(one), ends(one, port, 'v1'));
    t.match(await get(other), ends(other, port, 'v1'));
  }
  t.equal(server.accepted, 6);
  await until(() => server.connections === 1);
});

t.test(
  'a request that waits for a connection in use gets one of its own when that is given back',
  async (t) => {
    let answer: () => void = () => {};
    const server = await startRawServer(async (connection) => {
      const header = await readHeader(connection);
      await connection.readHead();
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      await connection.write(ok(header));
      await connection.hang();
    });
    t.teardown(() => server.close());
    const servers = [{ address: server.address, send_proxy: 'v1' as const, max_connections: 1 }];
    const { connect, port } = await startBalancer(t, { servers });
    const [one, other] = [await connect(), await connect()];
    one.send(GET);
    await until(() => server.accepted === 1);
    other.send(GET);
    await until(() => answer.name !== 'answer');
    answer();
    t.equal((await one.response()).body, ends(one, port, 'v1'));
    await until(() => server.accepted === 2);
    await until(() => {
      answer();
      return other.received !== '';
    });
    t.equal((await other.response()).body, ends(other, port, 'v1'));
  },
);

t.test('pool.max_idle bounds the connections that wait for their clients', async (t) => {
  const { server, address } = await startAnnounced(t);
  const servers = [{ address, send_proxy: 'v1' as const }];
  const { connect } = await startBalancer(
    t,
    { servers, pool: { max_idle: 2 } },
    oneThread('each thread keeps unused connections of its own'),
  );
  const clients = [];
  for (let i = 0; i < 5; i++) {
    const client = await connect();
    await get(client);
    clients.push(client);
  }
  await until(() => server.connections === 2);
  t.match(await get(clients[4] as RawClient), /^4 /, 'what was used last stays');
  t.match(await get(clients[0] as RawClient), /^5 /);
});

t.test('pool.idle_timeout closes a connection while its client stays', async (t) => {
  const { server, address } = await startAnnounced(t);
  const servers = [{ address, send_proxy: 'v1' as const }];
  const settings = { servers, pool: { idle_timeout: '4s' } };
  const { connect, clock } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  await get(client);
  clock.advance(3000);
  t.equal(server.connections, 1);
  clock.advance(2000);
  await until(() => server.connections === 0);
  t.match(await get(client), /^1 /);
});

t.test('health checks announce themselves: LOCAL in version 2, UNKNOWN in version 1', async (t) => {
  for (const [version, type, header] of [
    ['v1', 'http', 'unknown'],
    ['v2', 'http', 'local'],
    ['v1', 'tcp', 'unknown'],
    ['v2', 'tcp', 'local'],
  ] as const) {
    const { address, headers } = await startAnnounced(t);
    const servers = [{ address, send_proxy: version }];
    const health_check = type === 'http' ? { path: '/' } : { type };
    const { seen } = await startBalancer(t, { servers, health_check });
    await seen.when(({ checks }) => checks.length > 0);
    t.equal(seen.checks[0]?.ok, true, `${version} ${type}`);
    await until(() => headers.length > 0);
    t.equal(headers[0], header, `${version} ${type}`);
  }
});

t.test('a check at another port announces nothing', async (t) => {
  const { address } = await startAnnounced(t);
  const beside = await startRawServer(async (connection) => {
    t.match(await connection.readHead(), /^GET /);
    await connection.write(ok(''));
  });
  t.teardown(() => beside.close());
  const servers = [{ address, send_proxy: 'v2' as const }];
  const { seen } = await startBalancer(t, { servers, health_check: { path: '/', port: beside.port } });
  await seen.when(({ checks }) => checks.length > 0);
  t.equal(seen.checks[0]?.ok, true);
});

t.test(
  'a reload that switches send_proxy on or off lets no request reach the server by an old connection',
  async (t) => {
    let expects = false;
    const server = await startRawServer(async (connection, index) => {
      const header = expects ? await readHeader(connection) : 'none';
      for (;;) {
        t.match(await connection.readHead(), /^GET /);
        await connection.write(ok(`${index} ${header}`));
      }
    });
    t.teardown(() => server.close());
    const settings = (version?: 'v1' | 'v2') => ({
      listen: '127.0.0.1:0',
      health_check: false as const,
      passive_health: false as const,
      servers: [{ address: server.address, ...(version === undefined ? {} : { send_proxy: version }) }],
    });
    const { balancer, connect, port } = await startBalancer(t, settings());
    const client = await connect();
    t.equal(await get(client), '0 none');
    expects = true;
    await balancer.reload(createConfig(settings('v1')));
    t.equal(await get(client), `1 ${ends(client, port, 'v1')}`);
    await balancer.reload(createConfig(settings('v2')));
    t.equal(await get(client), `2 ${ends(client, port, 'v2')}`);
    await balancer.reload(createConfig(settings('v2')));
    t.equal(await get(client), `2 ${ends(client, port, 'v2')}`, 'one that changes nothing');
    expects = false;
    await balancer.reload(createConfig(settings()));
    t.equal(await get(client), '3 none');
  },
);

t.test('a server that answers nothing, or refuses, is left in time', async (t) => {
  const { connect } = await startBalancer(t, { servers: [{ address: '127.0.0.1:1', send_proxy: 'v2' }] });
  const client = await connect();
  client.send(GET);
  t.equal((await client.response()).status, 502);
});

t.test('a client that leaves while its connection is being opened leaves none behind', async (t) => {
  const { server, address } = await startAnnounced(t);
  const { connect } = await startBalancer(t, { servers: [{ address, send_proxy: 'v2' }] });
  for (let i = 0; i < 20; i++) {
    const client = await connect();
    client.send(GET);
    if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    client.reset();
    await client.gone();
  }
  const client = await connect();
  await get(client);
  await until(() => server.connections === 1);
});

nothingIsLeft(t);
