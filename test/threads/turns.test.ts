import t from 'tap';
import { inTurns } from '../../lib/threads/turns.js';

/** Threads that do what they are asked when the test says so. */
class Threads {
  readonly #settle: { resolve(): void; reject(error: Error): void }[] = [];
  readonly asked: readonly Promise<void>[];
  /** Those that got their turn, in order. */
  readonly begun: number[] = [];
  readonly all: Promise<void>;

  constructor(count: number) {
    this.asked = Array.from(
      { length: count },
      () => new Promise<void>((resolve, reject) => this.#settle.push({ resolve, reject })),
    );
    this.all = inTurns(this.asked, (index) => this.begun.push(index));
    this.all.catch(() => {});
  }

  async finish(index: number): Promise<void> {
    this.#settle[index]?.resolve();
    await new Promise(setImmediate);
  }

  async fail(index: number, error: Error): Promise<void> {
    this.#settle[index]?.reject(error);
    await new Promise(setImmediate);
  }
}

t.test('of up to four threads one works at a time, and the next one after it', async (t) => {
  const threads = new Threads(3);
  t.same(threads.begun, [0]);
  await threads.finish(0);
  t.same(threads.begun, [0, 1]);
  await threads.finish(1);
  t.same(threads.begun, [0, 1, 2]);
  await threads.finish(2);
  await threads.all;
});

t.test('of sixteen threads four work at a time, whichever is done first', async (t) => {
  const threads = new Threads(16);
  t.same(threads.begun, [0, 1, 2, 3]);
  await threads.finish(2);
  await threads.finish(0);
  t.same(threads.begun, [0, 1, 2, 3, 4, 5]);
  for (let i = 0; i < 16; i++) await threads.finish(i);
  t.equal(threads.begun.length, 16);
  await threads.all;
});

t.test('without a thread there is nothing to wait for', async (t) => {
  await inTurns([], () => t.fail('no thread'));
});

t.test('when one fails, those that have not begun get no turn', async (t) => {
  const threads = new Threads(4);
  await threads.fail(0, new Error('no memory'));
  await t.rejects(threads.all, { message: 'no memory' });
  t.same(threads.begun, [0]);
});

t.test('when one fails whose turn has not come, no further turn is given', async (t) => {
  const threads = new Threads(4);
  await threads.fail(3, new Error('thread 4 has ended'));
  await t.rejects(threads.all, { message: 'thread 4 has ended' });
  await threads.finish(0);
  t.same(threads.begun, [0]);
});
