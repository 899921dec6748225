import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { AdminConnections } from '../../lib/admin/admin-connections.js';
import { RawClient } from '../support/client.js';
import { ManualClock } from '../support/manual-clock.js';

t.test(
  'a request that came while the event loop was held for long is answered, silence is not',
  async (t) => {
    const clock = new ManualClock();
    const connections = new AdminConnections(clock);
    const server = createServer((request, response) => {
      connections.noteRequest(request.socket, response);
      response.end('ok');
    });
    connections.watch(server);
    server.on('connection', () => {
      // Nothing of the connection has been read yet, and the next look is due.
      clock.advance(5000);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      connections.close();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    t.equal((await client.response()).status, 200);
    client.destroy();

    const silent = await RawClient.connect(port);
    let looks = 0;
    while (!silent.ended && !silent.closed && looks < 1000) {
      clock.advance(500);
      looks++;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.ok(looks < 1000, `closed after ${looks} looks`);
    silent.destroy();
  },
);
