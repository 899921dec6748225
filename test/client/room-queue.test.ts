import t from 'tap';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { RoomQueue } from '../../lib/client/room-queue.js';
import type { Entrance, RawConnection } from '../../lib/net/accept.js';
import { ConnectionTotal } from '../../lib/shared/connection-total.js';
import { RoomRequests } from '../../lib/shared/room-requests.js';
import { ManualClock } from '../support/manual-clock.js';

/** The control plane and three engines. */
const THREADS = 4;

t.test('a thread that does not answer is not the first to be asked again', async (t) => {
  const clock = new ManualClock();
  const memory = RoomRequests.memory(THREADS);
  const first = new RoomRequests(memory, 1);
  const second = new RoomRequests(memory, 2);
  const third = new RoomRequests(memory, 3);
  const total = new ConnectionTotal(ConnectionTotal.memory(THREADS), 1);
  const queue = new RoomQueue(new TimerWheel(clock), first, total, () => false);
  let entered = 0;
  const entrance: Entrance = {
    enter() {
      entered++;
    },
  };
  const connection = {} as RawConnection;

  t.ok(queue.push(connection, entrance));
  t.same([second.askedBy(1), third.askedBy(1)], [1, 0]);
  clock.advance(1000);
  t.equal(entered, 1, 'it comes in, whether there is room or not');
  t.same([second.askedBy(1), third.askedBy(1)], [0, 0], 'nobody is asked for it any more');

  t.ok(queue.push(connection, entrance));
  t.same([second.askedBy(1), third.askedBy(1)], [0, 1]);
  queue.close();
  t.equal(entered, 2);
});
