import t from 'tap';
import { createConfig } from '../../../lib/config/config.js';
import type { PassiveHealthConfig } from '../../../lib/config/types.js';
import { EjectionTime } from '../../../lib/control/health/outlier-detector.js';

const config = createConfig({ passive_health: { eject_for: '10s', max_eject_for: '35s' } })
  .passiveHealth as PassiveHealthConfig;

t.test('each ejection is longer than the one before, up to max_eject_for', async (t) => {
  const time = new EjectionTime();
  const spans: number[] = [];
  let now = 1_000_000;
  for (let i = 0; i < 5; i++) {
    const ms = time.next(config, now);
    spans.push(ms);
    now += ms;
    time.over(now);
    now += 1000;
  }
  t.same(spans, [10_000, 20_000, 30_000, 35_000, 35_000]);
});

t.test('the ejection time falls by one step for each eject_for without an ejection', async (t) => {
  const time = new EjectionTime();
  let now = 1_000_000;
  const next = (good: number): number => {
    now += good;
    const ms = time.next(config, now);
    now += ms;
    time.over(now);
    return ms;
  };
  t.same([next(0), next(0), next(0)], [10_000, 20_000, 30_000]);
  t.equal(next(9999), 35_000, 'too short a time');
  t.equal(next(20_000), 30_000, 'four, minus two, plus one');
  t.equal(next(1_000_000), 10_000, 'as for the first ejection');
});
