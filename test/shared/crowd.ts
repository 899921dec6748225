import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';
import type { SharedMemory, SharedMemoryHandle } from '../../lib/shared/shared-memory.js';
import type { Tasks } from './tasks.js';

/** What a thread is given. */
export interface Given {
  readonly handle: SharedMemoryHandle;
  readonly thread: number;
  /** Two words: whether they may begin, and how many are ready. */
  readonly gate: SharedArrayBuffer;
  readonly task: keyof Tasks;
  readonly part: unknown;
}

/** One thread of a crowd. */
export interface Member<R> {
  readonly thread: number;
  readonly worker: Worker;
  /** What its task returned; rejects when it ended before. */
  readonly result: Promise<R>;
}

/**
 * Real threads over one shared memory, numbered from 1: each does a task of `tasks.ts` with a part of its own. They begin
 * together.
 */
export function startCrowd<N extends keyof Tasks>(
  t: Pick<Test, 'teardown'>,
  shared: SharedMemory,
  task: N,
  parts: readonly Parameters<Tasks[N]>[1][],
): Promise<readonly Member<ReturnType<Tasks[N]>>[]> {
  type R = ReturnType<Tasks[N]>;
  const gate = new SharedArrayBuffer(8);
  const words = new Int32Array(gate);
  const members = parts.map((part, i): Member<R> => {
    const thread = i + 1;
    const given: Given = { handle: shared.handle, thread, gate, task, part };
    const worker = new Worker(new URL('tasks.js', import.meta.url), { workerData: given });
    const result = new Promise<R>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error(`thread ${thread} has ended`)));
    });
    // Whoever looks at the result hears of it.
    result.catch(() => {});
    t.teardown(() => worker.terminate());
    return { thread, worker, result };
  });
  return new Promise((resolve) => {
    const look = setInterval(() => {
      if (Atomics.load(words, 1) < parts.length) return;
      clearInterval(look);
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
      resolve(members);
    }, 1);
  });
}

/** What all of them returned. */
export function resultsOf<R>(crowd: readonly Member<R>[]): Promise<R[]> {
  return Promise.all(crowd.map(({ result }) => result));
}
