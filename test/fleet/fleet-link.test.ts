import t from 'tap';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { FleetLink } from '../../lib/fleet/fleet-link.js';
import { ManualClock } from '../support/manual-clock.js';

t.test('a Redis that is lost again soon has to give more good answers before it is trusted', async (t) => {
  const clock = new ManualClock();
  const link = new FleetLink({ clock, observer: {}, onState: () => {} });
  link.use({
    call: () => Promise.reject(new Error('Command timed out')),
    reconnect: () => {},
    close: () => {},
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

t.test('what fails while the node stops is not said to be a loss', async (t) => {
  const events: BalancerEvent[] = [];
  const link = new FleetLink({
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
  link.use({ call: () => new Promise(() => {}), reconnect: () => {}, close: () => {} });
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
