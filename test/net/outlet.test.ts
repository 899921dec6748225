import * as net from 'node:net';
import t from 'tap';
import { HandleOutlet } from '../../lib/net/outlet.js';
import type { StreamHandle } from '../../lib/net/stream-binding.js';

/** A request as the handle sees it. */
interface Request {
  getAsyncId(): number;
  oncomplete(status: number): void;
}

/** A handle whose writes a test completes when it likes. */
class FakeHandle {
  readonly requests: Request[] = [];
  writeQueueSize = 0;
  /** What libuv does with the next write: `later` has its bytes gone in the same call, but completes behind it. */
  next: 'at once' | 'later' = 'at once';

  writeLatin1String(request: Request): number {
    this.requests.push(request);
    if (this.next === 'later') request.getAsyncId = () => 7;
    return 0;
  }

  writeBuffer(request: Request): number {
    return this.writeLatin1String(request);
  }

  writev(request: Request): number {
    return this.writeLatin1String(request);
  }
}

t.test('a request is used again only once its write is completed', async (t) => {
  const handle = new FakeHandle();
  let drained = 0;
  const owner = { drained: () => drained++, broken() {} };
  const outlet = new HandleOutlet(handle as unknown as StreamHandle, { destroyed: false }, owner);
  outlet.writeText('a');
  outlet.writeText('b');
  t.equal(handle.requests[1], handle.requests[0], 'as long as writes complete at once, one serves');
  handle.next = 'later';
  outlet.writeBytes(Buffer.from('c'));
  handle.next = 'at once';
  outlet.writeText('d');
  t.equal(handle.requests[2], handle.requests[0]);
  t.not(handle.requests[3], handle.requests[2], 'it is still held, though nothing is queued');
  t.equal(drained, 0);
  handle.requests[2]?.oncomplete(0);
  t.equal(drained, 1);
});

t.test('the request of a real write knows whether it is held', async (t) => {
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const socket = net.connect({ host: '127.0.0.1', port });
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  server.on('connection', (peer) => t.teardown(() => peer.destroy()));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const real = (
    socket as unknown as { _handle: { writeBuffer: (request: Request, bytes: Buffer) => number } }
  )._handle;
  const ids: number[] = [];
  const write = real.writeBuffer;
  real.writeBuffer = function writeBuffer(request, bytes) {
    const status = write.call(this, request, bytes);
    ids.push(request.getAsyncId());
    return status;
  };
  const outlet = new HandleOutlet(real as unknown as StreamHandle, socket, { drained() {}, broken() {} });
  outlet.writeBytes(Buffer.alloc(1024));
  outlet.writeBytes(Buffer.alloc(64 * 1024 * 1024));
  t.equal(ids[0], -1);
  t.ok((ids[1] ?? -1) > 0);
});
