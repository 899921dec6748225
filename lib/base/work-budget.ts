/**
 * The budget of one request for the regular expressions of all rules, in steps of 15 to 25 ns: at most 3 ms. A step is
 * one instruction of a program at one character.
 */
const STEPS = 80_000;
/** An additional budget, once per request, for when rules that only observe have used up the first. */
const RESERVE = STEPS / 4;
/** Transitions of automata that a request may build. Similar texts need no new ones after a few requests. */
const TRANSITIONS = 40;

/** Matching the texts of a request would cost more than its budget. */
export class BudgetExhausted extends Error {
  constructor() {
    super('the regular expressions would take too long on this request');
    this.name = 'BudgetExhausted';
  }
}

/** Always the same object: making a stack trace for every hostile request is expensive, and the trace is useless. */
const EXHAUSTED = new BudgetExhausted();

/** The remaining budget of a request for matching. It counts steps and reads no clock: the same on every machine. */
export class WorkBudget {
  readonly #steps: number;
  #left: number;
  #hasReserve = true;
  readonly #mostTransitions: number;
  #transitions: number;

  /** By default the budget of a request; health checks, which clients cannot cause, may take more steps. */
  constructor(steps = STEPS, transitions = TRANSITIONS) {
    this.#steps = steps;
    this.#left = steps;
    this.#mostTransitions = transitions;
    this.#transitions = transitions;
  }

  /** Resets the budget for the next request. */
  renew(): void {
    this.#left = this.#steps;
    this.#hasReserve = true;
    this.#transitions = this.#mostTransitions;
  }

  /** Returns the cost of work that was paid once and is repeated, as for another attempt. */
  allowAll(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** Throws BudgetExhausted if it exceeds the budget. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw EXHAUSTED;
  }

  /**
   * Charges another transition, and returns whether it may be built. With `must`, it may be built as long as the budget
   * lasts.
   */
  build(steps: number, must: boolean): boolean {
    if (this.#transitions <= 0 && !must) return false;
    this.#transitions--;
    this.spend(steps);
    return true;
  }

  /** The budget is exhausted; returns the error to throw. */
  exhaust(): BudgetExhausted {
    this.#left = 0;
    return EXHAUSTED;
  }

  /** Rules that only observe must not make others fail: the reserve is used for those, if it is still there. */
  useReserve(): void {
    if (!this.#hasReserve) return;
    this.#hasReserve = false;
    this.#left = Math.max(this.#left, RESERVE);
  }
}
