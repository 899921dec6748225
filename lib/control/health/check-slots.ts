/** Waits to begin a check; told once, when it may. */
export interface SlotListener {
  onSlot(): void;
}

/** Enough for 1,800 servers that are all silent, at the default interval and timeout, or for 100,000 that answer. */
const MAX_CHECKS = 256;

/**
 * How many checks may be under way at once: thousands of servers that answer none of them, as behind a broken switch,
 * must not use up the sockets that requests need. Those beyond it wait, first come, first served.
 */
export class CheckSlots {
  readonly #max: number;
  /** In order. */
  readonly #waiting = new Set<SlotListener>();
  #taken = 0;

  constructor(max: number = MAX_CHECKS) {
    this.#max = max;
  }

  /** True if a slot was free. Otherwise `waiter` is told when one is. `leave` gives a slot back. */
  enter(waiter: SlotListener): boolean {
    if (this.#taken < this.#max) {
      this.#taken++;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** The next in line has it now. */
  leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.onSlot();
      return;
    }
    this.#taken--;
  }

  /** It does not wait any more. */
  cancel(waiter: SlotListener): void {
    this.#waiting.delete(waiter);
  }
}
