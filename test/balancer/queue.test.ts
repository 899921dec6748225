import t from 'tap';
import { type RawConnection, type RawServer, startRawServer } from '../../fixtures/raw-server.js';
import { parseAddress } from '../../lib/base/address.js';
import { AddressSet } from '../../lib/base/address-set.js';
import { ObjectPool } from '../../lib/base/collections.js';
import type { Failure } from '../../lib/base/failure.js';
import { ClientAcceptor } from '../../lib/client/acceptor.js';
import { ClientRequest } from '../../lib/client/request.js';
import { createConfig } from '../../lib/config/config.js';
import { DEFAULT_RETRY } from '../../lib/config/retry.js';
import { type RequestStages, ServerSelector } from '../../lib/exchange/context.js';
import { Exchange } from '../../lib/exchange/exchange.js';
import { RetryPolicy } from '../../lib/exchange/retries.js';
import { Listener } from '../../lib/net/listener.js';
import { ShortageAlarm } from '../../lib/net/shortage.js';
import { SocketChoice } from '../../lib/net/socket-choice.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import type { Lease, LeaseListener, PoolLimits } from '../../lib/servers/contracts.js';
import type { Pool } from '../../lib/servers/pool.js';
import { Server } from '../../lib/servers/server.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { ROUND_ROBIN } from '../servers/support.js';
import { Seen } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { startDeafServer } from '../support/deaf-server.js';
import { GET, OK } from '../support/http.js';
import { turns, until } from '../support/loop-ticks.js';
import { createPool, poolSupplies } from '../support/pool.js';

type Test = Parameters<typeof startDeafServer>[0];

const LATE = 100;
const headLimits = { headBytes: 32_768, fields: 100, targetBytes: 8192 };

function poolOf(t: Test, server: string, limits: Partial<PoolLimits>) {
  const deps = poolSupplies(t);
  return { ...deps, pool: createPool(t, server, limits, deps) };
}

/** Somebody who wants a connection, and what came of it. */
class Requester implements LeaseListener {
  readonly isPipelinable = false;
  readonly client = null;
  connection: Lease | null = null;
  failure: Failure | null = null;

  constructor(pool: Pool) {
    this.connection = pool.lease(this) ?? this.connection;
  }

  onLease(connection: Lease): void {
    this.connection = connection;
  }

  onLeaseFailed(failure: Failure): void {
    this.failure = failure;
  }
}

async function startServer(
  t: Test,
  script: (connection: RawConnection) => Promise<void>,
): Promise<RawServer> {
  const server = await startRawServer(script);
  t.teardown(() => server.close());
  return server;
}

t.test('beyond max_connections requests stand in line, beyond max_waiting they are refused', async (t) => {
  const server = await startServer(t, (connection) => connection.hang());
  const { pool } = poolOf(t, server.address, { maxConnections: 2, maxWaiting: 2 });
  const line = Array.from({ length: 5 }, () => new Requester(pool));
  t.equal(line[4]?.failure?.reason, 'queue_full');
  await until(() => line[1]?.connection !== null);
  await turns();
  t.same(
    line.map(({ connection }) => connection !== null),
    [true, true, false, false, false],
  );
  t.equal(pool.openCount, 2);
  t.equal(pool.waitingCount, 2);
  pool.cancel(line[2] as Requester);
  line[0]?.connection?.discard();
  await until(() => line[3]?.connection !== null);
  t.equal(line[2]?.connection, null, 'who left the line hears nothing');
  t.equal(pool.openCount, 2);
});

t.test('a connect that fails ends the first request in line, and the next one gets its turn', async (t) => {
  const deaf = await startDeafServer(t);
  const { pool, clock } = poolOf(t, deaf, { maxConnections: 1, maxWaiting: 5 });
  const line = [new Requester(pool), new Requester(pool)];
  t.equal(pool.isFull, true);
  clock.advance(3000 + LATE);
  await until(() => line[0]?.failure !== null);
  t.equal(line[0]?.failure?.reason, 'connect_timeout');
  t.equal(line[1]?.failure, null);
  t.equal(pool.isFull, false, 'a connection is being opened for it');
  clock.advance(3000 + LATE);
  await until(() => line[1]?.failure !== null);
  t.equal(pool.openCount, 0);
});

t.test('timeouts.queue: a request that waits too long for a full server gets 503', async (t) => {
  const asked: RawConnection[] = [];
  const server = await startServer(t, async (connection) => {
    for (;;) {
      await connection.readHead();
      asked.push(connection);
    }
  });
  const { pool, clock, wheel } = poolOf(t, server.address, { maxConnections: 1, maxWaiting: 5 });
  const seen = new Seen();
  const { timeouts, limits } = createConfig({ timeouts: { queue: '5s' } });
  const objectPool: ObjectPool<Exchange> = new ObjectPool(8, () => new Exchange(services));
  const group = new ServerGroup([new Server('one', pool, wheel)], ROUND_ROBIN);
  const rules = new RouteRules({
    host: 'client',
    path: [],
    params: [],
    cookies: [],
    headers: [],
    responseHeaders: [],
    errorPages: [],
  });
  const selector = new ServerSelector(group, null, null);
  const retry = new RetryPolicy(DEFAULT_RETRY, null);
  const destination = {
    name: 'all',
    selector,
    reply: null,
    rules,
    firewalls: null,
    retry,
    timeouts,
    bodyBytes: 0,
    bodyRate: 0,
    hold: null,
    maintenance: null,
  };
  const pipeline: RequestStages = {
    lostRules: rules,
    proxyName: '',
    masksAddresses: false,
    tracer: null,
    clientOf: (client) => client.forwarded.peer,
    noteUnreadable() {},
    decide(context) {
      context.destination = destination;
      return null;
    },
  };
  const services = {
    clock,
    wheel,
    timeouts,
    observer: seen,
    objectPool,
    pipeline,
  };
  const requests = new ObjectPool(8, () => new ClientRequest(headLimits, clock));
  const acceptor = new ClientAcceptor(
    { wheel, requests, handlers: objectPool, whyNotReady: () => '' },
    {
      trusted: new AddressSet([]),
      tellsForwarded: false,
      tellsVia: false,
      firewall: null,
      shared: SharedMemory.create(),
    },
    { timeouts, limits, readinessPath: null },
    new ShortageAlarm(wheel, seen),
  );
  const loopback = parseAddress('127.0.0.1:0', { defaultHost: '' });
  const listener = new Listener({ address: loopback }, { acceptor, sockets: new SocketChoice() });
  await listener.open();
  t.teardown(() => {
    listener.close();
    acceptor.destroy();
  });
  const { address } = listener;
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(address.kind === 'tcp' ? address.port : 0);
    t.teardown(() => client.destroy());
    return client;
  };
  const [first, second, third] = [await connect(), await connect(), await connect()];
  first.send(GET);
  await until(() => asked.length === 1);
  second.send(GET);
  await until(() => pool.waitingCount === 1);
  clock.advance(3000);
  third.send(GET);
  await until(() => pool.waitingCount === 2);
  clock.advance(2000 + LATE);
  const { status, head } = await second.response();
  t.equal(status, 503);
  t.match(head, /\r\nRetry-After: \d+\r\n/);
  t.notMatch(head, /Connection: close/);
  t.match(await seen.request(), { status: 503, reason: 'queue_timeout', server: 'one' });
  void asked[0]?.write(OK);
  t.equal((await first.response()).status, 200);
  await until(() => asked.length === 2);
  void asked[1]?.write(OK);
  t.equal((await third.response()).status, 200, 'the one behind it had more time');
  t.equal(server.accepted, 1);
});
