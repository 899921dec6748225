import t, { type Test } from 'tap';
import { noteAccepted } from '../../lib/net/loop-tick.js';
import { sharedReadBuffer } from '../../lib/net/read-buffer.js';
import { StreamReading } from '../../lib/net/stream-reading.js';

const MIB = 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Wall-clock and processor time in ms. */
const time = { wall: 0, processor: 0 };
const clocks = { wall: () => time.wall, processor: () => time.processor };

interface Told {
  readonly stream: StreamReading;
  readonly told: string[];
}

function newStream(t: Test): Told {
  const told: string[] = [];
  const reader = { rest: () => told.push('rest'), readOn: () => told.push('read on') };
  const stream = new StreamReading(reader, clocks);
  t.teardown(() => stream.release());
  return { stream, told };
}

/**
 * A read of `length` bytes into `buffer` that takes this wall-clock and processor time; returns the buffer of the next
 * read.
 */
function read(
  { stream }: Told,
  length: number,
  buffer: Buffer,
  { wall = 0, processor = 0, isPaused = false } = {},
): Buffer | undefined {
  if (length === buffer.length) stream.begin();
  time.wall += wall;
  time.processor += processor;
  return stream.next(length, buffer, 'taken', isPaused);
}

/** A stream that reads with the largest size, and the calls of its reader. */
async function fastStream(t: Test): Promise<Told & { piece: Buffer }> {
  await turn();
  const fast = newStream(t);
  const middle = read(fast, sharedReadBuffer.length, sharedReadBuffer) as Buffer;
  const piece = read(fast, middle.length, middle) as Buffer;
  t.equal(piece.length, 2 * MIB);
  await turn();
  t.strictSame(fast.told, [], 'earlier reads do not count');
  return { ...fast, piece };
}

t.test('a stream that reads much rests until the tick ends', async (t) => {
  const fast = await fastStream(t);
  const { piece, told } = fast;
  read(fast, piece.length, piece);
  t.strictSame(told, ['rest']);
  read(fast, piece.length, piece);
  t.strictSame(told, ['rest'], 'told once');
  await turn();
  t.strictSame(told, ['rest', 'read on']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('a stream that reads little in a tick goes on', async (t) => {
  const fast = await fastStream(t);
  const { piece, told } = fast;
  read(fast, MIB - 1, piece);
  await turn();
  read(fast, MIB - 1, piece);
  await turn();
  t.strictSame(told, []);
});

t.test('a stream rests while connections keep coming, but not for ever', async (t) => {
  const fast = await fastStream(t);
  const { piece, told } = fast;
  read(fast, piece.length, piece);
  let turns = 0;
  while (told.length < 2 && turns < 100) {
    noteAccepted();
    await turn();
    turns++;
  }
  t.strictSame(told, ['rest', 'read on']);
  t.equal(turns, 16);
});

t.test('a stream reads on in the first tick that accepts no connection', async (t) => {
  const fast = await fastStream(t);
  const { piece, told } = fast;
  read(fast, piece.length, piece);
  noteAccepted();
  await turn();
  t.strictSame(told, ['rest']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('while connections keep coming a stream reads one piece per tick, however small', async (t) => {
  const fast = await fastStream(t);
  const { piece, told } = fast;
  noteAccepted();
  read(fast, 1000, piece);
  t.strictSame(told, ['rest']);
  await turn();
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('a stream rests once the tick has lasted 2 ms, whichever stream was read', async (t) => {
  await turn();
  const [first, second] = [newStream(t), newStream(t)];
  const { length } = sharedReadBuffer;
  read(first, length, sharedReadBuffer);
  read(second, length, sharedReadBuffer, { wall: 2 });
  t.strictSame([first.told, second.told], [[], []]);
  read(second, length, sharedReadBuffer, { wall: 1 });
  t.strictSame([first.told, second.told], [[], ['rest']]);
  read(first, length, sharedReadBuffer);
  t.strictSame(first.told, ['rest']);
  await turn();
  read(first, length, sharedReadBuffer);
  t.strictSame(first.told, ['rest', 'read on'], 'the next tick starts anew');
});

t.test('expensive reads do not get larger, and large ones get smaller', async (t) => {
  await turn();
  const dear = newStream(t);
  const { length } = sharedReadBuffer;
  const much = { wall: 1, processor: 1 };
  t.equal(read(dear, length, sharedReadBuffer, much), undefined);
  t.equal(read(dear, length, sharedReadBuffer, much), undefined);
  t.equal((read(dear, length, sharedReadBuffer, { processor: 0.1 }) as Buffer).length, MIB / 4);
  await turn();
  const large = Buffer.alloc(MIB / 4);
  t.equal(read(dear, large.length, large, much), undefined, 'others may have used the processor');
  t.equal(read(dear, large.length, large, much), sharedReadBuffer);
});

t.test('reads that take long because others use the processor stay as large', async (t) => {
  await turn();
  const dear = newStream(t);
  const middle = read(dear, sharedReadBuffer.length, sharedReadBuffer) as Buffer;
  t.equal(read(dear, middle.length, middle, { wall: 10 }), undefined);
  t.equal((read(dear, middle.length, middle, { wall: 10 }) as Buffer).length, 2 * MIB);
});

t.test('a paused stream keeps its buffer, and takes no larger one', async (t) => {
  await turn();
  const paused = newStream(t);
  const isPaused = true;
  t.equal(read(paused, sharedReadBuffer.length, sharedReadBuffer, { isPaused }), undefined);
  const middle = read(paused, sharedReadBuffer.length, sharedReadBuffer) as Buffer;
  t.equal(read(paused, middle.length, middle, { isPaused }), undefined);
  t.equal(read(paused, middle.length, middle, { isPaused, wall: 9, processor: 9 }), undefined);
  t.equal(read(paused, middle.length, middle, { isPaused, wall: 9, processor: 9 }), undefined);
  t.equal((read(paused, middle.length, middle) as Buffer).length, 2 * MIB);
});

t.test(
  'in an expensive tick, streams with expensive bytes get small reads, which grow again later',
  async (t) => {
    await turn();
    const [first, second] = [newStream(t), newStream(t)];
    const { length } = sharedReadBuffer;
    for (const stream of [first, second]) read(stream, length, sharedReadBuffer, { wall: 1, processor: 1 });
    await turn();
    t.equal(read(first, length, sharedReadBuffer, { processor: 8 }), undefined);
    const small = read(second, length, sharedReadBuffer, { processor: 1 }) as Buffer;
    t.equal(small.length, 16 * 1024);
    t.equal(read(second, small.length, small, { processor: 1 }), undefined, 'the size stays small');
    await turn();
    t.equal(read(second, small.length, small), sharedReadBuffer);
  },
);
