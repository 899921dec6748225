import t from 'tap';
import { NewsRing, RING_HEAD } from '../../lib/shared/news-ring.js';

const ENTRIES = 8;
const ENTRY_WORDS = 2;

/** A ring whose entries are a number each. */
function ring() {
  const words = new Int32Array(new SharedArrayBuffer(4 * (RING_HEAD + ENTRIES * ENTRY_WORDS)));
  const news = new NewsRing(words, 0, ENTRIES, ENTRY_WORDS);
  const claim = (value: number): number => {
    const number = news.claim();
    if (number !== -1) words[news.at(number) + 1] = value;
    return number;
  };
  const read = (): number[] => [...news.read()].map((at) => words[at + 1] as number);
  return { news, claim, read };
}

t.test('what is being written while it is read comes with the next reading', async (t) => {
  const { news, claim, read } = ring();
  news.publish(claim(1));
  const late = claim(2);
  news.publish(claim(3));
  t.strictSame(read(), [1]);
  news.publish(late);
  t.strictSame(read(), [2, 3]);
  t.strictSame(read(), []);
});

t.test('what a thread never wrote to the end holds up nothing', async (t) => {
  const { news, claim, read } = ring();
  claim(1);
  news.publish(claim(2));
  t.strictSame(read(), []);
  t.strictSame(read(), [2]);
  for (let value = 3; value < 40; value++) {
    news.publish(claim(value));
    t.strictSame(read(), [value]);
  }
});

t.test('a ring that is half full takes no more until it is read', async (t) => {
  const { news, claim, read } = ring();
  for (let value = 0; value < ENTRIES / 2; value++) news.publish(claim(value));
  t.equal(claim(9), -1);
  t.strictSame(read(), [0, 1, 2, 3]);
  t.not(claim(9), -1);
});
