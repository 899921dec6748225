import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CALLS = 100_000;
/** The first rounds run before the compiler is done with `call`, which on a busy machine takes a while. */
const MOST_ROUNDS = 30;

/** Bytes of heap that one `call` takes once it is compiled: the least of several rounds, as others may allocate too. */
export function bytesPerCall(call: (index: number) => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MOST_ROUNDS && least > 0.5; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call(i);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / CALLS);
  }
  return least;
}
