import t from 'tap';
import { Replay } from '../../lib/exchange/replay.js';

t.test('a body is kept as long as it fits, from its first byte on', async (t) => {
  const replay = new Replay(10);
  replay.keepSent(Buffer.from('hello '), 0, 6);
  replay.keepSent(Buffer.from('xworldx'), 1, 5);
  t.equal(Buffer.concat(replay.pieces).toString(), 'hello worl');
  t.ok(replay.whole);
  replay.keepSent(Buffer.from('d'), 0, 1);
  t.strictSame([replay.pieces, replay.whole], [[], false]);
  replay.keepSent(Buffer.from('!'), 0, 1);
  t.strictSame(replay.pieces, [], 'what follows is not taken for the beginning');
  replay.reset();
  t.ok(replay.whole);
});

t.test('a first piece that does not fit leaves nothing to replay', async (t) => {
  const replay = new Replay(10);
  replay.keepSent(Buffer.alloc(11), 0, 11);
  replay.keepSent(Buffer.from('rest'), 0, 4);
  t.strictSame([replay.pieces, replay.whole], [[], false]);
});

t.test('what is kept does not change with the buffer it came in', async (t) => {
  const replay = new Replay(10);
  const buffer = Buffer.from('hello');
  replay.keep(buffer, 0, 5);
  buffer.fill('x');
  t.equal(Buffer.concat(replay.pieces).toString(), 'hello');
});
