import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { RecordClient } from '../support/key-updates.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';
import { makeTls, termsOf } from '../support/tls.js';

const parts = await makeTls();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

for (const sockets of ['fast', 'documented'] as const) {
  const options = { sockets, tls: termsOf(parts.choice), manual: true };
  const settings = { respond: { body: 'here' }, timeouts: { request_header: '10s', keep_alive: '65s' } };

  t.test(`${sockets}: a client may change its keys, and have ours changed, between requests`, async (t) => {
    const { port } = await startBalancer(t, settings, options);
    const client = await RecordClient.connect(port);
    t.teardown(() => client.close());
    for (const asks of [false, true]) {
      client.text = '';
      client.send(GET);
      await until(() => client.text.endsWith('here'));
      client.raw.write(client.keyUpdates(50, asks));
    }
    client.text = '';
    client.send(GET);
    await until(() => client.text.endsWith('here'));
    t.match(client.text, /^HTTP\/1\.1 200 /);
  });

  t.test(`${sockets}: changes of keys prolong no deadline`, async (t) => {
    const { port, balancer, clock } = await startBalancer(t, settings, options);
    const client = await RecordClient.connect(port);
    t.teardown(() => client.close());
    client.send(GET.slice(0, 10));
    await until(() => balancer.clientCount === 1);
    for (let seconds = 0; seconds < 12; seconds++) {
      if (!client.raw.destroyed) client.raw.write(client.keyUpdates(10, true));
      await new Promise((resolve) => setTimeout(resolve, 10));
      clock.advance(1000);
    }
    await until(() => balancer.clientCount === 0);
    t.equal(balancer.clientCount, 0);
  });
}

nothingIsLeft(t);
