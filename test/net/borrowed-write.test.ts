import { once } from 'node:events';
import * as net from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { parseAddress } from '../../lib/base/address.js';
import { NO_ENDS } from '../../lib/base/connection-ends.js';
import type { Incoming } from '../../lib/net/accept.js';
import { Channel, type ChannelOwner } from '../../lib/net/channel.js';
import { Listener } from '../../lib/net/listener.js';
import {
  copyOfRead,
  giveCopy,
  giveReadBuffer,
  LARGEST,
  readBuffersInUse,
  sharedReadBuffer,
  takeReadBuffer,
} from '../../lib/net/read-buffer.js';
import { SocketChoice } from '../../lib/net/socket-choice.js';
import type { SocketWriter, Transport, TransportOwner } from '../../lib/net/transport.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { until } from '../support/loop-ticks.js';

const PIECE = 40 * 1024;

/** A transport that accepts nothing until told to, except `room` bytes of immediate writes. */
class FakeWire implements Transport {
  readonly truncated = false;
  room = 0;
  readonly remoteAddress = '127.0.0.1';
  readonly ends = NO_ENDS;
  destroyed = false;
  readonly readEnded = false;
  readonly written: Buffer[] = [];
  isReading = true;
  owner: TransportOwner | null = null;
  readonly writer = {
    pending: 0,
    isFull: false,
    writeText: () => {},
    writeBytes: (bytes: Buffer) => {
      this.written.push(bytes);
      this.writer.pending += bytes.length;
      this.writer.isFull = true;
    },
    writeBoth: (text: string, bytes: Buffer) => {
      this.written.push(Buffer.from(text, 'latin1'));
      this.writer.writeBytes(bytes);
    },
    writeNow: (text: string, buffer: Buffer, start: number, end: number): number => {
      const all = Buffer.concat([Buffer.from(text, 'latin1'), buffer.subarray(start, end)]);
      const taken = all.subarray(0, Math.min(this.room, all.length));
      this.room -= taken.length;
      if (taken.length > 0) this.written.push(taken);
      return taken.length;
    },
  };

  attach(owner: TransportOwner): void {
    this.owner = owner;
  }

  openWriter(): SocketWriter {
    return this.writer;
  }

  drain(): void {
    this.writer.pending = 0;
    this.writer.isFull = false;
    this.owner?.drained();
  }

  pause(): void {
    this.isReading = false;
  }

  resume(): void {
    this.isReading = true;
  }

  readAnew(): void {}
  end(): void {}
  close(): void {
    this.destroy();
  }
  destroy(): void {}
  reset(): void {}
  probePeer(): void {}
}

/**
 * A source that streams already, and its own buffer for the next read. After 2 ms of one tick of the event loop a stream rests,
 * which happens on a busy machine: then another one begins, in a tick of its own.
 */
