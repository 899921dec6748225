import t from 'tap';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { HalfOpen } from '../../lib/servers/half-open.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { ManualClock } from '../support/manual-clock.js';

/** The half-open state of one server, as two threads see it. */
function twoThreads(t: { teardown(end: () => void): void }) {
  const shared = SharedMemory.create(3);
  const slot = shared.servers.claim();
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const [one, other] = [1, 2].map((thread) => {
    const { servers } = SharedMemory.attach(shared.handle, thread);
    return new HalfOpen(servers.row(slot), wheel);
  }) as [HalfOpen, HalfOpen];
  return { one, other, clock, shared, row: shared.servers.row(slot) };
}

t.test('a half-open server has room for one request at a time, any other for any number', async (t) => {
  const { one, other } = twoThreads(t);
  t.equal(one.hasRoom(true), true);
  one.begin();
  other.begin();
  t.equal(one.hasRoom(true), true);
  t.equal(one.claim(), true);
  t.equal(one.hasRoom(true), false, 'a request was picked as the trial');
  t.equal(other.hasRoom(true), false, 'in another thread too');
  t.equal(other.claim(), false);
  t.equal(other.take(), 0, 'a request of a bound client is no second trial');
  const token = one.take();
  t.not(token, 0);
  t.equal(other.hasRoom(true), false);
  one.end();
  t.equal(one.hasRoom(true), true);
});

t.test('the trial is free again after its request has ended, not after another one', async (t) => {
  const { one, other, row } = twoThreads(t);
  one.begin();
  other.begin();
  const token = one.take();
  row.endTrial(0);
  row.endTrial(token + 256);
  t.equal(other.hasRoom(true), false);
  row.endTrial(token);
  t.equal(other.hasRoom(true), true);
});

t.test('a request of an earlier trial does not end the present one', async (t) => {
  const { one, other, row } = twoThreads(t);
  one.begin();
  const early = one.take();
  row.setFlag(4, true);
  other.begin();
  t.not(other.take(), 0);
  row.endTrial(early);
  t.equal(other.hasRoom(true), false);
});

t.test('a trial whose request never begins is given up after a second', async (t) => {
  const { one, other, clock } = twoThreads(t);
  one.begin();
  other.begin();
  t.equal(one.claim(), true);
  clock.advance(900);
  t.equal(other.hasRoom(true), false);
  clock.advance(200);
  t.equal(other.hasRoom(true), true);
});

t.test('a trial is free again after the thread of its request has ended', async (t) => {
  const { one, other, shared } = twoThreads(t);
  one.begin();
  other.begin();
  one.take();
  shared.reclaim(2);
  t.equal(other.hasRoom(true), false);
  shared.reclaim(1);
  t.equal(other.hasRoom(true), true);
});

t.test('a request that may not be sent twice is not a trial, unless there is no other', async (t) => {
  const { one, clock } = twoThreads(t);
  one.begin();
  clock.advance(4900);
  t.equal(one.hasRoom(false), false);
  t.equal(one.hasRoom(true), true);
  clock.advance(200);
  t.equal(one.hasRoom(false), true);
  one.take();
  t.equal(one.hasRoom(false), false);
});
