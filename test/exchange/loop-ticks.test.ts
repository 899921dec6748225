import t, { type Test } from 'tap';
import { FAILURES } from '../../lib/base/failure.js';
import { Deadline, TimerWheel } from '../../lib/base/timer-wheel.js';
import type { TimeoutsConfig } from '../../lib/config/types.js';
import { Relay, Replay } from '../../lib/exchange/relay.js';
import type { ClientSide } from '../../lib/http/flow.js';
import type { Lease } from '../../lib/servers/contracts.js';
import { ManualClock } from '../support/manual-clock.js';

/** A relay that has sent a GET to a server, and a client that reads answers or not. */
function asked(t: Test) {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  t.teardown(() => wheel.close());
  const told: string[] = [];
  const deadline = new Deadline(wheel, {
    onDeadline: () => void told.push(relay.overdue()?.reason ?? 'more time'),
  });
  const timeouts = { responseHeader: 1000, responseBody: 1000 } as TimeoutsConfig;
  const relay = new Relay(deadline, new Replay(), timeouts);
  const state = { takes: true, isRead: true };
  const client = {
    head: { expectsContinue: false },
    requestComplete: true,
    takesAnswers: () => state.takes,
    resumeRequest: () => {},
  } as unknown as ClientSide;
  const channel = {
    writeText: () => {},
    pause(): void {
      state.isRead = false;
    },
    resume(): void {
      state.isRead = true;
    },
  };
  relay.open(client, timeouts);
  relay.connect({ channel } as unknown as Lease, '', clock.now());
  return { relay, state, told, clock };
}

t.test('a silent server is overdue after its timeout', async (t) => {
  const { told, clock } = asked(t);
  clock.advance(1100);
  t.strictSame(told, [FAILURES.response_timeout.reason]);
});

t.test('a server that is not read because its client reads nothing is not at fault', async (t) => {
  const { relay, state, told, clock } = asked(t);
  relay.pauseServer();
  clock.advance(1100);
  t.strictSame(told, ['more time'], 'the client has read something meanwhile');
  state.takes = false;
  clock.advance(1100);
  t.strictSame(told.slice(1), ['client_stalled']);
});

t.test('when a server is read again, its timeout starts anew', async (t) => {
  const { relay, state, told, clock } = asked(t);
  relay.pauseServer();
  clock.advance(900);
  relay.clientDrained();
  t.equal(state.isRead, true);
  clock.advance(900);
  t.strictSame(told, []);
  clock.advance(200);
  t.strictSame(told, ['response_timeout']);
});
