import { once } from 'node:events';
import * as net from 'node:net';
import t, { type Test } from 'tap';
import { Channel, type ChannelOwner } from '../../lib/net/channel.js';
import { type Connecting, connect } from '../../lib/net/connecting.js';
import { loadBindings } from '../../lib/net/stream-binding.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { steady } from '../support/loop-ticks.js';

/** A connection in this mode, and its peer, which reads nothing by itself. */
async function connected(t: Test, means: SocketMode, owner: ChannelOwner) {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, 'connection');
  const channel = await new Promise<Channel>((resolve, reject) => {
    const onConnected = (attempt: Connecting): void => resolve(new Channel(attempt.transport(), owner));
    const onRefused = (_: Connecting, error: Error): void => reject(error);
    connect({ host: '127.0.0.1', port }, { onConnected, onRefused }, means);
  });
  const [peer] = (await accepted) as [net.Socket];
  t.teardown(() => {
    channel.destroy();
    peer.destroy();
    server.close();
  });
  return { channel, peer };
}

t.equal(loadBindings(), null);

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets: the count of unsent bytes falls as the peer reads, even before a write is completed`,
    async (t) => {
      let drained = false;
      const onDrain = (): void => {
        drained = true;
      };
      const owner = { onBytes() {}, onEnd() {}, onBlocked() {}, onDrain, onClose() {} };
      const { channel, peer } = await connected(t, means, owner);
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
        t.equal(drained, false, 'although the write is not completed');
        backlog = now;
      }
      peer.removeAllListeners('data').on('data', () => {});
      peer.resume();
      await steady(() => channel.backlog);
      t.equal(channel.backlog, 0);
      t.ok(drained);
    },
  );
}
