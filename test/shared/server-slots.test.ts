import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { DOWN, HALF_OPEN } from '../../lib/shared/server-row.js';
import { SHARED_ROWS } from '../../lib/shared/server-slots.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { seeded } from '../support/random.js';
import type { RowThread } from './row-thread.js';

const THREAD = new URL('./row-thread.js', import.meta.url);

async function start(t: Test, data: RowThread): Promise<Worker> {
  const worker = new Worker(THREAD, { workerData: data });
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
  return worker;
}

t.test('the numbers of all threads add up, and each thread knows its share', async (t) => {
  const memory = SharedMemory.create(3);
  const slot = memory.servers.claim();
  const rows = [0, 1, 2].map((thread) =>
    (thread === 0 ? memory : SharedMemory.attach(memory.handle, thread)).servers.row(slot),
  );
  for (const row of rows) row.addPlace();
  t.same(
    rows.map(({ open }) => open),
    [3, 3, 3],
  );
  t.equal(rows[1]?.takePlace(4), true);
  t.equal(rows[2]?.takePlace(4), false, 'a limit counts those of all threads');
  t.equal(rows[0]?.joinLine(1, 1000), true);
  t.equal(rows[1]?.joinLine(1, 1000), false);
  t.equal(rows[0]?.othersInLine, 0);
  t.equal(rows[1]?.othersInLine, 1);
  rows[1]?.setUnused(2, 1);
  rows[2]?.setUnused(3, 0);
  t.equal(rows[0]?.idle, 5);
  memory.reclaim(1);
  t.equal(rows[0]?.open, 2);
  t.equal(rows[0]?.idle, 3);
  t.equal(rows[0]?.inLine, 1);
});

t.test('a number is corrected when a thread ended between the two steps of a change', async (t) => {
  const memory = SharedMemory.create(3);
  const slot = memory.servers.claim();
  const [own, one] = [memory, SharedMemory.attach(memory.handle, 1)].map(({ servers }) => servers.row(slot));
  own?.addPlace();
  one?.addPlace();
  // The first step of `addPlace` in a thread that is terminated there.
  const words = own?.memory as Int32Array;
  const open = (own?.all as number) + words.subarray(own?.all).indexOf(2);
  Atomics.add(words, open, 1);
  memory.reclaim(1);
  t.equal(own?.open, 2);
  memory.servers.audit();
  t.equal(own?.open, 2, 'it could be a change in progress');
  memory.servers.audit();
  t.equal(own?.open, 1);
  // A change in progress at each of two audits, never the same.
  Atomics.add(words, open, 1);
  memory.servers.audit();
  Atomics.add(words, open, 1);
  memory.servers.audit();
  t.equal(own?.open, 3);
  Atomics.sub(words, open, 2);
  memory.servers.audit();
  memory.servers.audit();
  t.equal(own?.open, 1);
});

t.test('the line of another thread counts as earlier only beyond a tolerance', async (t) => {
  const memory = SharedMemory.create(3);
  const slot = memory.servers.claim();
  const one = SharedMemory.attach(memory.handle, 1).servers.row(slot);
  const other = SharedMemory.attach(memory.handle, 2).servers.row(slot);
  // The second time is where 32 bits of ms are used up.
  for (const now of [1000, 2 ** 31 - 2, 2 ** 32 - 2]) {
    other.setLine(1, now);
    t.equal(one.othersCameBefore(now + 5, 5), false);
    t.equal(one.othersCameBefore(now + 7, 5), true);
    t.equal(one.othersCameBefore(now - 100, 5), false);
    t.equal(one.othersCameBefore(Number.POSITIVE_INFINITY, 5), true);
    other.setLine(0, 0);
    t.equal(one.othersCameBefore(now + 7, 5), false);
  }
});

t.test('a row is used again only when no thread uses it any more', async (t) => {
  const { servers } = SharedMemory.create();
  const first = servers.claim();
  const row = servers.row(first);
  row.join();
  row.addPlace();
  row.leave();
  const second = servers.claim();
  t.not(second, first, 'a connection is still open');
  row.givePlace();
  t.equal(servers.claim(), first);
  t.equal(servers.row(first).open, 0);
});

t.test('with one thread the table grows with the servers', async (t) => {
  const { servers } = SharedMemory.create();
  const slots = Array.from({ length: 5000 }, () => servers.claim());
  for (const slot of slots) servers.row(slot).addPlace();
  t.ok(slots.every((slot) => servers.row(slot).open === 1));
});

t.test('beyond the shared rows each thread counts alone', async (t) => {
  const memory = SharedMemory.create(2);
  const other = SharedMemory.attach(memory.handle, 1);
  const last = memory.servers.row(SHARED_ROWS - 1);
  last.addPlace();
  t.equal(other.servers.row(SHARED_ROWS - 1).open, 1);
  t.equal(last.isShared, true);
  const beyond = memory.servers.row(SHARED_ROWS);
  beyond.addPlace();
  t.equal(beyond.isShared, false);
  t.equal(beyond.open, 1);
  t.equal(other.servers.row(SHARED_ROWS).open, 0);
});

t.test('only the thread of the control plane gives rows to servers, and decides about them', async (t) => {
  const memory = SharedMemory.create(2);
  const other = SharedMemory.attach(memory.handle, 1);
  t.throws(() => other.servers.claim(), /only the thread of the control plane/);
  const slot = memory.servers.claim();
  memory.servers.row(slot).setFlag(DOWN, true);
  other.servers.row(slot).setFlag(HALF_OPEN, true);
  t.equal(other.servers.row(slot).flags, DOWN);
  memory.servers.row(slot).setFlag(DOWN, false);
  t.equal(other.servers.row(slot).flags, 0);
});

t.test('an idle thread is woken by a call', async (t) => {
  const memory = SharedMemory.create(2);
  // In the second page, so that a call has to find its row.
  const slots = Array.from({ length: 1100 }, () => memory.servers.claim());
  const slot = slots.at(-1) as number;
  const row = memory.servers.row(slot);
  await start(t, { handle: memory.handle, thread: 1, slots: [slot], work: 'answer' });
  const delays: number[] = [];
  for (let call = 1; call <= 50; call++) {
    await pause(2);
    const before = performance.now();
    memory.servers.call(1, slot);
    while (row.open < call && performance.now() - before < 5000);
    t.equal(row.open, call);
    delays.push(performance.now() - before);
  }
  delays.sort((a, b) => a - b);
  // 0.04 ms where the processor is free; one that other programs use too may be late, but not each time.
  t.ok((delays[0] as number) < 5, `at best ${delays[0]} ms, median ${delays[25]} ms`);
});

t.test('a thread that is terminated at any moment gives back what it held', async (t) => {
  const memory = SharedMemory.create(4);
  const slots = Array.from({ length: 3 }, () => memory.servers.claim());
  const rows = slots.map((slot) => memory.servers.row(slot));
  const random = seeded(5);
  for (let round = 0; round < 8; round++) {
    const started = [1, 2, 3].map((thread) =>
      start(t, { handle: memory.handle, thread, slots, work: 'churn' }),
    );
    const workers = await Promise.all(started);
    for (const [index, worker] of workers.entries()) {
      await pause(random() * 5);
      await worker.terminate();
      memory.reclaim(index + 1);
    }
    for (const row of rows) {
      const { active, open, closing, inLine, isTrialFree } = row;
      const left = { active, open, closing, inLine, isTrialFree };
      t.same(left, { active: 0, open: 0, closing: 0, inLine: 0, isTrialFree: true }, `round ${round}`);
    }
  }
});
