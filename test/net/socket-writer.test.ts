import { once } from 'node:events';
import * as net from 'node:net';
import t, { type Test } from 'tap';
import { HandleWriter } from '../../lib/net/handle-transport.js';
import {
  loadBindings,
  type StreamBinding,
  type StreamHandle,
  streamBinding,
} from '../../lib/net/stream-binding.js';

t.equal(loadBindings(), null);
const { streamBaseState, kLastWriteWasAsync } = streamBinding as StreamBinding;

/** A request as the handle sees it. */
interface Request {
  /** -1 unless an uncompleted write holds it. */
  getAsyncId(): number;
  oncomplete(status: number): void;
}

/** A handle whose writes the test completes. */
class FakeHandle {
  readonly requests: Request[] = [];
  writeQueueSize = 0;
  /**
   * The behaviour of libuv at the next write: with `later` its bytes are sent within the call, but it completes
   * afterwards.
   */
  next: 'at once' | 'later' = 'at once';

  writeLatin1String(request: Request): number {
    this.requests.push(request);
    streamBaseState[kLastWriteWasAsync] = this.next === 'later' ? 1 : 0;
    return 0;
  }

  writeBuffer(request: Request): number {
    return this.writeLatin1String(request);
  }

  writev(request: Request): number {
    return this.writeLatin1String(request);
  }
}

t.test('a write request is reused only after its write has completed', async (t) => {
  const handle = new FakeHandle();
  let drained = 0;
  const owner = { drained: () => drained++, broken() {} };
  const writer = new HandleWriter(handle as unknown as StreamHandle, { destroyed: false }, owner);
  writer.writeText('a');
  writer.writeText('b');
  t.equal(handle.requests[1], handle.requests[0], 'while writes complete at once, one request is reused');
  handle.next = 'later';
  writer.writeBytes(Buffer.from('c'));
  handle.next = 'at once';
  writer.writeText('d');
  t.equal(handle.requests[2], handle.requests[0]);
  t.not(handle.requests[3], handle.requests[2], 'the request is still held, although nothing is queued');
  t.equal(drained, 0);
  handle.requests[2]?.oncomplete(0);
  t.equal(drained, 1);
});

/** A socket, and its peer, which reads nothing by itself. */
async function connected(t: Test): Promise<{ socket: net.Socket; peer: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, 'connection');
  const socket = net.connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  const [peer] = (await accepted) as [net.Socket];
  t.teardown(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  return { socket, peer };
}

function handleOf(socket: net.Socket): StreamHandle {
  return (socket as unknown as { _handle: StreamHandle })._handle;
}

t.test('the binding reports for a real write whether its request is held', async (t) => {
  const { socket } = await connected(t);
  const real = (
    socket as unknown as { _handle: { writeBuffer: (request: Request, bytes: Buffer) => number } }
  )._handle;
  const held: { asked: boolean; told: boolean }[] = [];
  const write = real.writeBuffer;
  real.writeBuffer = function writeBuffer(request, bytes) {
    const status = write.call(this, request, bytes);
    held.push({ asked: request.getAsyncId() !== -1, told: streamBaseState[kLastWriteWasAsync] === 1 });
    return status;
  };
  const writer = new HandleWriter(real as unknown as StreamHandle, socket, { drained() {}, broken() {} });
  writer.writeBytes(Buffer.alloc(1024));
  writer.writeBytes(Buffer.alloc(64 * 1024 * 1024));
  t.strictSame(held, [
    { asked: false, told: false },
    { asked: true, told: true },
  ]);
  t.ok(writer.pending > 0);
});

t.test('an immediate write writes what the kernel takes and no more', async (t) => {
  const { socket, peer } = await connected(t);
  const writer = new HandleWriter(handleOf(socket), socket, { drained() {}, broken() {} });
  const bytes = Buffer.alloc(32 * 1024 * 1024, 'b');
  t.equal(writer.writeNow('head', bytes, 10, 20), 14);
  t.equal(writer.writeNow('', bytes, 0, 5), 5);
  const taken = writer.writeNow('', bytes, 0, bytes.length);
  t.ok(taken > 0 && taken < bytes.length, `${taken} of ${bytes.length} bytes`);
  t.equal(writer.pending, 0, 'and nothing is pending');
  // The kernel takes more now and then, as it moves bytes to the peer and gives that more room.
  while (writer.pending === 0) {
    while (writer.writeNow('', bytes, 0, bytes.length) > 0);
    writer.writeText('queued');
  }
  t.equal(writer.writeNow('', bytes, 0, 5), 0, 'pending bytes are not overtaken');
  peer.resume();
  const [first] = (await once(peer, 'data')) as [Buffer];
  t.equal(first.toString('latin1').slice(0, 20), `head${'b'.repeat(16)}`);
});

t.test('an immediate write that is impossible writes nothing and does not throw', async (t) => {
  const { socket, peer } = await connected(t);
  const bytes = Buffer.alloc(100_000, 'b');
  let broken = '';
  const owner = { drained() {}, broken: ({ code }: NodeJS.ErrnoException) => (broken = code ?? '') };
  const handle = handleOf(socket);
  const writer = new HandleWriter(handle, { destroyed: false }, owner);
  t.equal(writer.writeNow('h'.repeat(100_000), bytes, 0, 5), 0, 'a text that is too long');
  const gone = once(socket, 'close', { signal: AbortSignal.timeout(5000) }).catch(() => {});
  // The kernel has the reset already, and it has not been read.
  peer.resetAndDestroy();
  t.equal(writer.writeNow('', bytes, 0, 5), 0, 'a connection that was reset');
  t.equal(broken, '');
  writer.writeText('h');
  t.match(broken, /^(EPIPE|ECONNRESET)$/, 'the next write reports it');
  await gone;
  const closed = new HandleWriter(handle, { destroyed: false }, owner);
  t.equal(closed.writeNow('', bytes, 0, 5), 0, 'a socket that is closed');
  const without = new HandleWriter(new FakeHandle() as unknown as StreamHandle, { destroyed: false }, owner);
  t.equal(without.writeNow('', bytes, 0, 5), 0, 'a handle without a file descriptor');
});
