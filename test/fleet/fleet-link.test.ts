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
