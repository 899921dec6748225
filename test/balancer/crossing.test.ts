import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { OK } from '../support/http.js';
import { turns } from '../support/loop-ticks.js';
import { SWITCHED } from '../support/thread-switch.js';

const LATE = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** A server whose first connection answers once and then only says that it has waited too long. */
async function impatient(t: Parameters<typeof startBalancer>[0], first: readonly string[]) {
  const server = await startRawServer(async (connection, index) => {
    for (const answer of index === 0 ? first : [OK, OK, OK]) {
      await connection.readHead();
      await connection.write(answer);
    }
  });
  t.teardown(() => server.close());
  return server;
}

t.test('a 408 for an idle connection that crossed with a request is not its answer', async (t) => {
  const server = await impatient(t, [OK, LATE]);
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (const count of [1, 2, 3]) {
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal((await client.response()).status, 200);
    t.match(await seen.request(count), { status: 200, reason: '', attempts: 1 });
  }
  t.equal(server.accepted, 2);
});

for (const [what, first, request] of [
  ['on a fresh connection', [LATE], 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['to what must not be sent twice', [OK, LATE], 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'],
] as const) {
  t.test(`a 408 ${what} is an answer like any other`, async (t) => {
    const server = await impatient(t, first);
    const { connect } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    for (const answer of first) {
      client.send(request);
      t.equal((await client.response()).status, answer === OK ? 200 : 408);
    }
    t.equal(server.accepted, 1);
  });
}

t.test('an observer may stop the balancer when it is called for a request', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  let told = 0;
  const config = createConfig({ listen: '127.0.0.1:0', servers: [server.address], health_check: false });
  const stopping = {
    requestSettled: () => {
      told++;
      balancer.stop();
    },
  };
  const balancer = createBalancer(config, stopping, SWITCHED);
  await balancer.start();
  const [address] = balancer.addresses;
  const client = await RawClient.connect(address?.kind === 'tcp' ? address.port : 0);
  t.teardown(() => client.destroy());
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.notMatch(await client.toEnd(), /503/, 'it is not answered twice');
  await balancer.ended;
  await turns();
  t.equal(told, 1);
});
