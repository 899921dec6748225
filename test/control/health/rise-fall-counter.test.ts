import t from 'tap';
import { RiseFallCounter } from '../../../lib/control/health/rise-fall-counter.js';

/** `+` a check that passed, `-` one that failed; in the second column what the tally says behind each: `U`p, `d`own. */
const cases = [
  { rise: 2, fall: 3, checks: '+++', verdicts: 'UUU' },
  { rise: 2, fall: 3, checks: '--+--+', verdicts: 'UUUUUU' },
  { rise: 2, fall: 3, checks: '---', verdicts: 'UUd' },
  { rise: 2, fall: 3, checks: '-----', verdicts: 'UUddd' },
  { rise: 2, fall: 3, checks: '---+-++', verdicts: 'UUddddU' },
  { rise: 2, fall: 3, checks: '---++--+---', verdicts: 'UUddUUUUUUd' },
  { rise: 1, fall: 1, checks: '-+-+', verdicts: 'dUdU' },
  { rise: 3, fall: 1, checks: '-++-+++', verdicts: 'ddddddU' },
];

for (const { rise, fall, checks, verdicts } of cases) {
  t.test(`rise ${rise}, fall ${fall}: ${checks}`, async (t) => {
    const tally = new RiseFallCounter({ rise, fall });
    let said = '';
    for (const check of checks) {
      const before = tally.isUp;
      const changed = tally.note(check === '+');
      said += tally.isUp ? 'U' : 'd';
      t.equal(changed, tally.isUp !== before, 'a change is told, and nothing else');
    }
    t.equal(said, verdicts);
  });
}

t.test(
  'the counter wavers from the first check against the current state until that is settled',
  async (t) => {
    const tally = new RiseFallCounter({ rise: 2, fall: 3 });
    const wavers = (ok: boolean): boolean => {
      tally.note(ok);
      return tally.isWavering;
    };
    t.equal(tally.isWavering, false);
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

t.test('other thresholds, as of a reload, leave what was counted', async (t) => {
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
