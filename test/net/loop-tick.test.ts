import t from 'tap';
import { atTickEnd, beforeTickEnd, noteAccepted, noteBurst, type TickTask } from '../../lib/net/loop-tick.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function task(onTickEnd: () => void): TickTask {
  return { onTickEnd };
}

t.test('tasks run at the end of the tick, in order', async (t) => {
  const done: number[] = [];
  for (const number of [1, 2, 3]) atTickEnd(task(() => done.push(number)));
  await Promise.resolve();
  t.strictSame(done, []);
  await turn();
  t.strictSame(done, [1, 2, 3]);
  await turn();
  t.strictSame(done, [1, 2, 3], 'once each');
});

t.test('work that is queued while a tick ends runs at the end of the next tick', async (t) => {
  const done: string[] = [];
  atTickEnd(
    task(() => {
      done.push('first');
      atTickEnd(task(() => done.push('second')));
    }),
  );
  await turn();
  t.strictSame(done, ['first']);
  await turn();
  t.strictSame(done, ['first', 'second']);
});

t.test('while connections keep coming the end of the tick is postponed, but not for ever', async (t) => {
  let turns = 0;
  let done = false;
  atTickEnd(
    task(() => {
      done = true;
    }),
  );
  while (!done && turns < 100) {
    noteAccepted();
    await turn();
    turns++;
  }
  t.ok(turns > 1, 'a tick that accepts is not followed by the tasks');
  t.ok(turns <= 16, `after ${turns} turns`);
});

t.test('accept mode ends with the first tick that accepts no connection', async (t) => {
  let done = false;
  atTickEnd(
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

t.test('accept mode ends when there is enough work, even if connections wait', async (t) => {
  let done = 0;
  for (let i = 0; i < 64; i++) atTickEnd(task(() => done++));
  noteAccepted();
  await turn();
  t.equal(done, 64);
});

t.test('deferred work runs before the tasks, in each tick until there is no more', async (t) => {
  const done: string[] = [];
  let left = 3;
  const takeUp = (): boolean => {
    const number = left--;
    atTickEnd(task(() => done.push(`task of ${number}`)));
    done.push(`backlog ${number}`);
    return left > 0;
  };
  atTickEnd(task(() => done.push('task')));
  beforeTickEnd({ takeUp });
  await turn();
  t.strictSame(done, ['backlog 3', 'task', 'task of 3']);
  await turn();
  await turn();
  t.strictSame(done.slice(3), ['backlog 2', 'task of 2', 'backlog 1', 'task of 1']);
  await turn();
  t.equal(left, 0, 'and not once more');
});

t.test('deferred work that is finished does not run again because other work is not', async (t) => {
  const asked: string[] = [];
  let left = 2;
  beforeTickEnd({ takeUp: () => asked.push('one') < 0 });
  beforeTickEnd({ takeUp: () => asked.push('many') > 0 && left-- > 0 });
  for (let turns = 0; turns < 5; turns++) await turn();
  t.strictSame(asked, ['one', 'many', 'many', 'many']);
});

t.test('a tick with queued work ends even while clients connect', async (t) => {
  let done = false;
  atTickEnd(
    task(() => {
      done = true;
    }),
  );
  let more = true;
  beforeTickEnd({ takeUp: () => more });
  noteAccepted();
  await turn();
  t.equal(done, true);
  more = false;
  await turn();
});

t.test('deferred work learns of a tick in which a stream was read at length', async (t) => {
  const told: boolean[] = [];
  const takeUp = (isLong: boolean): boolean => told.push(isLong) < 3;
  beforeTickEnd({ takeUp });
  await turn();
  noteBurst();
  await turn();
  await turn();
  t.strictSame(told, [false, true, false]);
});
