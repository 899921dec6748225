import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Server } from '../../lib/servers/server.js';
import { startBalancer } from '../support/balancer.js';
import { onCreated } from '../support/created.js';
import { GET } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { deadAddress, origin, readRequest } from '../support/origin.js';
import { oneThread } from '../support/thread-switch.js';

const PUT = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';

/** The test looks into the servers of its own thread. */
const LOOKED_INTO = oneThread('what a thread has counted of a server is looked at in it');

/** The outcomes of attempts that each server was told, by name. */
class Outcomes {
  readonly servers = new Map<string, Server>();
  readonly told: string[] = [];

  constructor(t: Test) {
    onCreated(t, 'lb:server', (server) => {
      if (this.servers.has(server.name)) return;
      this.servers.set(server.name, server);
      server.watch({
        onOutcome: (_server, { kind, status, durationMs }) =>
          void this.told.push(`${kind} ${status}${durationMs >= 0 && durationMs < 5000 ? '' : ' too long'}`),
      });
    });
  }

  totals(name: string): unknown {
    const { responses, ...totals } = (this.servers.get(name) as Server).totals;
    return { ...totals, responses: responses.join(' ') };
  }
}

const NONE = {
  requests: 0,
  failures: 0,
  connectFailures: 0,
  resets: 0,
  retries: 0,
  bytesIn: 0,
  bytesOut: 0,
  responses: '0 0 0 0 0 0 0 0 0 0',
};

t.test('the counters of a server count its own requests and outcomes', async (t) => {
  const outcomes = new Outcomes(t);
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nno!',
    'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n',
    'garbage\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok',
  ];
  let reset = (): void => {};
  const server = await origin(t, async (connection) => {
    for (;;) {
      await readRequest(connection);
      const answer = answers.shift();
      if (answer === undefined) return connection.reset();
      await connection.write(answer);
      if (answer.includes('9')) {
        await new Promise<void>((resolve) => {
          reset = resolve;
        });
        return connection.reset();
      }
    }
  });
  const { connect } = await startBalancer(
    t,
    { servers: [server.address], retry: { attempts: 0 } },
    LOOKED_INTO,
  );
  for (const [request, status] of [
    [PUT, 200],
    [GET, 404],
    [GET, 500],
    [GET, 502],
    [GET, 0],
    [PUT, 502],
  ] as const) {
    const client = await connect();
    client.send(request);
    if (status === 0) {
      // A reset would overtake what the balancer has not read yet.
      await client.until('ok');
      reset();
      await client.gone();
    } else t.equal((await client.response()).status, status);
  }
  t.strictSame(outcomes.told, [
    'ok 200',
    'ok 404',
    'error_status 500',
    'bad_response 0',
    'reset 200',
    'reset 0',
  ]);
  t.strictSame(outcomes.totals(server.address), {
    ...NONE,
    requests: 6,
    failures: 3,
    resets: 2,
    bytesIn: 10,
    bytesOut: 7,
    responses: '0 0 2 0 1 1 0 0 0 0',
  });
  t.ok((outcomes.servers.get(server.address) as Server).responseTimes.sum > 0);
});

