import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { FamilyRace, type RaceResult } from '../../lib/net/family-race.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

t.test('a race that was given up is run again, and one that has ended is not', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const wheel = new TimerWheel(new ManualClock());
  t.teardown(() => wheel.close());
  const race = new FamilyRace(wheel);
  t.teardown(() => race.cancel());
  const winners: RaceResult[] = [];
  const run = (): void => race.run(['127.0.0.1'], ['127.0.0.2'], port, (winner) => void winners.push(winner));
  run();
  race.cancel();
  run();
  t.same(winners, [], 'nothing is known yet');
  await until(() => winners.length === 1);
  run();
  t.same(winners, ['first', 'first'], 'the result holds');
});
