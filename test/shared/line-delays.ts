import type { Test } from 'tap';
import { figuresOf, type LineDelay, measureLine, THREADS } from './line-delay.js';

/**
 * Prints how soon the line of a server with `max_connections: 8` moves, with 4 threads, in ms from the end of a request to the beginning
 * of the next one: `node dist/test/shared/line-delays.js`, with the number of rounds (24 requests each, by default 50).
 */
const rounds = Number(process.argv[2] ?? 50);
const ends: (() => void)[] = [];
const t = { teardown: (end: () => void) => ends.push(end) } as unknown as Test;
const delays = await measureLine(t, rounds);

function print(name: string, some: readonly LineDelay[]): void {
  const { count, median, p99, most } = figuresOf(some);
  const figures = [median, p99, most].map((ms) => ms.toFixed(2).padStart(8)).join('');
  process.stdout.write(`${name.padEnd(24)}${String(count).padStart(8)}${figures}\n`);
}

process.stdout.write(`${' '.repeat(24)}    begun  median     p99    most\n`);
for (let number = 1; number <= THREADS; number++)
  print(
    `in thread ${number}`,
    delays.filter(({ thread }) => thread === number),
  );
print(
  'after one of its thread',
  delays.filter(({ hasCrossed }) => !hasCrossed),
);
print(
  'after one of another',
  delays.filter(({ hasCrossed }) => hasCrossed),
);
print('all', delays);
for (const end of ends.reverse()) end();
