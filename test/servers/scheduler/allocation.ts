import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CALLS = 100_000;
/** The compiler runs in its own thread: on a busy machine it takes a while to compile `call`. */
const PATIENCE_MS = 10_000;

/**
 * Bytes of heap that one compiled `call` allocates: the least of all rounds, as others may allocate too. A call that
 * allocates takes `patienceMs`.
 */
export function bytesPerCall(call: (index: number) => void, patienceMs = PATIENCE_MS): number {
  let least = Number.POSITIVE_INFINITY;
  const started = performance.now();
  while (least > 1 && performance.now() - started < patienceMs) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call(i);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / CALLS);
  }
  return least;
}
