import { parentPort, workerData } from 'node:worker_threads';
import { assertMoves } from '../../lib/base/states.js';
import { EngineThread } from '../../lib/threads/engine-thread.js';
import type { ThreadStart } from '../../lib/threads/messages.js';
import { ManualClock } from './manual-clock.js';
import { COMMANDS, ENDED, type Step, type Steps, TIME } from './threaded-clock.js';

/** What `threads/engine-worker` does; the test moves its clock, and lets its event loop go round (`threaded-clock`). */
const { steps, ...start } = workerData as ThreadStart & { readonly steps: Steps };
const { port, followed, time } = steps;
const clock = time === null ? undefined : new ManualClock(time.wall, time.now);

assertMoves();

port.on('message', (step: Step) => {
  if (step.what === 'turn') {
    setImmediate(() => port.postMessage(null));
    return;
  }
  if (clock !== undefined) {
    clock.leap(step.wall - step.now - (clock.wall() - clock.now()));
    clock.advance(step.now - clock.now());
  }
  note(TIME, step.number);
});
// It is the engine that keeps the thread running.
port.unref();
process.once('exit', () => {
  for (const what of [TIME, COMMANDS]) note(what, ENDED);
});

function note(what: number, number: number): void {
  Atomics.store(followed, what, number);
  Atomics.notify(followed, what);
}

setImmediate(() => {
  if (parentPort === null) return;
  new EngineThread(parentPort, start, undefined, clock).run();
  let commands = 0;
  // After the engine has followed it.
  parentPort.on('message', () => note(COMMANDS, ++commands));
});
