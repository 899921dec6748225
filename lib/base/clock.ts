/** Where time comes from. Passed in everywhere, so that a test advances it instead of sleeping. */
export interface Clock {
  /** Monotonic, in ms with fractions. */
  now(): number;
  /** Wall clock, in ms since the epoch. */
  wall(): number;
  /**
   * Calls `tick` every `ms` until the returned function is called. Never keeps the process alive by itself. After a long
   * turn of the event loop, what came meanwhile is read before `tick` is called.
   */
  every(ms: number, tick: () => void): () => void;
}

/** A tick that is late by more than so many ms comes after a turn in which nobody could be heard. */
const LATE_MS = 100;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  every(ms, tick) {
    let last = performance.now();
    let stopped = false;
    const tickUnlessStopped = (): void => {
      if (!stopped) tick();
    };
    const timer = setInterval(() => {
      const late = performance.now() - last - ms;
      last += late + ms;
      // Timers come before the sockets: an answer that has been lying there must not be taken for none in time.
      if (late > LATE_MS) setImmediate(tickUnlessStopped);
      else tick();
    }, ms);
    timer.unref();
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  },
};
