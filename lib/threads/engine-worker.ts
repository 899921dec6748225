import { parentPort, workerData } from 'node:worker_threads';
import { EngineThread } from './engine-thread.js';
import type { ThreadStart } from './messages.js';

/** What a worker thread of `EngineThreads` runs. */
function run(): void {
  if (parentPort !== null) new EngineThread(parentPort, workerData as ThreadStart).run();
}

// After the modules were evaluated: Node 26 aborts the process when a thread is terminated while it evaluates a module that
// imports one with a top-level await ("Check failed: !is_null()").
setImmediate(run);