t.test(
  'a retried request counts as an error on the first server and as a success on the second',
  async (t) => {
    const outcomes = new Outcomes(t);
    const dead = await deadAddress();
    const silent = await origin(t, (connection) => connection.hang());
    const good = await origin(t, async (connection) => {
      for (;;) {
        await readRequest(connection);
        await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    });
    for (const first of [dead, silent.address]) {
      const { connect } = await startBalancer(
        t,
        {
          algorithm: 'first',
          servers: [first, good.address],
          retry: { on: ['connect', 'timeout'] },
          timeouts: { response_header: '300ms' },
        },
        LOOKED_INTO,
      );
      const client = await connect();
      client.send(PUT);
      t.equal((await client.response()).status, 200);
      t.match(outcomes.totals(good.address), {
        requests: 1,
        retries: 1,
        bytesIn: 5,
        bytesOut: 2,
        failures: 0,
      });
      outcomes.servers.delete(good.address);
    }
    t.strictSame(outcomes.told, ['connect 0', 'ok 200', 'timeout 0', 'ok 200']);
    t.strictSame(outcomes.totals(dead), { ...NONE, failures: 1, connectFailures: 1 });
    t.strictSame(outcomes.totals(silent.address), { ...NONE, requests: 1, failures: 1, bytesIn: 5 });
  },
);

t.test('a client that leaves and a stale connection do not count against the server', async (t) => {
  const outcomes = new Outcomes(t);
  const server = await origin(t, async (connection, index) => {
    await connection.readHead();
    if (index === 1) {
      await connection.hang();
      return connection.end();
    }
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await connection.readHead();
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] }, LOOKED_INTO);
  const client = await connect();
  client.send(GET);
  await client.response();
  client.send(GET);
  await until(() => server.accepted >= 2);
  await pause(20);
  client.reset();
  t.equal((await seen.request(2)).reason, 'client_abort');
  t.strictSame(outcomes.told, ['ok 200']);
  t.match(outcomes.totals(server.address), { requests: 3, failures: 0, resets: 0, retries: 0 });
});

t.test('a tunnel counts as one answer, and its bytes are counted', async (t) => {
  const outcomes = new Outcomes(t);
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi',
    );
    await connection.read(5);
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address] }, LOOKED_INTO);
  const client = await connect();
  client.send(GET.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'));
  await client.until('hi');
  client.send('hello');
  await seen.request();
  t.strictSame(outcomes.told, ['ok 101']);
  t.strictSame(outcomes.totals(server.address), {
    ...NONE,
    requests: 1,
    bytesIn: 5,
    bytesOut: 2,
    responses: '0 1 0 0 0 0 0 0 0 0',
  });
});

nothingIsLeft(t);

t.test('replacing a stale connection in a retry does not count as an attempt', async (t) => {
  const outcomes = new Outcomes(t);
  let asked = 0;
  const server = await origin(t, async (connection) => {
    for (;;) {
      await readRequest(connection);
      if (++asked === 2) return connection.reset();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    }
  });
  const servers = [await deadAddress(), server.address];
  const settings = { servers, algorithm: 'first' as const, health_check: false, passive_health: false };
  const { connect } = await startBalancer(t, settings, LOOKED_INTO);
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 200);
  }
  t.equal(asked, 3);
  t.match(outcomes.totals(server.address), { requests: 3, retries: 2 });
});

t.test('local replies do not count for any server', async (t) => {
  const outcomes = new Outcomes(t);
  const silent = await origin(t, (connection) => connection.hang());
  const { connect, seen } = await startBalancer(
    t,
    {
      servers: [silent.address],
      hosts: [
        { host: 'own', respond: { status: 404, body: 'Nothing’s here' } },
        { host: 'walled', firewall_rules: { path_reject: ['/'] }, servers: [silent.address] },
      ],
      retry: false,
      timeouts: { response_header: '50ms' },
      limits: { body_bytes: 9 },
    },
    LOOKED_INTO,
  );
  const ask = async (request: string): Promise<void> => {
    const client = await connect();
    client.send(request);
    await client.response(request.startsWith('HEAD'));
    client.destroy();
  };
  await ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await ask('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  await ask('GET / HTTP/1.1\r\nHost: own\r\n\r\n');
  await ask('GET / HTTP/1.1\r\nHost: walled\r\n\r\n');
  await ask('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n');
  await ask('GET / HTTP/1.1\r\n\r\n');
  const sent = [];
  for (let index = 1; index <= 6; index++) {
    const { status, bytesOut } = await seen.request(index);
    sent.push(`${status} ${bytesOut}`);
  }
  t.strictSame(sent, ['504 15', '504 0', '404 16', '403 9', '413 17', '400 11']);
  t.match(outcomes.totals(silent.address), { bytesOut: 0 });
});
