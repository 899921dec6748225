import { parentPort, workerData } from 'node:worker_threads';
import { EngineThread } from './engine-thread.js';
import type { ThreadStart } from './messages.js';

/** What a worker thread of `EngineThreads` runs. */
if (parentPort !== null) new EngineThread(parentPort, workerData as ThreadStart).run();
