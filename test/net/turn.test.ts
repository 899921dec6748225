import t from 'tap';
import { atTurnEnd, noteAccepted, type TurnTask } from '../../lib/net/turn.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function task(onTurnEnd: () => void): TurnTask {
  return { onTurnEnd };
}

t.test('tasks wait for the end of the turn, and come in their order', async (t) => {
  const done: number[] = [];
  for (const number of [1, 2, 3]) atTurnEnd(task(() => done.push(number)));
  await Promise.resolve();
  t.strictSame(done, []);
  await turn();
  t.strictSame(done, [1, 2, 3]);
  await turn();
  t.strictSame(done, [1, 2, 3], 'once each');
});

t.test('what is asked for at the end of a turn waits for the end of the next', async (t) => {
  const done: string[] = [];
  atTurnEnd(
    task(() => {
      done.push('first');
      atTurnEnd(task(() => done.push('second')));
    }),
  );
  await turn();
  t.strictSame(done, ['first']);
  await turn();
  t.strictSame(done, ['first', 'second']);
});

t.test('while connections keep coming the end is put off, but not for ever', async (t) => {
  let turns = 0;
  let done = false;
  atTurnEnd(
    task(() => {
      done = true;
    }),
  );
  while (!done && turns < 100) {
    noteAccepted();
    await turn();
    turns++;
  }
  t.ok(turns > 1, 'a turn that accepts does not end');
  t.ok(turns <= 16, `after ${turns} turns`);
});

t.test('it ends with the first turn that accepts nobody', async (t) => {
  let done = false;
  atTurnEnd(
    task(() => {
      done = true;
    }),
  );
  noteAccepted();
  await turn();
  t.equal(done, false);
  await turn();
  t.equal(done, true);
});

t.test('when there is enough to do it ends, whoever else is waiting', async (t) => {
  let done = 0;
  for (let i = 0; i < 64; i++) atTurnEnd(task(() => done++));
  noteAccepted();
  await turn();
  t.equal(done, 64);
});
