import t, { type Test } from 'tap';
import { sharedReadBuffer } from '../../lib/net/read-buffer.js';
import { StreamReading } from '../../lib/net/stream-reading.js';
import { noteAccepted } from '../../lib/net/turn.js';

const MIB = 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream that has come to read in the largest pieces, and what its reader was told. */
async function fastStream(t: Test): Promise<{ stream: StreamReading; piece: Buffer; told: string[] }> {
  const told: string[] = [];
  const stream = new StreamReading({ rest: () => told.push('rest'), readOn: () => told.push('read on') });
  const middle = stream.next(sharedReadBuffer.length, sharedReadBuffer, 'taken') as Buffer;
  const piece = stream.next(middle.length, middle, 'taken') as Buffer;
  t.equal(piece.length, 2 * MIB);
  t.teardown(() => stream.release());
  await turn();
  t.strictSame(told, [], 'what it read until then is no burst');
  return { stream, piece, told };
}

t.test('a stream that reads much rests until the turn ends', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  stream.next(piece.length, piece, 'taken');
  t.strictSame(told, ['rest']);
  stream.next(piece.length, piece, 'taken');
  t.strictSame(told, ['rest'], 'told once');
  await turn();
  t.strictSame(told, ['rest', 'read on']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('a stream that reads little in a turn goes on', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  stream.next(MIB - 1, piece, 'taken');
  await turn();
  stream.next(MIB - 1, piece, 'taken');
  await turn();
  t.strictSame(told, []);
});

t.test('it goes on resting while connections keep coming, but not for ever', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  stream.next(piece.length, piece, 'taken');
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
  stream.next(piece.length, piece, 'taken');
  noteAccepted();
  await turn();
  t.strictSame(told, ['rest']);
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});

t.test('while connections keep coming one piece in a turn is enough, however small', async (t) => {
  const { stream, piece, told } = await fastStream(t);
  noteAccepted();
  stream.next(1000, piece, 'taken');
  t.strictSame(told, ['rest']);
  await turn();
  await turn();
  t.strictSame(told, ['rest', 'read on']);
});