async function streaming(
  onBytes: (buffer: Buffer) => void,
): Promise<{ readonly source: FakeWire; readonly read: Buffer }> {
  for (let tries = 0; tries < 100; tries++) {
    const source = new FakeWire();
    let reads = 0;
    new Channel(
      source,
      owner((buffer) => {
        if (++reads > 2) onBytes(buffer);
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    const wide = source.owner?.read(sharedReadBuffer.length, sharedReadBuffer);
    const own = wide === undefined ? undefined : source.owner?.read(wide.length, wide);
    if (own !== undefined) return { source, read: own };
    source.owner?.gone();
  }
  throw new Error('every tick of the event loop took more than 2 ms');
}

function owner(onBytes: (buffer: Buffer, length: number) => void = () => {}): ChannelOwner {
  return { onBytes, onEnd() {}, onBlocked() {}, onDrain() {}, onClose() {} };
}

// Each test begins with a tick of the event loop: after 2 ms of one a stream rests anyway.
t.beforeEach(() => new Promise((resolve) => setImmediate(resolve)));

t.test('a buffer that two slow peers share is unchanged until both have taken it', async (t) => {
  const before = readBuffersInUse();
  const wires = [new FakeWire(), new FakeWire()] as const;
  const peers = wires.map((transport) => new Channel(transport, owner()));
  const { source, read } = await streaming((buffer) => {
    peers[0]?.write(buffer, 0, PIECE);
    peers[1]?.write(buffer, PIECE, 2 * PIECE);
  });
  read.fill('a', 0, PIECE).fill('b', PIECE, 2 * PIECE);
  const next = source.owner?.read(2 * PIECE, read);
  t.ok(next instanceof Buffer && next !== read, 'the next read uses another buffer');
  // Buffers may be taken and filled meanwhile.
  const large = takeReadBuffer(LARGEST);
  const copy = (): Buffer => copyOfRead(large, 0, PIECE);
  const others = [copy(), copy()];
  wires[0].drain();
  others.push(copy(), copy());
  t.equal(new Set([large, ...others]).size, 5, 'no buffer is handed out twice');
  for (const other of [large, ...others]) other.fill('z');
  t.ok(wires[1].written[0]?.every((byte) => byte === 0x62));
  wires[1].drain();
  for (const other of others) giveCopy(other);
  giveReadBuffer(large);
  for (const transport of [...wires, source]) transport.owner?.gone();
  t.equal(readBuffersInUse(), before);
});

t.test('a peer that took one of two pieces holds the buffer once', async (t) => {
  const before = readBuffersInUse();
  const transport = new FakeWire();
  const peer = new Channel(transport, owner());
  const { source, read } = await streaming((buffer) => {
    peer.write(buffer, 0, PIECE);
    transport.writer.pending = 0;
    peer.write(buffer, PIECE, 2 * PIECE);
  });
  source.owner?.read(2 * PIECE, read);
  transport.drain();
  for (const used of [transport, source]) used.owner?.gone();
  t.equal(readBuffersInUse(), before);
});

const KIB = 1024;

/**
 * Reads pieces of these lengths, one per tick of the event loop, and returns the KiB of the buffers that they were read
 * into.
 */
async function buffersOf(transport: FakeWire, lengths: readonly number[]): Promise<number[]> {
  let buffer: Buffer = sharedReadBuffer;
  const sizes: number[] = [];
  for (const length of lengths) {
    sizes.push(buffer.length / KIB);
    buffer = transport.owner?.read(Math.min(length, buffer.length), buffer) ?? buffer;
    await turn();
  }
  return sizes;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const times = (count: number, length: number): number[] => new Array<number>(count).fill(length);

t.test(
  'a stream that fills its buffer reads into a larger one next, and back into smaller ones when it slows down',
  async (t) => {
    const before = readBuffersInUse();
    const transport = new FakeWire();
    new Channel(transport, owner());
    const faster = await buffersOf(transport, times(4, Number.POSITIVE_INFINITY));
    t.strictSame(faster, [64, 256, 2048, 2048]);
    transport.owner?.gone();
    const slower = new FakeWire();
    new Channel(slower, owner());
    const sizes = await buffersOf(slower, [...times(3, Number.POSITIVE_INFINITY), ...times(20, 1 * KIB)]);
    t.strictSame(sizes, [64, 256, ...times(9, 2048), ...times(8, 256), ...times(4, 64)]);
    t.equal(readBuffersInUse(), before, 'it has no buffer of its own any more');
    slower.owner?.gone();
  },
);

t.test('a stream keeps a larger buffer between bodies that fit into one read of it', async (t) => {
  const transport = new FakeWire();
  new Channel(transport, owner());
  const sizes = await buffersOf(transport, [Number.POSITIVE_INFINITY, ...times(20, 100 * KIB)]);
  t.strictSame(sizes, [64, ...times(20, 256)]);
  transport.owner?.gone();
});

t.test('a stream whose peer reads less than it sends gets no larger buffers', async (t) => {
  const peer = new FakeWire();
  const slow = new Channel(peer, owner());
  const transport = new FakeWire();
  new Channel(
    transport,
    owner((buffer, length) => {
      slow.write(buffer, 0, length);
    }),
  );
  const sizes = await buffersOf(transport, times(6, Number.POSITIVE_INFINITY));
  t.strictSame(sizes, times(6, 64));
  for (const used of [transport, peer]) used.owner?.gone();
});

t.test('when all larger buffers are in use a smaller one is used, and no buffer is lost', async (t) => {
  const before = readBuffersInUse();
  const taken = times(100, 0).map(() => takeReadBuffer(LARGEST));
  const sizes = new Set(taken.map((buffer) => buffer.length / KIB));
  t.strictSame([...sizes], [2048, 256, 64]);
  for (const buffer of taken) giveReadBuffer(buffer);
  t.equal(readBuffersInUse(), before);
});

t.test('a stream for which no larger buffer is free uses the shared one', async (t) => {
  const others = times(100, 0).map(() => takeReadBuffer(LARGEST));
  const before = readBuffersInUse();
  const transport = new FakeWire();
  new Channel(transport, owner());
  const sizes = await buffersOf(transport, [...times(3, Number.POSITIVE_INFINITY), 1 * KIB, 1 * KIB]);
  t.strictSame(sizes, times(5, 64));
  t.equal(readBuffersInUse(), before);
  for (const buffer of others) giveReadBuffer(buffer);
  transport.owner?.gone();
});

/** What a peer with `room` gets of a waiting head and a body that was read into the shared buffer. */
function sentOf(room: number): { sent: string; copied: number } {
  const before = readBuffersInUse();
  const transport = new FakeWire();
  const peer = new Channel(transport, owner());
  transport.room = room;
  const source = new FakeWire();
  new Channel(
    source,
    owner((buffer, length) => {
      peer.writeText('head');
      peer.write(buffer, 0, length);
    }),
  );
  sharedReadBuffer.fill('b');
  source.owner?.read(PIECE, sharedReadBuffer);
  const copied = readBuffersInUse() - before;
  // The next read of any socket.
  sharedReadBuffer.fill('z');
  const sent = Buffer.concat(transport.written).toString('latin1');
  transport.drain();
  for (const used of [transport, source]) used.owner?.gone();
  return { sent, copied: copied + readBuffersInUse() - before };
}

t.test('bytes in the shared buffer are copied only if the kernel does not take them at once', async (t) => {
  const whole = `head${'b'.repeat(PIECE)}`;
  for (const [room, copied] of [
    [0, 1],
    [2, 1],
    [4, 1],
    [5, 1],
    [whole.length - 1, 1],
    [whole.length, 0],
  ] as const) {
    const result = sentOf(room);
    t.equal(result.copied, copied, `${room} bytes of room`);
    if (result.sent !== whole) t.fail(`with ${room} bytes of room it is sent ${result.sent.length} bytes`);
  }
});

t.test('a stream rests after 1 MiB until the next tick of the event loop', async (t) => {
  const transport = new FakeWire();
  const channel = new Channel(transport, owner());
  let buffer: Buffer = sharedReadBuffer;
  const readOn = (): void => {
    buffer = transport.owner?.read(buffer.length, buffer) ?? buffer;
  };
  for (const _ of [64, 256]) {
    readOn();
    t.ok(transport.isReading);
  }
  readOn();
  t.notOk(transport.isReading);
  await turn();
  t.ok(transport.isReading);

  t.comment('a stream that its owner paused meanwhile stays paused');
  readOn();
  channel.pause();
  await turn();
  t.notOk(transport.isReading);
  channel.resume();
  t.ok(transport.isReading);
  transport.owner?.gone();
});

/** The events of one stream while it is relayed between sockets. */
interface Course {
  readonly bytes: number;
  /** After every so many bytes the relay pauses its source for a tick. */
  readonly pauseEvery: number;
  /** After this many bytes the sink closes; infinite: it reads all. */
  readonly sinkLeavesAt: number;
  /** The same for the relay, which closes its source, even while it rests or is paused. */
  readonly relayLeavesAt: number;
  readonly sinkIsSlow: boolean;
}

const PATTERN = Buffer.from(
  Uint8Array.from({ length: 6 * 1024 * KIB }, (_, i) => i * 31 + (i >> 8) * 7 + (i >> 16)),
);

/** Relays `PATTERN` from one socket to another, and returns what the sink received. */
async function relayed(course: Course): Promise<{ taken: number; intact: boolean }> {
  const channels: Channel[] = [];
  let read = 0;
  let open = 0;
  const end = (index: number): ChannelOwner => ({
    onBytes(buffer, length) {
      const [source, sink] = channels as [Channel, Channel];
      const before = read;
      read += length;
      if (!sink.write(buffer, 0, length)) source.pause();
      else if (Math.floor(before / course.pauseEvery) < Math.floor(read / course.pauseEvery)) {
        source.pause();
        setImmediate(() => source.resume());
      }
      if (read > course.relayLeavesAt) source.destroy();
    },
    onEnd: () => channels[1 - index]?.end(),
    onBlocked: () => channels[0]?.pause(),
    onDrain: () => channels[0]?.resume(),
    onClose() {
      open--;
      channels[1 - index]?.destroy();
    },
  });
  const acceptor = {
    admit: () => ({ leave() {} }),
    onAccept(incoming: Incoming): void {
      open++;
      channels.push(incoming.take(end(channels.length)));
    },
  };
  const loopback = parseAddress('127.0.0.1:0', { defaultHost: '127.0.0.1' });
  const listener = new Listener({ address: loopback }, { acceptor, sockets: new SocketChoice() });
  await listener.open();
  const { address } = listener;
  const port = address.kind === 'tcp' ? address.port : 0;
  const sockets: net.Socket[] = [];
  for (const _ of ['source', 'sink']) {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    await once(socket, 'connect');
    sockets.push(socket);
    await until(() => channels.length === sockets.length);
  }
  const [source, sink] = sockets as [net.Socket, net.Socket];
  let taken = 0;
  let intact = true;
  sink.on('data', (chunk: Buffer) => {
    intact &&= chunk.equals(PATTERN.subarray(taken, taken + chunk.length));
    taken += chunk.length;
    if (taken > course.sinkLeavesAt) sink.destroy();
    else if (course.sinkIsSlow) {
      sink.pause();
      setImmediate(() => sink.resume());
    }
  });
  source.end(PATTERN.subarray(0, course.bytes));
  source.resume();
  await once(sink, 'close');
  source.destroy();
  await until(() => open === 0);
  listener.close();
  return { taken, intact };
}

t.test('pauses, rests and closes neither change bytes nor lose a buffer', async () => {
  const before = readBuffersInUse();
  const place = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 0, max: PATTERN.length }));
  const course = fc.record<Course>({
    bytes: fc.integer({ min: 0, max: PATTERN.length }),
    pauseEvery: fc.constantFrom(Number.POSITIVE_INFINITY, 100 * KIB, 1024 * KIB),
    sinkLeavesAt: place,
    relayLeavesAt: place,
    sinkIsSlow: fc.boolean(),
  });
  // Several at once: they share a buffer.
  await fc.assert(
    fc.asyncProperty(fc.array(course, { minLength: 1, maxLength: 4 }), async (courses) => {
      const results = await Promise.all(courses.map(relayed));
      const isRight = courses.every(({ bytes, sinkLeavesAt, relayLeavesAt }, i) => {
        const { taken, intact } = results[i] as { taken: number; intact: boolean };
        return intact && (taken === bytes || sinkLeavesAt < bytes || relayLeavesAt < bytes);
      });
      return isRight && readBuffersInUse() === before;
    }),
    { numRuns: FUZZ_RUNS / 50 },
  );
});
