import type { Test } from 'tap';
import type { Clock } from '../../../lib/base/timer-wheel.js';
import { randomBits } from '../../../lib/servers/scheduler/random-bits.js';
import {
  type Candidate,
  NO_CANDIDATE,
  NO_KEY,
  type RandomSource,
  type Scheduler,
} from '../../../lib/servers/scheduler/scheduler.js';
import { ManualClock } from '../../support/manual-clock.js';
import { seeded } from '../../support/random.js';
import { bytesPerCall } from './allocation.js';
import { Chooser, equals, fits, keyOf, servers, type TestServer, tally } from './candidates.js';

export interface Conformance {
  readonly create: (candidates: readonly Candidate[], random: RandomSource, clock: Clock) => Scheduler;
  /** Do servers get requests by weight? */
  readonly weighted: boolean;
}

/** What every scheduler must do, whatever its algorithm. */
export function conforms(t: Test, { create, weighted }: Conformance): void {
  const make = (seed = 1, all: readonly TestServer[] = []): Chooser =>
    new Chooser((candidates) => create(candidates, randomBits(seed), new ManualClock()), all);

  t.test(
    'a pick is always one of the candidates, whatever their state and however the list changes',
    async (t) => {
      for (const copies of [1, 20]) {
        const random = seeded(7);
        const all = servers(...Array.from({ length: copies }, () => [1, 2, 0.1, 256, 1, 1, 17, 1]).flat());
        const chooser = make(1, all);
        const wrong: unknown[] = [];
        for (let i = 0; i < 3000; i++) {
          const from = Math.floor(random() * all.length);
          const list = all.slice(from, from + 1 + Math.floor(random() * (all.length - from)));
          for (const server of list) {
            server.active = Math.floor(random() * 50);
            server.capacity = random() < 0.5 ? Number.POSITIVE_INFINITY : Math.floor(random() * 40) + 1;
            if (random() < 0.1) server.effectiveWeight = 0.1 + random() * 255;
            server.latency.note(random() * 1000, i);
          }
          const picked = chooser.pick(list, random() < 0.5 ? NO_KEY : keyOf(i));
          if (!Number.isInteger(picked) || list[picked] === undefined) wrong.push([list.length, picked]);
        }
        t.same(wrong, []);
      }
    },
  );

  t.test('a pick is never a candidate that was tried, and none when all were tried', async (t) => {
    for (const count of [1, 2, 5, 200]) {
      const random = seeded(9);
      const all = equals(count);
      const chooser = make(1, all);
      const wrong: unknown[] = [];
      for (let i = 0; i < 300; i++) {
        const tried = all.filter(() => random() < (i % 3) / 2);
        const picked = chooser.pick(all, i % 2 === 0 ? NO_KEY : keyOf(i), tried);
        const right =
          tried.length === all.length ? picked === NO_CANDIDATE : !tried.includes(all[picked] as TestServer);
        if (!right) wrong.push([tried.length, picked]);
      }
      t.same(wrong, [], `of ${count}`);
    }
  });

  t.test('no pick while there is no candidate', async (t) => {
    const scheduler = create(servers(1, 1), randomBits(1), new ManualClock());
    t.equal(scheduler.pick(NO_KEY, []), NO_CANDIDATE);
    scheduler.include(1);
    t.equal(scheduler.pick(keyOf(1), []), 1);
    scheduler.exclude(1);
    t.equal(scheduler.pick(keyOf(1), []), NO_CANDIDATE);
  });

  t.test('the same requests in the same state lead to the same picks', async (t) => {
    const run = (): number[] => {
      const chooser = make(42);
      const list = servers(3, 1, 2);
      return Array.from({ length: 200 }, (_, i) => chooser.pick(list, keyOf(i)));
    };
    t.same(run(), run());
  });

  t.test('picking changes no server and no list', async (t) => {
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

    t.test('many idle servers get requests by their weight', async (t) => {
      const all = servers(...Array.from({ length: 200 }, (_, i) => [4, 1, 1, 2][i % 4] as number));
      const counts = [0, 0, 0, 0];
      for (const [i, count] of tally(make(1, all), all, 20_000).entries()) counts[i % 4]! += count;
      t.ok(fits(counts, [4, 1, 1, 2]), counts.join(', '));
    });

    t.test('requests that fail on one server are shared by the others by weight', async (t) => {
      const list = servers(1, 2, 3, 4);
      const chooser = make(1, list);
      const counts = list.map(() => 0);
      for (let i = 0; i < 20_000; i++) {
        let picked = chooser.pick(list, keyOf(i));
        counts[picked] = (counts[picked] as number) + 1;
        // The last server fails: its requests are retried on the others.
        if (picked !== 3) continue;
        picked = chooser.pick(list, keyOf(i), list.slice(3));
        counts[picked] = (counts[picked] as number) + 1;
      }
      const failed = counts.pop() as number;
      t.ok(fits([failed, 20_000 - failed], [4, 6]), `${failed} of 20000 went to the failing one`);
      // Two alternating rotations are sometimes in step, so the counts are not only a matter of chance.
      const shared = counts.reduce((sum, count) => sum + count, 0);
      for (const [i, count] of counts.entries())
        t.ok(Math.abs(count / shared - (i + 1) / 6) < 0.04, `${count} of ${shared}`);
    });
  }

  t.test('neither a pick nor a change allocates, with few servers and with many', async (t) => {
    for (const copies of [1, 60]) {
      const list = servers(...Array.from({ length: copies }, () => [1, 2, 3, 0.35, 5]).flat());
      const scheduler = create(list, randomBits(3), new ManualClock());
      for (const index of list.keys()) scheduler.include(index);
      const sink = { picked: 0 };
      const tried = [0];
      const none: number[] = [];
      const bytes = bytesPerCall((i) => {
        tried[0] = i % list.length;
        const picked = scheduler.pick((i * 2_654_435_761) >>> 1, (i & 15) === 0 ? tried : none);
        const server = list[picked] as TestServer;
        server.active = i & 7;
        if (scheduler.followsLoad) scheduler.noteLoad(picked);
        sink.picked += picked;
      });
      t.ok(bytes < 2, `${list.length} servers: ${bytes.toFixed(2)} bytes each`);
    }
  });
}
