/** Waits to begin a check; called once, when it may begin. */
export interface SlotListener {
  onSlot(): void;
}

/** Enough for 1,800 silent servers at the default interval and timeout, or for 100,000 that answer. */
const MAX_CHECKS = 256;

/**
 * Limits the checks that run at once: thousands of unreachable servers, as after the failure of a switch, must not use up
 * the sockets that requests need. Further checks wait, first come, first served.
 */
export class CheckSlots {
  readonly #max: number;
  /** In order of arrival. */
  readonly #waiting = new Set<SlotListener>();
  #taken = 0;

  constructor(max: number = MAX_CHECKS) {
    this.#max = max;
  }

  /** True if a slot was free. Otherwise `waiter` is called when one is free. `leave` releases a slot. */
  enter(waiter: SlotListener): boolean {
    if (this.#taken < this.#max) {
      this.#taken++;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** Passes the slot to the next waiter. */
  leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.onSlot();
      return;
    }
    this.#taken--;
  }

  /** Removes a waiter. */
  cancel(waiter: SlotListener): void {
    this.#waiting.delete(waiter);
  }
}
