import * as net from 'node:net';
import t from 'tap';
import { systemClock } from '../../lib/base/timer-wheel.js';

/** Keeps the event loop from going on. */
function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

t.test(
  'after a long turn of the event loop, what came meanwhile is read before the clock ticks',
  async (t) => {
    const server = net.createServer((socket) =>
      socket.once('data', () => {
        socket.end('answer');
        stall(400);
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    for (let round = 0; round < 5; round++) {
      const seen: string[] = [];
      const client = net.connect(port, '127.0.0.1');
      await new Promise((resolve) => client.once('connect', resolve));
      const stop = systemClock.every(100, () => seen.push('tick'));
      client.once('data', () => seen.push('answer'));
      client.write('question');
      await new Promise((resolve) => client.once('close', resolve));
      stop();
      t.equal(seen[0], 'answer');
    }
    server.close();
  },
);

t.test('a clock that is stopped in a late turn does not tick any more', async (t) => {
  let ticks = 0;
  const stop = systemClock.every(20, () => ticks++);
  await new Promise<void>((resolve) =>
    setImmediate(() => {
      stall(300);
      // Timers come next, and ours stands behind the one of the clock.
      setTimeout(() => {
        stop();
        resolve();
      }, 0);
    }),
  );
  const before = ticks;
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.equal(ticks, before);
});
