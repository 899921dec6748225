/** How often a taken lock is looked at before the thread sleeps: about a microsecond, many times what it is held for. */
const LOOKS = 100;
/** ms. A holder that the system has stopped gets the processor while others sleep. */
const FIRST_SLEEP = 0.05;
const LONGEST_SLEEP = 1;
/** ms. A lock is held for less than a microsecond: a thread that has held it this long has ended while it did. */
const PATIENCE = 1000;

/**
 * A lock is one word: 0, or the number of the thread that holds it, plus 1. It is held for a few dozen instructions,
 * in which nothing is allocated, awaited or called outside `shared/`. `SharedMemory.reclaim` frees what an ended thread
 * held; until then others wait, a second at most.
 */
export function lockWord(words: Int32Array, at: number, holder: number): void {
  if (Atomics.compareExchange(words, at, 0, holder) !== 0) waitFor(words, at, holder);
}

export function unlockWord(words: Int32Array, at: number, holder: number): void {
  // Not a plain store: another thread may have taken the lock over.
  Atomics.compareExchange(words, at, holder, 0);
}

function waitFor(words: Int32Array, at: number, holder: number): void {
  for (let i = 0; i < LOOKS; i++) {
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, holder) === 0) return;
  }
  let sleep = FIRST_SLEEP;
  for (let slept = 0; ; slept += sleep) {
    const other = Atomics.compareExchange(words, at, 0, holder);
    // A thread does not wait for itself: an error, such as a full stack, ended what it did here before.
    if (other === 0 || other === holder) return;
    if (slept >= PATIENCE && Atomics.compareExchange(words, at, other, holder) === other) return;
    Atomics.wait(words, at, other, sleep);
    sleep = Math.min(sleep * 2, LONGEST_SLEEP);
  }
}
