import t, { type Test } from 'tap';
import { sharedReadBuffer } from '../../lib/net/read-buffer.js';
import { StreamReading } from '../../lib/net/stream-reading.js';
import { noteAccepted } from '../../lib/net/turn.js';

const MIB = 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A read of `length` bytes into `buffer` that took so many ms: what it reads into next. */
function read(
  stream: StreamReading,
  length: number,
  buffer: Buffer,
  ms = 0,
  isPaused = false,
): Buffer | undefined {
  time += ms;
  return stream.next(length, buffer, 'taken', time - ms, time, isPaused);
}

/** The clock of all reads, in ms. */
let time = 0;

/** A stream that has come to read in the largest pieces, and what its reader was told. */
async function fastStream(t: Test): Promise<{ stream: StreamReading; piece: Buffer; told: string[] }> {
  const told: string[] = [];
  const stream = new StreamReading({ rest: () => told.push('rest'), readOn: () => told.push('read on') });
  const middle = read(stream, sharedReadBuffer.length, sharedReadBuffer) as Buffer;
  const piece = read(stream, middle.length, middle) as Buffer;
  t.equal(piece.length, 2 * MIB);
  t.teardown(() => stream.release());
  await turn();
  t.strictSame(told, [], 'what it read until then is no burst');
  return { stream, piece, told };
}

t.test('a stream that reads much rests until the turn ends', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  read(stream, piece.length, piece);
  t.strictSame(told, ['rest']);
  read(stream, piece.length, piece);
  t.strictSame(told, ['rest'], 'told once');
  await turn();
  t.strictSame(told, ['rest', 'read on']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('a stream that reads little in a turn goes on', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  read(stream, MIB - 1, piece);
  await turn();
  read(stream, MIB - 1, piece);
  await turn();
  t.strictSame(told, []);
});

t.test('it goes on resting while connections keep coming, but not for ever', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  read(stream, piece.length, piece);
  let turns = 0;
  while (told.length < 2 && turns < 100) {
    noteAccepted();
    await turn();
    turns++;
  }
  t.strictSame(told, ['rest', 'read on']);
  t.equal(turns, 16);
});

t.test('it reads on in the first turn that accepts nobody', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  read(stream, piece.length, piece);
  noteAccepted();
  await turn();
  t.strictSame(told, ['rest']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('while connections keep coming one piece in a turn is enough, however small', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  noteAccepted();
  read(stream, 1000, piece);
  t.strictSame(told, ['rest']);
  await turn();
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('a stream rests when the turn has lasted for 2 ms, whoever was read in it', async (t) => {
  const first = await fastStream(t);
  const second = await fastStream(t);
  read(first.stream, 1000, first.piece);
  read(second.stream, 1000, second.piece, 2);
  t.strictSame([first.told, second.told], [[], []]);
  read(second.stream, 1000, second.piece, 1);
  t.strictSame([first.told, second.told], [[], ['rest']]);
  read(first.stream, 1000, first.piece);
  t.strictSame(first.told, ['rest']);
  await turn();
  read(first.stream, 1000, first.piece);
  t.strictSame(first.told, ['rest', 'read on'], 'the next turn begins anew');
});

t.test('reads that take long are not made larger, and large ones smaller', async (t) => {
  const stream = new StreamReading({ rest: () => {}, readOn: () => {} });
  t.teardown(() => stream.release());
  t.equal(read(stream, sharedReadBuffer.length, sharedReadBuffer, 1), undefined);
  const middle = read(stream, sharedReadBuffer.length, sharedReadBuffer, 0.1) as Buffer;
  t.equal(middle.length, MIB / 4);
  t.equal(read(stream, middle.length, middle, 1), sharedReadBuffer);
});

t.test('a stream that is paused keeps its place, and takes no larger one', async (t) => {
  const stream = new StreamReading({ rest: () => {}, readOn: () => {} });
  t.teardown(() => stream.release());
  t.equal(read(stream, sharedReadBuffer.length, sharedReadBuffer, 0, true), undefined);
  const middle = read(stream, sharedReadBuffer.length, sharedReadBuffer) as Buffer;
  t.equal(read(stream, middle.length, middle, 0, true), undefined);
  t.equal(read(stream, middle.length, middle, 1, true), undefined);
  t.equal((read(stream, middle.length, middle) as Buffer).length, 2 * MIB);
});
