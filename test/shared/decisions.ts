import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { startCrowd } from './crowd.js';
import type { Timing } from './tasks.js';

/**
 * What a decision of a rate limit costs, with 1, 2 and 4 threads at once: `node dist/test/shared/decisions.js`. `hot`: all
 * threads ask for one client. `spread`: for one of 50,000 clients, most of which are in no cache of the processor.
 */
const ROUNDS = 5;
const teardowns: (() => unknown)[] = [];
const holder = { teardown: (end: () => unknown) => teardowns.push(end) };

for (const clients of [1, 50_000]) {
  for (const threads of [1, 2, 4]) {
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const shared = SharedMemory.create(threads + 1);
      const part = { clients, decisions: 1_000_000 };
      const crowd = await startCrowd(holder, shared, 'time', Array(threads).fill(part));
      const timings: readonly Timing[] = await Promise.all(crowd.map(({ result }) => result));
      for (const { each } of timings) costs.push(each);
      for (const end of teardowns.splice(0)) await end();
    }
    costs.sort((a, b) => a - b);
    const [least, most] = [costs[0], costs.at(-1)] as [number, number];
    const median = costs[costs.length >> 1] as number;
    const name = clients === 1 ? 'hot   ' : 'spread';
    process.stdout.write(
      `${name} ${threads} threads: ${format(median)} ns a decision (${format(least)} to ${format(most)})\n`,
    );
  }
}

function format(value: number): string {
  return value.toFixed(0);
}
