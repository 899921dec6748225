import { performance } from 'node:perf_hooks';

/**
 * Work that can pause between two steps: a generator that yields wherever the event loop may do other work. There is
 * well under a millisecond of work between two `yield`s.
 */
export type Steps<T> = Generator<void, T, void>;

/** How long the event loop is held at a time, in ms: short enough for small requests. */
const SLICE_MS = 2;
/** The same for what is done again and again, where each time delays requests. */
const SHORT_SLICE_MS = 1;

/** Runs all steps without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Takes the steps in slices of 2 ms, one for each tick of the event loop. Rejects with what a step throws. `check` is
 * called after each rest: what it throws is thrown in the steps, so that they can give back what they hold.
 */
export function inSlices<T>(steps: Steps<T>, check?: () => void): Promise<T> {
  return inSlicesOf(SLICE_MS, steps, check);
}

/** Takes the steps in slices of 1 ms: for what happens every second. */
export function inShortSlices<T>(steps: Steps<T>): Promise<T> {
  return inSlicesOf(SHORT_SLICE_MS, steps);
}

async function inSlicesOf<T>(ms: number, steps: Steps<T>, check?: () => void): Promise<T> {
  const slice = new Slice(ms);
  let step = steps.next();
  while (step.done !== true) {
    if (slice.isOver) {
      await slice.rest();
      const reason = check === undefined ? null : thrownBy(check);
      if (reason !== null) step = steps.throw(reason.error);
    }
    step = steps.next();
  }
  return step.value;
}

/** Takes the steps in slices as well, none of them before the next tick. They must not throw. */
export function inLaterSlices(steps: Steps<void>): void {
  setImmediate(() => void inSlices(steps));
}

function thrownBy(check: () => void): { readonly error: unknown } | null {
  try {
    check();
    return null;
  } catch (error) {
    return { error };
  }
}

/** For work with asynchronous steps: how long it has held the event loop since its last pause. */
export class Slice {
  readonly #ms: number;
  #end: number;

  /** `ms`: how long it may hold the event loop. */
  constructor(ms = SLICE_MS) {
    this.#ms = ms;
    this.#end = performance.now() + ms;
  }

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Lets the event loop do all other work once. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#end = performance.now() + this.#ms;
  }
}
