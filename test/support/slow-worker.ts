import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { LocalEngine } from '../../lib/engine.js';
import { EngineThread } from '../../lib/threads/engine-thread.js';

/** An engine that takes half a second longer to open listeners for another configuration. */
class SlowEngine extends LocalEngine {
  override async prepare(...terms: Parameters<LocalEngine['prepare']>): Promise<void> {
    await super.prepare(...terms);
    await pause(500);
  }
}

/** What `threads/engine-worker` does, with such an engine. */
if (parentPort !== null)
  new EngineThread(parentPort, workerData, (snapshot, deps) => new SlowEngine(snapshot, deps)).run();
