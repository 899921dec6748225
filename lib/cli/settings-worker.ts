import { parentPort, workerData } from 'node:worker_threads';
import { encodeGraph } from '../base/object-graph.js';
import { readHere, type WorkerAnswer, type WorkerRequest } from './read-settings.js';
import { StartSettingsError } from './start-settings.js';

/** Runs in the other thread: reads the file, posts the configuration in chunks, and waits to be ended. */
function answer({ port, ...request }: WorkerRequest): WorkerAnswer {
  try {
    const { config, ...others } = readHere(request);
    for (const chunk of encodeGraph(config)) port.postMessage(chunk, [chunk.codes.buffer]);
    return { kind: 'read', ...others };
  } catch (error) {
    if (error instanceof StartSettingsError) {
      const { report, files } = error;
      return { kind: 'refused', report, files };
    }
    const { message, stack = message } = error as Error;
    return { kind: 'failed', message, stack };
  }
}

// What was posted is kept as long as this thread runs.
parentPort?.on('message', () => {});
// After the modules were evaluated, so that the thread can be terminated: see lib/threads/engine-worker.ts.
setImmediate(() => parentPort?.postMessage(answer(workerData as WorkerRequest)));
