import t, { type Test } from 'tap';
import type { RawServer } from '../../fixtures/raw-server.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { startBalancer, untilCollected } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { deadAddress, origin } from '../support/origin.js';

/** An origin that answers with the status in the path, and resets for `/reset`. */
function byPath(t: Test): Promise<RawServer> {
  return origin(t, async (connection) => {
    for (;;) {
      const path = /\/(\w+)/.exec(await connection.readHead())?.[1];
      if (path === 'reset') return connection.reset();
      if (path === 'half') {
        await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal');
        return connection.reset();
      }
      await connection.write(`HTTP/1.1 ${path} Whatever\r\nContent-Length: 2\r\n\r\nok`);
    }
  });
}

function errors(balancer: Balancer): { [name: string]: number } {
  return Object.fromEntries(balancer.status().servers.map(({ name, errors }) => [name, errors]));
}

t.test(
  'the errors of a server: answers with 5xx and failed attempts, of about the last minute',
  async (t) => {
    const server = await byPath(t);
    const servers = [{ name: 'a', address: server.address }];
    const { balancer, connect, clock, seen } = await startBalancer(
      t,
      { servers, retry: false },
      { manual: true },
    );
    let settled = 0;
    const ask = async (path: string): Promise<void> => {
      const client = await connect();
      client.send(`GET /${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await seen.request(++settled);
    };
    for (const path of ['200', '302', '404', '429']) await ask(path);
    t.strictSame(errors(balancer), { a: 0 });
    await ask('500');
    await ask('503');
    await ask('reset');
    await ask('half');
    t.strictSame(errors(balancer), { a: 4 });
    clock.advance(40_000);
    await ask('502');
    t.strictSame(errors(balancer), { a: 5 });
    clock.advance(30_000);
    t.strictSame(errors(balancer), { a: 1 }, 'those of more than a minute ago are forgotten');
    clock.advance(3_600_000);
    t.strictSame(errors(balancer), { a: 0 });
  },
);

t.test(
  'an attempt that was retried counts as an error of the server that failed, and the answer as none',
  async (t) => {
    const server = await byPath(t);
    const servers = [
      { name: 'dead', address: await deadAddress() },
      { name: 'live', address: server.address },
    ];
    const { balancer, connect } = await startBalancer(t, { servers, retry: { attempts: 2 } });
    const client = await connect();
    for (let i = 0; i < 4; i++) {
      client.send('GET /200 HTTP/1.1\r\nHost: x\r\n\r\n');
      t.equal((await client.response()).status, 200);
    }
    await untilCollected(balancer, () => balancer.status().requests.total === 4);
    t.strictSame(errors(balancer), { dead: 2, live: 0 });
  },
);

t.test('a client that goes away is no error of the server', async (t) => {
  const server = await origin(t, (connection) => connection.hang());
  const { balancer, connect, seen } = await startBalancer(t, {
    servers: [{ name: 'a', address: server.address }],
  });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => server.connections === 1);
  client.reset();
  await seen.request();
  await balancer.collectFigures();
  t.strictSame(errors(balancer), { a: 0 });
});

t.test('metrics have the response times of each server', async (t) => {
  const server = await byPath(t);
  const servers = [
    { name: 'a', address: server.address },
    { name: 'b', address: await deadAddress(), weight: 0 },
  ];
  const { balancer, connect } = await startBalancer(t, { servers });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send('GET /200 HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.response();
  }
  await untilCollected(balancer, () => balancer.status().requests.total === 3);
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  const text = await exposition.text();
  exposition.close();
  t.match(text, 'lb_server_response_duration_seconds_count{server="a"} 3\n');
  t.match(text, 'lb_server_response_duration_seconds_bucket{server="a",le="+Inf"} 3\n');
  t.match(text, /lb_server_response_duration_seconds_sum\{server="a"\} 0\.\d+\n/);
  t.notMatch(text, 'duration_seconds_count{server="b"}', 'none of a server that has answered nothing');
});
