/** Where time comes from. Passed in everywhere, so that a test advances it instead of sleeping. */
export interface Clock {
  /** Monotonic, in ms with fractions. */
  now(): number;
  /** Wall clock, in ms since the epoch. */
  wall(): number;
  /** Calls `tick` every `ms` until the returned function is called. Never keeps the process alive by itself. */
  every(ms: number, tick: () => void): () => void;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  every(ms, tick) {
    const timer = setInterval(tick, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
