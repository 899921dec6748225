import { once } from 'node:events';
import * as net from 'node:net';
import t from 'tap';
import { Channel } from '../../lib/net/channel.js';
import { SocketWire } from '../../lib/net/socket-wire.js';
import { steady } from '../support/turns.js';

t.test('the backlog falls with every byte the peer takes, also while a write is not done', async (t) => {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const socket = net.connect({ host: '127.0.0.1', port });
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  t.teardown(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  let drained = false;
  const channel = new Channel(new SocketWire(socket), {
    onBytes() {},
    onEnd() {},
    onBlocked() {},
    onDrain() {
      drained = true;
    },
    onClose() {},
  });
  t.equal(channel.backlog, 0);
  const size = 48 * 1024 * 1024;
  t.equal(channel.write(Buffer.alloc(size), 0, size), false);
  let backlog = await steady(() => channel.backlog);
  t.ok(backlog > 0);
  let taken = 0;
  peer.on('data', (bytes) => {
    taken += bytes.length;
    if (taken % (8 * 1024 * 1024) < bytes.length) peer.pause();
  });
  for (let step = 0; step < 3; step++) {
    peer.resume();
    const now = await steady(() => channel.backlog);
    t.ok(now < backlog, `step ${step}`);
    t.equal(drained, false, 'although the write is still under way');
    backlog = now;
  }
  peer.removeAllListeners('data').on('data', () => {});
  peer.resume();
  await steady(() => channel.backlog);
  t.equal(channel.backlog, 0);
  t.ok(drained);
});
