import t from 'tap';
import { systemClock } from '../../lib/base/timer-wheel.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { HangWatch, type WatchedThread } from '../../lib/threads/hang-watch.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { hangAll, runningWorkers, startEndless, startHangable } from '../support/worker-threads.js';
import { answerers, connectMany, threadsEnded } from './load.js';

t.setTimeout(120_000);

/** A thread that ends when it is told to, and says why. */
class FakeThread implements WatchedThread {
  readonly number: number;
  isOpen = true;
  ended = '';

  constructor(number: number) {
    this.number = number;
  }

  end(reason: string): Promise<void> {
    this.ended = reason;
    return Promise.resolve();
  }
}

t.test('a thread whose event loop has not moved for 30 s is ended, with the reason', async (t) => {
  const clock = new ManualClock();
  const memory = SharedMemory.create(3);
  const [one, two] = [new FakeThread(1), new FakeThread(2)];
  const watch = new HangWatch(clock, memory.pulses, () => [one, two]);
  t.teardown(() => watch.stop());
  const beatOf = (thread: number): (() => void) => {
    const { pulses } = SharedMemory.attach(memory.handle, thread);
    return () => pulses.beat();
  };
  const [beatOne, beatTwo] = [beatOf(1), beatOf(2)];
  beatOne();
  beatTwo();
  for (let look = 0; look < 3; look++) {
    beatOne();
    clock.advance(10_000);
  }
  t.equal(two.ended, '', 'it was seen once, and stood still for 20 s');
  beatOne();
  clock.advance(10_000);
  t.equal(two.ended, 'its event loop has stood still for 30 s');
  t.equal(one.ended, '');
});

t.test('a thread that moves now and then, or has begun to start, goes on', async (t) => {
  const clock = new ManualClock();
  const memory = SharedMemory.create(2);
  const [slow, building] = [new FakeThread(0), new FakeThread(1)];
  building.isOpen = false;
  const watch = new HangWatch(clock, memory.pulses, () => [slow, building]);
  for (let look = 0; look < 12; look++) {
    if (look % 3 === 0) memory.pulses.beat();
    clock.advance(10_000);
  }
  t.equal(slow.ended, '');
  t.equal(building.ended, '');
  building.isOpen = true;
  clock.advance(30_000);
  t.equal(building.ended, '', 'from then on it has as long as others');
  watch.stop();
  clock.advance(60_000);
  t.equal(building.ended, '');
});

t.test('a thread whose start has made no progress for two minutes is ended, with the reason', async (t) => {
  const clock = new ManualClock();
  const memory = SharedMemory.create(2);
  const [hung, building] = [new FakeThread(0), new FakeThread(1)];
  for (const thread of [hung, building]) thread.isOpen = false;
  const watch = new HangWatch(clock, memory.pulses, () => [hung, building]);
  t.teardown(() => watch.stop());
  const { pulses } = SharedMemory.attach(memory.handle, 1);
  for (let look = 0; look < 13; look++) {
    t.equal(hung.ended, '');
    // A step now and then, however long the whole takes.
    if (look % 10 === 0) pulses.beat();
    clock.advance(10_000);
  }
  t.equal(hung.ended, 'it does not listen yet, and its start has made no progress for 120 s');
  t.equal(building.ended, '');
});

t.test('the start fails with the reason when all threads hang before they listen', THREADS, async (t) => {
  // The looks of this process come every 200 ms, instead of every 10 s.
  const { every } = systemClock;
  const clock = systemClock as { every: typeof every };
  clock.every = (ms, tick) => every(ms === 10_000 ? 200 : ms, tick);
  startEndless(true);
  t.teardown(() => {
    clock.every = every;
    startEndless(false);
  });
  await t.rejects(
    startBalancer(t, { servers: ['127.0.0.1:9'] }, { workers: 2 }),
    /thread 1 has ended: it does not listen yet, and its start has made no progress for 120 s/,
  );
  await until(() => runningWorkers().length === 0);
});

t.test('a thread that hangs while nobody reloads is replaced', THREADS, async (t) => {
  // The looks of this process come every 2.5 s, instead of every 10 s.
  const { every } = systemClock;
  const clock = systemClock as { every: typeof every };
  clock.every = (ms, tick) => every(ms === 10_000 ? 2500 : ms, tick);
  t.teardown(() => {
    clock.every = every;
  });
  const [a] = await namedOrigins(t, 'a');
  startHangable(true);
  const started = await startBalancer(t, { servers: [{ name: 'a', address: a!.address }] }, { workers: 2 });
  const { seen } = started;
  t.same(await answerers(await connectMany(started)), ['a']);
  const before = runningWorkers();
  startHangable(false);
  await hangAll();
  await until(() => threadsEnded(seen).length >= 1);
  await until(() => threadsEnded(seen).length >= 2);
  t.match(threadsEnded(seen)[0], /The reason: its event loop has stood still for 30 s$/);
  await until(() => runningWorkers().length === 2 && !runningWorkers().some((one) => before.includes(one)));
  await started.balancer.settled();
  t.same(await answerers(await connectMany(started)), ['a']);
});
