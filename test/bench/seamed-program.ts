/** The real program, whose first thread runs out of memory when its parent says so: a child process of `disturbances.ts`. */
import { fillHeap, limitHeaps, runningWorkers } from '../support/worker-threads.js';

limitHeaps(Number(process.env.LB_BENCH_HEAP_MB ?? 0));
const { main } = await import('../../lib/cli/main.js');
process.on('message', () => {
  const victim = runningWorkers()[0];
  if (victim !== undefined) fillHeap(victim);
});
process.on('disconnect', () => process.exit());
const ignore = (): void => {};
const keepers = { SIGINT: ignore, SIGTERM: ignore, SIGHUP: ignore, SIGUSR1: ignore, SIGUSR2: ignore };
await main({ kept: [], keepers });
