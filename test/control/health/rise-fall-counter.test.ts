import t from 'tap';
import { RiseFallCounter } from '../../../lib/control/health/rise-fall-counter.js';

/** `+` a passed check, `-` a failed one; the other column has the state after each: `U`p, `d`own. */
const cases = [
  { rise: 2, fall: 3, checks: '+++', states: 'UUU' },
  { rise: 2, fall: 3, checks: '--+--+', states: 'UUUUUU' },
  { rise: 2, fall: 3, checks: '---', states: 'UUd' },
  { rise: 2, fall: 3, checks: '-----', states: 'UUddd' },
  { rise: 2, fall: 3, checks: '---+-++', states: 'UUddddU' },
  { rise: 2, fall: 3, checks: '---++--+---', states: 'UUddUUUUUUd' },
  { rise: 1, fall: 1, checks: '-+-+', states: 'dUdU' },
  { rise: 3, fall: 1, checks: '-++-+++', states: 'ddddddU' },
];

for (const { rise, fall, checks, states } of cases) {
  t.test(`rise ${rise}, fall ${fall}: ${checks}`, async (t) => {
    const tally = new RiseFallCounter({ rise, fall });
    let said = '';
    for (const check of checks) {
      const before = tally.isUp;
      const changed = tally.note(check === '+');
      said += tally.isUp ? 'U' : 'd';
      t.equal(changed, tally.isUp !== before, 'a change is reported, and nothing else');
    }
    t.equal(said, states);
  });
}

const newcomers = [
  { initial: 'up', checks: '-+-++', states: 'dUUUU' },
  { initial: 'up', checks: '---+---', states: 'dddUUUd' },
  { initial: 'up', checks: '+--+---', states: 'UUUUUUd' },
  { initial: 'unknown', checks: '--+-', states: 'ddUU' },
  { initial: 'down', checks: '-+-++', states: 'ddddU' },
] as const;

for (const { initial, checks, states } of newcomers) {
  t.test(`of a server that is new, and ${initial} at first, one result decides: ${checks}`, async (t) => {
    const tally = new RiseFallCounter({ rise: 2, fall: 3 }, initial, true);
    let said = '';
    for (const [at, check] of [...checks].entries()) {
      t.equal(tally.isNew, !checks.slice(0, at).includes('+'), 'until a check has passed');
      tally.note(check === '+');
      said += tally.isUp ? 'U' : 'd';
    }
    t.equal(said, states);
  });
}

t.test(
  'the counter is undecided from the first check against the current state until the state is decided',
  async (t) => {
    const tally = new RiseFallCounter({ rise: 2, fall: 3 });
    const wavers = (ok: boolean): boolean => {
      tally.note(ok);
      return tally.isUndecided;
    };
    t.equal(tally.isUndecided, false);
    t.same([true, false, false, true, false, false, false].map(wavers), [
      false,
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    t.same([false, true, false, true, true].map(wavers), [false, true, false, true, false]);
  },
);

t.test('new thresholds, as after a reload, keep the counts', async (t) => {
  const tally = new RiseFallCounter({ rise: 2, fall: 3 });
  tally.note(false);
  tally.note(false);
  tally.applyThresholds({ rise: 2, fall: 3 });
  t.equal(tally.note(false), true, 'the third in a row');
  tally.note(true);
  tally.applyThresholds({ rise: 3, fall: 3 });
  t.equal(tally.note(true), false);
  t.equal(tally.note(true), true, 'the third in a row');
});
