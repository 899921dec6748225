import type { Test } from 'tap';
import type { Clock } from '../../lib/base/clock.js';
import { NO_KEY, type RandomSource, type Scheduler } from '../../lib/scheduler/scheduler.js';
import { ManualClock } from '../support/manual-clock.js';
import { seeded } from '../support/random.js';
import { bytesPerCall } from './allocation.js';
import { fits, keyOf, servers, tally } from './candidates.js';

export interface Conformance {
  readonly create: (random: RandomSource, clock: Clock) => Scheduler;
  /** Do servers get work by their weight? */
  readonly weighted: boolean;
}

/** What every scheduler must do, whatever it goes by. */
export function conforms(t: Test, { create, weighted }: Conformance): void {
  const make = (seed = 1): Scheduler => create(seeded(seed), new ManualClock());

  t.test('always one of the candidates, whatever their state and however the list changes', async (t) => {
    const random = seeded(7);
    const scheduler = make();
    const all = servers(1, 2, 0.1, 256, 1, 1, 17, 1);
    const wrong: unknown[] = [];
    for (let i = 0; i < 3000; i++) {
      const from = Math.floor(random() * all.length);
      const list = all.slice(from, from + 1 + Math.floor(random() * (all.length - from)));
      for (const server of list) {
        server.active = Math.floor(random() * 50);
        server.capacity = random() < 0.5 ? Number.POSITIVE_INFINITY : Math.floor(random() * 40) + 1;
        server.latency.note(random() * 1000, i);
      }
      const picked = scheduler.pick(list, random() < 0.5 ? NO_KEY : keyOf(i));
      if (!Number.isInteger(picked) || list[picked] === undefined) wrong.push([list.length, picked]);
    }
    t.same(wrong, []);
  });

  t.test('the same requests in the same state, the same picks', async (t) => {
    const run = (): number[] => {
      const scheduler = make(42);
      const list = servers(3, 1, 2);
      return Array.from({ length: 200 }, (_, i) => scheduler.pick(list, keyOf(i)));
    };
    t.same(run(), run());
  });

  t.test('only picks: it changes no server and no list', async (t) => {
    const list = Object.freeze(servers(2, 1, 3).map((server) => Object.freeze(server)));
    t.doesNotThrow(() => tally(make(), list, 100));
  });

  if (weighted) {
    t.test('idle servers get requests by their weight', async (t) => {
      for (const weights of [
        [1, 1, 1],
        [1, 2, 3, 4],
        [256, 1, 128],
        [1, 0.1, 0.55],
      ]) {
        const counts = tally(make(), servers(...weights), 20_000);
        t.ok(fits(counts, weights), `${weights.join(', ')}: ${counts.join(', ')}`);
      }
    });

    t.test('what one server fails at is shared by the others by weight', async (t) => {
      const scheduler = make();
      const list = servers(1, 2, 3, 4);
      const counts = list.map(() => 0);
      for (let i = 0; i < 20_000; i++) {
        let picked = scheduler.pick(list, keyOf(i));
        counts[picked] = (counts[picked] as number) + 1;
        // The last is broken: its requests are tried once more, on the others.
        if (picked !== 3) continue;
        picked = scheduler.pick(list.slice(0, 3), keyOf(i));
        counts[picked] = (counts[picked] as number) + 1;
      }
      const failed = counts.pop() as number;
      t.ok(fits([failed, 20_000 - failed], [4, 6]), `${failed} of 20000 came to the broken one`);
      // Two lists taking turns are in step now and then, so this is no matter of chance alone.
      const shared = counts.reduce((sum, count) => sum + count, 0);
      for (const [i, count] of counts.entries())
        t.ok(Math.abs(count / shared - (i + 1) / 6) < 0.04, `${count} of ${shared}`);
    });
  }

  t.test('a pick allocates nothing', async (t) => {
    const scheduler = make();
    const list = servers(1, 2, 3, 0.35, 5);
    const sink = { picked: 0 };
    const bytes = bytesPerCall((i) => {
      const picked = scheduler.pick(list, (i * 2_654_435_761) >>> 1);
      const server = list[picked] as (typeof list)[number];
      server.active = i & 7;
      sink.picked += picked;
    });
    t.ok(bytes < 2, `${bytes.toFixed(2)} bytes each`);
  });
}
