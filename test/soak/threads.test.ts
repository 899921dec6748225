import t from 'tap';
import { THREADS } from '../support/thread-switch.js';
import { sufferDeaths } from './thread-deaths.js';

t.setTimeout(180_000);

t.test(
  'threads are killed under traffic: only their connections end, nothing is left',
  THREADS,
  async (t) => {
    const outcome = await sufferDeaths({
      seconds: 6,
      every: 2,
      // A busy machine shows them late.
      cutMs: 30_000,
      kept: 18,
      rest: 200,
      tunnels: 6,
      newEachSecond: 10,
      print: (line) => t.comment(line),
    });
    t.same(outcome.failures, []);
    t.ok(outcome.kills > 0, `${outcome.kills} kills`);
    t.ok(outcome.cuts.kept + outcome.cuts.tunnel > 0, 'they had connections');
    t.ok(outcome.answered > 20, `${outcome.answered} answered`);
  },
);
