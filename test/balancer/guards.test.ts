import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field, origin, readRequest } from '../support/origin.js';

t.test('a request too many of one client is answered 429 and told to come again', async (t) => {
  let isHeld = (): void => {};
  const held = new Promise<void>((resolve) => {
    isHeld = resolve;
  });
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      if (head.startsWith('GET /held')) isHeld();
      else await connection.write('HTTP/1.1 204 No Content\r\n\r\n');
    }
  });
  const { seen, connect } = await startBalancer(t, {
    hosts: [{ host: 'a.test', servers: [server.address], firewall_rules: { max_connections_per_ip: 1 } }],
  });
  const [first, second] = [await connect(), await connect()];
  first.send('GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await held;
  second.send('GET /more HTTP/1.1\r\nHost: a.test\r\n\r\n');
  const { status, head } = await second.response();
  t.equal(status, 429);
  t.equal(field(head, 'retry-after'), '1');
  t.equal((await seen.request()).reason, 'too_many_requests');
  first.reset();
  await seen.request(2);
  second.send('GET /again HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.equal((await second.response()).status, 204);
});

nothingIsLeft(t);
