import t from 'tap';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { FleetLink } from '../../lib/fleet/fleet-link.js';
import { ManualClock } from '../support/manual-clock.js';

/** Where the time for an answer does not matter. */
const PATIENT = { wheel: { readUntil: 0 }, timeout: 500 };
const CLIENT = { explain: (message: string) => message, reconnect: () => {}, close: () => {} };

t.test('a Redis that is lost again soon has to give more good answers before it is trusted', async (t) => {
  const clock = new ManualClock();
  const link = new FleetLink({ ...PATIENT, clock, observer: {}, onState: () => {} });
  link.use({
    ...CLIENT,
    call: () => Promise.reject(new Error('OOM')),
  });
  /** Loses Redis, and returns how many good answers it then takes to share again. */
  const answersNeeded = async (): Promise<number> => {
    await link.call('PING', []).catch(() => {});
    t.equal(link.state, 'lost');
    for (let answers = 1; ; answers++) {
      clock.advance(250);
      link.noteGood();
      if (link.state === 'shared') return answers;
    }
  };
  link.noteGood();
  t.equal(link.state, 'shared');
  clock.advance(60_000);
  const needed: number[] = [];
  for (let times = 0; times < 8; times++) needed.push(await answersNeeded());
  t.strictSame(needed, [2, 4, 8, 16, 32, 64, 64, 64]);
  clock.advance(60_000);
  t.equal(await answersNeeded(), 2, 'it was shared for long');
});

t.test('what fails while the node stops is not reported as a loss', async (t) => {
  const events: BalancerEvent[] = [];
  const link = new FleetLink({
    ...PATIENT,
    clock: new ManualClock(),
    observer: { event: (event) => void events.push(event) },
    onState: () => {},
  });
  link.noteGood();
  link.leave();
  await t.rejects(link.call('ZREM', []), /no connection/);
  t.equal(link.state, 'shared');
  t.strictSame(events, []);
});

/** A link whose time the test advances, and what it has reported. */
function linkWithEvents(): { clock: ManualClock; events: BalancerEvent[]; link: FleetLink } {
  const clock = new ManualClock();
  const events: BalancerEvent[] = [];
  const link = new FleetLink({
    ...PATIENT,
    clock,
    observer: { event: (event) => void events.push(event) },
    onState: () => {},
  });
  return { clock, events, link };
}

t.test('time in which the thread was busy at the start is no silence of Redis', async (t) => {
  const { clock, events, link } = linkWithEvents();
  const tick = (ms: number, times: number): void => {
    for (let i = 0; i < times; i++) {
      clock.advance(ms);
      link.tick();
    }
  };
  tick(50, 30);
  clock.advance(4000);
  link.use({ ...CLIENT, call: () => new Promise(() => {}) });
  link.tick();
  t.equal(link.state, 'connecting', 'the client was loaded for 4 s');
  tick(50, 30);
  tick(3000, 1);
  t.equal(link.state, 'connecting', 'the thread did something else for 3 s');
  tick(50, 4);
  t.equal(link.state, 'lost', 'nobody has answered for 2 s');
  t.same(events, [{ what: 'shared_lost', detail: 'no answer' }]);
});

t.test('a client that cannot be loaded is a loss after 2 s', async (t) => {
  const { clock, events, link } = linkWithEvents();
  link.noteConnectError('Cannot find package');
  for (let i = 0; i < 40; i++) {
    t.equal(link.state, 'connecting');
    clock.advance(50);
    link.tick();
  }
  t.same(events, [{ what: 'shared_lost', detail: 'Cannot find package' }]);
});

t.test(
  'an answer that a busy thread has not read yet is no loss; one that is not there in time is',
  async (t) => {
    const clock = new ManualClock();
    const wheel = { readUntil: clock.now() };
    const events: BalancerEvent[] = [];
    const link = new FleetLink({
      clock,
      wheel,
      timeout: 500,
      observer: { event: (event) => void events.push(event) },
      onState: () => {},
    });
    const waiting: ((answer: string) => void)[] = [];
    link.use({ ...CLIENT, call: () => new Promise((resolve) => waiting.push(resolve)) });
    link.noteGood();

    const first = link.call('PING', []);
    clock.advance(3000);
    // Timers come before the sockets are read.
    link.tick();
    t.equal(link.state, 'shared', 'the thread was busy for 3 s');
    waiting[0]?.('PONG');
    t.equal(await first, 'PONG');
    wheel.readUntil = clock.now();
    link.tick();
    t.equal(link.state, 'shared', 'it was answered');

    const second = link.call('PING', []);
    const third = link.call('PING', []);
    wheel.readUntil += 499;
    clock.advance(600);
    link.tick();
    t.equal(link.state, 'shared', 'what came until then was read, and there is time left');
    wheel.readUntil += 1;
    link.tick();
    await t.rejects(second, /timed out: no answer in 500 ms/);
    await t.rejects(third, /timed out/);
    t.equal(link.state, 'lost');
    t.strictSame(events, [{ what: 'shared_lost', detail: 'timed out: no answer in 500 ms' }]);
    // Too late.
    for (const answer of waiting) answer('PONG');
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(link.answers, 1);
  },
);
