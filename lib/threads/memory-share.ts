import { totalmem } from 'node:os';

/** What is left for buffers, the main thread and the rest of the machine. */
const SHARE = 0.6;
const LEAST_MB = 128;
/** As much as Node gives a process of its own on a large machine. */
const MOST_MB = 4096;

/** MB that the objects of each of this many threads may take, of the memory of this machine or control group. */
export function heapShareMb(threads: number): number {
  const limit = process.constrainedMemory();
  const total = totalmem();
  // Without a limit the system says 0, or a number beyond all memory.
  const bytes = limit > 0 && limit < total ? limit : total;
  const share = Math.floor((bytes * SHARE) / threads / 2 ** 20);
  return Math.min(MOST_MB, Math.max(LEAST_MB, share));
}
