import t from 'tap';
import { First } from '../../../lib/servers/scheduler/first.js';
import { LeastConnections } from '../../../lib/servers/scheduler/least-connections.js';
import { LeastResponseTime } from '../../../lib/servers/scheduler/least-response-time.js';
import { PowerOfTwo } from '../../../lib/servers/scheduler/power-of-two.js';
import { Random } from '../../../lib/servers/scheduler/random.js';
import { randomBits } from '../../../lib/servers/scheduler/random-bits.js';
import { NO_KEY } from '../../../lib/servers/scheduler/scheduler.js';
import { ManualClock } from '../../support/manual-clock.js';
import { Chooser, servers, type TestServer, tally } from './candidates.js';

const leastConnections = (): Chooser => new Chooser((list) => new LeastConnections(list));
const first = (): Chooser => new Chooser((list) => new First(list));
const powerOfTwo = (seed: number): Chooser => new Chooser((list) => new PowerOfTwo(list, randomBits(seed)));
const random = (seed: number): Chooser => new Chooser((list) => new Random(list, randomBits(seed)));

/** Requests in flight on each server after `count` have come and none has ended. */
function pile(scheduler: Chooser, list: TestServer[], count: number): number[] {
  for (let i = 0; i < count; i++) list[scheduler.pick(list, NO_KEY)]!.active++;
  return list.map(({ active }) => active);
}

t.test('least_connections picks the server with the fewest requests in flight', async (t) => {
  t.test('requests in flight are as even as possible by weight', async (t) => {
    t.strictSame(pile(leastConnections(), servers(1, 1, 1), 31).toSorted(), [10, 10, 11]);
    t.strictSame(pile(leastConnections(), servers(1, 2, 3), 60), [10, 20, 30]);
  });

  t.test('the server with fewer is picked, even by a fraction', async (t) => {
    const list = servers(2, 3);
    [list[0]!.active, list[1]!.active] = [10, 14];
    t.equal(leastConnections().pick(list, NO_KEY), 1);
    [list[0]!.active, list[1]!.active] = [9, 14];
    t.equal(leastConnections().pick(list, NO_KEY), 0);
  });

  t.test('servers with equal numbers or equal ratios take turns', async (t) => {
    const scheduler = leastConnections();
    t.strictSame(tally(scheduler, servers(1, 1, 1, 1), 400), [100, 100, 100, 100]);
    const list = servers(3, 6, 1);
    [list[0]!.active, list[1]!.active, list[2]!.active] = [1, 2, 9];
    t.strictSame(tally(leastConnections(), list, 300), [100, 200, 0]);
  });
});

t.test('power_of_two picks the less loaded of two random servers', async (t) => {
  t.test('the busiest of three is never picked', async (t) => {
    const list = servers(1, 1, 1);
    list[1]!.active = 5;
    const counts = tally(powerOfTwo(3), list, 3000);
    t.equal(counts[1], 0);
    t.ok(counts[0]! > 1300 && counts[2]! > 1300, counts.join(', '));
  });

  t.test('the most loaded server has far fewer requests than with random', async (t) => {
    const most = (scheduler: Chooser): number =>
      Math.max(...pile(scheduler, servers(...new Array<number>(100).fill(1)), 10_000));
    t.ok(most(powerOfTwo(5)) <= 104);
    t.ok(most(random(5)) > 115);
  });

  t.test('loads are compared by weight', async (t) => {
    const piled = pile(powerOfTwo(8), servers(1, 2, 4), 7000);
    for (const [i, weight] of [1, 2, 4].entries())
      t.ok(Math.abs(piled[i]! / weight - 1000) < 60, piled.join());
  });
});

t.test('least_response_time picks the server that will answer sooner', async (t) => {
  const create = (): { scheduler: Chooser; clock: ManualClock } => {
    const clock = new ManualClock();
    return { scheduler: new Chooser((list) => new LeastResponseTime(list, randomBits(2), clock)), clock };
  };

  t.test('a server that answers sooner gets more requests', async (t) => {
    const { scheduler, clock } = create();
    const list = servers(1, 1, 1);
    for (const [i, ms] of [5, 50, 20].entries()) list[i]!.latency.note(ms, clock.now());
    const counts = tally(scheduler, list, 3000);
    t.equal(counts[1], 0, 'the slowest of three gets none');
    t.ok(counts[0]! > counts[2]! * 1.8, counts.join(', '));
  });

  t.test('a fast server gets fewer requests when it has more in flight', async (t) => {
    const { scheduler, clock } = create();
    const list = servers(1, 1);
    list[0]!.latency.note(9, clock.now());
    list[1]!.latency.note(39, clock.now());
    t.strictSame(pile(scheduler, list, 50), [40, 10]);
  });

  t.test('the latency estimate rises with one slow answer and falls slowly', async (t) => {
    const { latency } = servers(1)[0]!;
    latency.note(10, 0);
    latency.note(500, 100);
    t.equal(latency.at(100), 500);
    latency.note(10, 1100);
    t.ok(latency.at(1100) > 400 && latency.at(1100) < 500, String(latency.at(1100)));
  });

  t.test('a server that was slow is tried again after a while without requests', async (t) => {
    const { scheduler, clock } = create();
    const list = servers(1, 1);
    list[0]!.latency.note(20, clock.now());
    list[1]!.latency.note(2000, clock.now());
    t.equal(tally(scheduler, list, 500)[1], 0);
    for (let second = 0; second < 60; second++) {
      clock.advance(1000);
      list[0]!.latency.note(20, clock.now());
    }
    t.ok(tally(scheduler, list, 500)[1]! > 200);
  });
});

t.test('first keeps few servers busy', async (t) => {
  t.test('the first server is used until it is full, then the next', async (t) => {
    const list = servers(1, 1, 1);
    [list[0]!.capacity, list[1]!.capacity, list[2]!.capacity] = [3, 2, 10];
    t.strictSame(pile(first(), list, 3), [3, 0, 0]);
    t.strictSame(pile(first(), list, 3), [3, 2, 1]);
    list[0]!.active--;
    t.strictSame(pile(first(), list, 2), [3, 2, 2]);
  });

  t.test('when all are full, surplus requests are spread by capacity', async (t) => {
    const list = servers(1, 1);
    [list[0]!.capacity, list[1]!.capacity] = [2, 4];
    t.strictSame(pile(first(), list, 18), [6, 12]);
  });

  t.test('without a limit the first server gets all requests', async (t) => {
    t.strictSame(pile(first(), servers(1, 9), 40), [40, 0]);
  });
});
