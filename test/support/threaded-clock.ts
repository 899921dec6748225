import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import threads, { MessageChannel, type MessagePort } from 'node:worker_threads';
import { turnTogether } from './loop-ticks.js';
import { ManualClock } from './manual-clock.js';

/** What a thread of `stepped-worker` is told: to let its event loop go round once and answer, or what its clock shows. */
export type Step =
  | { readonly what: 'turn' }
  | { readonly what: 'time'; readonly number: number; readonly now: number; readonly wall: number };

/** What it needs for that. */
export interface Steps {
  readonly port: MessagePort;
  /** The number of the last time that it has followed, and how many commands. */
  readonly followed: Int32Array;
  /** What its clock shows; null: it has that of the machine. */
  readonly time: { readonly now: number; readonly wall: number } | null;
}

/** In `Steps.followed`. */
export const TIME = 0;
export const COMMANDS = 1;
/** A thread that has ended has followed everything. */
export const ENDED = 2 ** 31 - 1;
/** Threads go on by so many ms at a time: who watches over them looks every 10 s whether they do. */
const STEP_MS = 10_000;
/** A thread that has not followed for so many ms hangs. */
const PATIENCE_MS = 30_000;

/** Of what starts threads: the clock that they are to have; null: that of the machine. */
const clockOf = new AsyncLocalStorage<ThreadedClock | null>();

/**
 * Starts what starts threads: their event loops go round with `turns`, so that a test which was written for one thread finds the same,
 * and they have this clock, and so have those that take their places later.
 */
export function startStepped(clock: ThreadedClock | null, begin: () => Promise<void>): Promise<void> {
  stepThreads();
  return clockOf.run(clock, begin);
}

/**
 * Time that stands still until a test advances it, in this thread and in all threads that were started with it: `advance` returns when
 * all have followed. So do operations of a balancer: a test that was written for one thread finds that they are in force.
 */
export class ThreadedClock extends ManualClock {
  override readonly isInAllThreads = true;
  readonly #threads = new Set<SteppedThread>();
  #lastNumber = 0;

  /** A thread begins that has this clock. */
  join(): SteppedThread {
    const time = { now: this.now(), wall: this.wall() };
    const thread = new SteppedThread(time, () => this.#threads.delete(thread));
    this.#threads.add(thread);
    return thread;
  }

  override leap(ms: number): void {
    super.leap(ms);
    this.#tell(this.now());
  }

  override advance(ms: number): void {
    const end = this.now() + ms;
    for (let left = ms; left > STEP_MS; left -= STEP_MS) this.#advanceTo(end - left + STEP_MS);
    this.#advanceTo(end);
  }

  #advanceTo(now: number): void {
    this.#tell(now);
    super.advance(now - this.now());
  }

  /** The threads go first, so that this one finds that they go on. */
  #tell(now: number): void {
    const number = ++this.#lastNumber;
    const wall = this.wall() - this.now() + now;
    for (const thread of this.#threads) thread.tell({ what: 'time', number, now, wall });
    for (const thread of this.#threads) thread.await(TIME, number);
  }
}

/** A thread of `stepped-worker`, as the test sees it. */
class SteppedThread {
  /** Has to be transferred with its `port`. */
  readonly steps: Steps;
  readonly #port: MessagePort;
  readonly #followed = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  /** Who waits for a turn, in order. */
  #waiting: (() => void)[] = [];
  #commands = 0;
  readonly #onEnd: () => void;
  readonly #turnAlone: () => void;

  constructor(time: Steps['time'], onEnd: () => void) {
    const { port1, port2 } = new MessageChannel();
    this.steps = { port: port2, followed: this.#followed, time };
    this.#port = port1;
    this.#onEnd = onEnd;
    port1.on('message', () => this.#waiting.shift()?.());
    port1.unref();
    this.#turnAlone = turnTogether(() => this.#turn());
  }

  tell(step: Step): void {
    this.#port.postMessage(step);
  }

  /** A command was posted: where the test has the clock, it is followed at once. */
  noteCommand(): void {
    this.#commands++;
    if (this.steps.time !== null) this.await(COMMANDS, this.#commands);
  }

  /** Holds this thread until the other one has followed. */
  await(what: typeof TIME | typeof COMMANDS, number: number): void {
    const followed = this.#followed;
    for (let last = Atomics.load(followed, what); last < number; last = Atomics.load(followed, what))
      if (Atomics.wait(followed, what, last, PATIENCE_MS) === 'timed-out')
        throw new Error(`a thread has not followed for ${PATIENCE_MS / 1000} s`);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.tell({ what: 'turn' });
    });
  }

  /** It has ended, or is about to: nobody waits for it any more. */
  end(): void {
    for (const what of [TIME, COMMANDS]) Atomics.store(this.#followed, what, ENDED);
    this.#turnAlone();
    this.#onEnd();
    this.#port.close();
    for (const go of this.#waiting.splice(0)) go();
  }
}

let areStepped = false;

/** From now on threads can be started that are stepped. */
function stepThreads(): void {
  if (areStepped) return;
  areStepped = true;
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    readonly #thread: SteppedThread | null = null;

    constructor(url: string | URL, options: threads.WorkerOptions = {}) {
      // A balancer starts other threads too.
      const clock = String(url).endsWith('/engine-worker.js') ? clockOf.getStore() : undefined;
      const thread = clock === undefined ? null : (clock?.join() ?? new SteppedThread(null, () => {}));
      super(...(thread === null ? ([url, options] as const) : stepped(thread, options)));
      this.#thread = thread;
      this.once('exit', () => thread?.end());
    }

    override postMessage(...message: Parameters<threads.Worker['postMessage']>): void {
      super.postMessage(...message);
      this.#thread?.noteCommand();
    }

    override terminate(): Promise<number> {
      this.#thread?.end();
      return super.terminate();
    }
  };
  syncBuiltinESMExports();
}

function stepped({ steps }: SteppedThread, options: threads.WorkerOptions): [URL, threads.WorkerOptions] {
  const workerData = { ...options.workerData, steps };
  const transferList = [...(options.transferList ?? []), steps.port];
  return [new URL('./stepped-worker.js', import.meta.url), { ...options, workerData, transferList }];
}
