import t from 'tap';
import { Channel, type ChannelOwner } from '../../lib/net/channel.js';
import type { Outlet } from '../../lib/net/outlet.js';
import {
  giveReadBuffer,
  readBuffersInUse,
  sharedReadBuffer,
  takeReadBuffer,
} from '../../lib/net/read-buffer.js';
import type { Wire, WireOwner } from '../../lib/net/wire.js';

const PIECE = 40 * 1024;

/** A wire that takes nothing until it is told to. */
class FakeWire implements Wire {
  readonly remoteAddress = '127.0.0.1';
  destroyed = false;
  readonly readEnded = false;
  readonly written: Buffer[] = [];
  owner: WireOwner | null = null;
  readonly outlet = {
    pending: 0,
    isFull: false,
    writeText: () => {},
    writeBytes: (bytes: Buffer) => {
      this.written.push(bytes);
      this.outlet.pending += bytes.length;
      this.outlet.isFull = true;
    },
    writeBoth: (_text: string, bytes: Buffer) => this.outlet.writeBytes(bytes),
  };

  attach(owner: WireOwner): void {
    this.owner = owner;
  }

  openOutlet(): Outlet {
    return this.outlet;
  }

  drain(): void {
    this.outlet.pending = 0;
    this.outlet.isFull = false;
    this.owner?.drained();
  }

  pause(): void {}
  resume(): void {}
  readAnew(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
  probePeer(): void {}
}

/** A source that streams already, and the buffer of its own that it reads into next. */
function streaming(wire: FakeWire, onBytes: (buffer: Buffer) => void): Buffer {
  let begun = false;
  new Channel(
    wire,
    owner((buffer) => {
      if (begun) onBytes(buffer);
      begun = true;
    }),
  );
  return wire.owner?.read(sharedReadBuffer.length, sharedReadBuffer) as Buffer;
}

function owner(onBytes: (buffer: Buffer, length: number) => void = () => {}): ChannelOwner {
  return { onBytes, onEnd() {}, onBlocked() {}, onDrain() {}, onClose() {} };
}

t.test('what one read brought for two slow peers stays as it is until both have taken it', async (t) => {
  const before = readBuffersInUse();
  const wires = [new FakeWire(), new FakeWire()] as const;
  const peers = wires.map((wire) => new Channel(wire, owner()));
  const source = new FakeWire();
  const read = streaming(source, (buffer) => {
    peers[0]?.write(buffer, 0, PIECE);
    peers[1]?.write(buffer, PIECE, 2 * PIECE);
  });
  read.fill('a', 0, PIECE).fill('b', PIECE, 2 * PIECE);
  const next = source.owner?.read(2 * PIECE, read);
  t.ok(next instanceof Buffer && next !== read, 'the next read goes elsewhere');
  // Whoever needs a buffer now, and whatever is done with it.
  const others = [takeReadBuffer(true), takeReadBuffer(true), takeReadBuffer(false)];
  wires[0].drain();
  others.push(takeReadBuffer(true), takeReadBuffer(false), takeReadBuffer(false));
  t.equal(new Set(others).size, others.length, 'none is given out twice');
  for (const other of others) other.fill('z');
  t.ok(wires[1].written[0]?.every((byte) => byte === 0x62));
  wires[1].drain();
  for (const other of others) giveReadBuffer(other);
  for (const wire of [...wires, source]) wire.owner?.gone();
  t.equal(readBuffersInUse(), before);
});

t.test('one peer that takes the first piece at once and not the second keeps the buffer once', async (t) => {
  const before = readBuffersInUse();
  const wire = new FakeWire();
  const peer = new Channel(wire, owner());
  const source = new FakeWire();
  const read = streaming(source, (buffer) => {
    peer.write(buffer, 0, PIECE);
    wire.outlet.pending = 0;
    peer.write(buffer, PIECE, 2 * PIECE);
  });
  source.owner?.read(2 * PIECE, read);
  wire.drain();
  for (const used of [wire, source]) used.owner?.gone();
  t.equal(readBuffersInUse(), before);
});
