import t from 'tap';
import { LineBlocks } from '../../lib/observe/line-blocks.js';

t.test('lines are stored one after the other, and a line that does not fit changes nothing', async (t) => {
  const blocks = new LineBlocks(16, 'ascii');
  t.equal(blocks.append('12345678\n'), true);
  t.equal(blocks.append('12345678\n'), false);
  t.equal(blocks.append('123456\n'), true);
  t.equal(String(blocks.take()), '12345678\n123456\n');
  t.equal(blocks.isEmpty, true);
});

t.test('other characters than ASCII are counted as what they may become', async (t) => {
  const blocks = new LineBlocks(16, 'any');
  t.equal(blocks.append('é€\n'), true);
  t.equal(blocks.append('€€€€\n'), false, 'thirteen bytes, with six taken');
  t.equal(String(blocks.take()), 'é€\n');
});

t.test('a block is filled again only when all of it is written', async (t) => {
  const blocks = new LineBlocks(8, 'ascii');
  const first = fill(blocks, 'aaa\n');
  const second = fill(blocks, 'bbb\n');
  blocks.written(3);
  const third = fill(blocks, 'ccc\n');
  t.not(third.buffer, first.buffer, 'one byte of the first is still to be written');
  blocks.written(1);
  const fourth = fill(blocks, 'ddd\n');
  t.equal(String(first), 'aaa\n', 'what is being filled is taken before');
  const fifth = fill(blocks, 'eee\n');
  t.ok([fourth.buffer, fifth.buffer].includes(first.buffer), 'the first is used again');
  t.equal(String(second) + String(third), 'bbb\nccc\n', 'what is not written stays as it is');
});

t.test('a block that is written is free, a block that is forgotten is not used again', async (t) => {
  const blocks = new LineBlocks(8, 'ascii');
  const refused = fill(blocks, 'aaa\n');
  blocks.takeBack();
  fill(blocks, 'bbb\n');
  const again = fill(blocks, 'ccc\n');
  t.equal(again.buffer, refused.buffer);
  blocks.forget();
  blocks.written(100);
  fill(blocks, 'ddd\n');
  t.equal(String(again), 'ccc\n');
});

t.test('a line longer than a block has bytes of its own', async (t) => {
  const blocks = new LineBlocks(4, 'ascii');
  t.equal(blocks.append('12345\n'), false);
  t.equal(String(blocks.encode('12345\n')), '12345\n');
  blocks.written(6);
  t.equal(String(fill(blocks, 'ab\n')), 'ab\n');
});

function fill(blocks: LineBlocks, line: string): Buffer {
  if (!blocks.append(line)) throw new Error('no room');
  return blocks.take();
}
