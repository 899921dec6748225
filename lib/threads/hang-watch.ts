import type { Clock } from '../base/timer-wheel.js';
import type { ThreadPulses } from '../shared/thread-pulses.js';

/** How often threads are looked at, in ms. */
const LOOK_EVERY_MS = 10_000;
/** After this many looks in a row at which nothing has moved, a thread hangs. */
const STILL_LOOKS = 3;
/** The same for one that does not listen yet: a single step of building 10,000 hosts may take long on a busy machine. */
const START_LOOKS = 12;

/** How often the event loop of a thread beats its pulse, in ms. */
export const BEAT_EVERY_MS = 1000;

/** A thread that is watched. */
export interface WatchedThread {
  readonly number: number;
  /** Does it listen? Until then it builds its configuration, and its pulse goes on with each step. */
  readonly isOpen: boolean;
  /** Ends it at once, whatever it does. `reason`: why, in a few words. */
  end(reason: string): Promise<void>;
}

const HANGS = 'its event loop has stood still';
const STARTS_NOT = 'it does not listen yet, and its start has made no progress';

/** What was seen of a thread. */
interface Sight {
  readonly isOpen: boolean;
  readonly beats: number;
  /** The looks in a row at which it was the same. */
  readonly still: number;
}

/**
 * Ends threads whose event loop stands still, such as in a loop without an end: the connections of the others are served
 * meanwhile, but the kernel goes on giving it new ones. It counts looks, not the time of the clock: a machine
 * that was suspended stops the main thread as well.
 */
export class HangWatch {
  readonly #pulses: ThreadPulses;
  readonly #threads: () => readonly WatchedThread[];
  readonly #stop: () => void;
  #seen = new Map<WatchedThread, Sight>();

  /** `threads`: those that run now. */
  constructor(clock: Clock, pulses: ThreadPulses, threads: () => readonly WatchedThread[]) {
    this.#pulses = pulses;
    this.#threads = threads;
    this.#stop = clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  stop(): void {
    this.#stop();
  }

  #look(): void {
    const seen = new Map<WatchedThread, Sight>();
    for (const thread of this.#threads()) {
      const { isOpen } = thread;
      const beats = this.#pulses.of(thread.number);
      const before = this.#seen.get(thread);
      const isSame = before?.beats === beats && before.isOpen === isOpen;
      const still = isSame ? before.still + 1 : 0;
      const most = isOpen ? STILL_LOOKS : START_LOOKS;
      if (still < most) seen.set(thread, { isOpen, beats, still });
      else void thread.end(`${isOpen ? HANGS : STARTS_NOT} for ${(most * LOOK_EVERY_MS) / 1000} s`);
    }
    this.#seen = seen;
  }
}
