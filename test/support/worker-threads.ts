import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

/**
 * The worker threads that were started since this was imported. Import it before anything that starts threads.
 */
const started = new Set<threads.Worker>();

const { Worker } = threads;
class KnownWorker extends Worker {
  constructor(...terms: ConstructorParameters<typeof Worker>) {
    const [url, options] = terms;
    super(replaced ?? url, heapMb === 0 ? options : { ...options, resourceLimits: limits() });
    started.add(this);
    this.once('exit', () => started.delete(this));
  }
}
threads.Worker = KnownWorker;
syncBuiltinESMExports();

let heapMb = 0;

function limits(): threads.ResourceLimits {
  return { maxOldGenerationSizeMb: heapMb };
}

/** Threads that are started from now on may have so many MB of objects; 0: as their starter says. */
export function limitHeaps(mb: number): void {
  heapMb = mb;
}

/** What threads run that are started; null: what their starter says. */
let replaced: URL | null = null;

/** Do threads that are started throw at once? */
export function breakStarts(on: boolean): void {
  replaced = on ? new URL('data:text/javascript,throw new Error("broken")') : null;
}

/** Do threads that are started hang at once? */
export function startEndless(on: boolean): void {
  replaced = on ? new URL('data:text/javascript,for (;;);') : null;
}

/** Can threads that are started be made to hang? */
export function startHangable(on: boolean): void {
  replaced = on ? new URL('./hanging-worker.js', import.meta.url) : null;
}

/** Do threads that are started take half a second longer to open listeners for another configuration? */
export function startSlowly(on: boolean): void {
  replaced = on ? new URL('./slow-worker.js', import.meta.url) : null;
}

/** Do threads that are started measure how long they are held at a time? */
export function startMetered(on: boolean): void {
  replaced = on ? new URL('./metered-worker.js', import.meta.url) : null;
}

/** The longest that each thread was held at a time during `act`, in ms of its processor time. */
export async function longestTurns(act: () => Promise<unknown>): Promise<readonly number[]> {
  const channel = new BroadcastChannel('meter');
  const turns: number[] = [];
  const all = new Promise<void>((resolve) => {
    channel.onmessage = ({ data }) => {
      turns.push((data as { longest: number }).longest);
      if (turns.length === started.size) resolve();
    };
  });
  channel.postMessage('begin');
  await act();
  channel.postMessage('end');
  await all;
  channel.close();
  return turns;
}

/** Lets all threads that run hang, which can be made to. Resolves when they do. */
export async function hangAll(): Promise<void> {
  const channel = new BroadcastChannel('hang');
  let hanging = 0;
  const all = new Promise<void>((resolve) => {
    channel.onmessage = () => {
      if (++hanging === started.size) resolve();
    };
  });
  channel.postMessage('');
  await all;
  channel.close();
}

/** Those that run. */
export function runningWorkers(): readonly threads.Worker[] {
  return [...started];
}

/** Has a thread follow a command that no thread can: it throws where nothing catches it. */
export function makeThrow(worker: threads.Worker): void {
  worker.postMessage({ what: 'operation', operation: { what: 'remove', name: 'nobody' }, numbers: [] });
}

/** Gives a thread more to remember than it has memory, in small pieces. */
export function fillHeap(worker: threads.Worker): void {
  const operation = { what: 'weight', name: 'a', weight: 1 };
  for (let piece = 0; piece < 3000; piece++) {
    const numbers = Array.from({ length: 200 }, (_, i) => [`${piece} ${i} ${'x'.repeat(200)}`, i]);
    worker.postMessage({ what: 'operation', operation, numbers });
  }
}
