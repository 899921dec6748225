import t from 'tap';
import { GrowingBuffer } from '../../lib/base/bytes.js';

function append(buffer: GrowingBuffer, text: string, most?: number): void {
  const piece = Buffer.from(`##${text}##`);
  buffer.append(piece, 2, 2 + text.length, most);
  piece.fill('?');
}

t.test('what is appended is copied, in order', async (t) => {
  const buffer = new GrowingBuffer();
  t.equal(buffer.bytes.length, 0);
  for (const text of ['a', '', 'bcd', 'e'.repeat(1000), 'f']) append(buffer, text);
  t.equal(buffer.bytes.toString(), `abcd${'e'.repeat(1000)}f`);
  t.equal(buffer.length, 1005);
});

t.test('pieces of one byte cost what they hold, twice at most', async (t) => {
  const buffer = new GrowingBuffer();
  for (let i = 0; i < 10_000; i++) append(buffer, 'x');
  t.ok(buffer.capacity >= 10_000 && buffer.capacity <= 20_000, `${buffer.capacity}`);
});

t.test(
  'one piece gets just the room it needs, and the last ones no more than may be set aside',
  async (t) => {
    const buffer = new GrowingBuffer();
    append(buffer, 'x'.repeat(700), 1000);
    t.equal(buffer.capacity, 700);
    append(buffer, 'y', 1000);
    t.equal(buffer.capacity, 1000);
    append(buffer, 'z'.repeat(300), 1000);
    t.equal(buffer.capacity, 1001, 'unless they are too long for that');
  },
);

t.test('what was handed out stays as it is, whatever comes after it', async (t) => {
  const buffer = new GrowingBuffer();
  append(buffer, 'first');
  append(buffer, 'second');
  const { bytes } = buffer;
  append(buffer, 'third');
  buffer.clear();
  t.equal(buffer.length, 0);
  t.equal(buffer.capacity, 0);
  append(buffer, 'x'.repeat(11));
  t.equal(bytes.toString(), 'firstsecond');
});
