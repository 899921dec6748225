/**
 * A balancer in three threads, one of which is killed every few seconds, thrown in and terminated by turns, under steady
 * traffic. Exit code 1 if anything but its own connections suffers, if anything is left, or if memory grows:
 * `node dist/test/soak/threads.js [--minutes 10] [--every 10] [--kept 48] [--rest 400] [--new 20]` (Node 22.12 or newer)
 */
import { parseArgs } from 'node:util';
import { sufferDeaths } from './thread-deaths.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    every: { type: 'string', default: '10' },
    kept: { type: 'string', default: '48' },
    rest: { type: 'string', default: '400' },
    new: { type: 'string', default: '20' },
  },
});

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const { answered, kills, cuts, unknown, failures } = await sufferDeaths({
  seconds: Number(values.minutes) * 60,
  every: Number(values.every),
  cutMs: 3000,
  kept: Number(values.kept),
  rest: Number(values.rest),
  tunnels: 9,
  newEachSecond: Number(values.new),
  print,
});
print(
  `${answered} answered, ${kills} threads killed; cut were ${cuts.kept} kept connections, ${cuts.tunnel} tunnels and ` +
    `${cuts.new} for one request each, ${unknown} of all before their first answer`,
);
for (const failure of failures) print(failure);
print(failures.length === 0 ? 'nobody else suffered, and nothing is left' : `${failures.length} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;
