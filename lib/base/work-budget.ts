/**
 * What the regular expressions of all rules may cost one request together, in steps of 15 to 25 ns: 3 ms at most. A step is an instruction of a program at a character.
 */
const STEPS = 80_000;
/** Once for a request, when rules that only observe have used up what there was. */
const RESERVE = STEPS / 4;
/** Transitions of automata that a request builds. Texts that are alike need no more of them after a few requests. */
const TRANSITIONS = 40;

/** The texts of a request would cost more to match than a request may. */
export class BudgetExhausted extends Error {
  constructor() {
    super('the regular expressions would take too long on this request');
    this.name = 'BudgetExhausted';
  }
}

/** Thrown each time: a stack would be taken for every hostile request, and says nothing. */
const EXHAUSTED = new BudgetExhausted();

/** How much the matching of one request may still cost. Exact, and no clock is asked: the same on every machine. */
export class WorkBudget {
  readonly #steps: number;
  #left: number;
  #hasReserve = true;
  #transitions = TRANSITIONS;

  /** `steps` are those of a request by default; health checks, which nobody sends, may take more. */
  constructor(steps = STEPS) {
    this.#steps = steps;
    this.#left = steps;
  }

  /** For the next request. */
  renew(): void {
    this.#left = this.#steps;
    this.#hasReserve = true;
    this.#transitions = TRANSITIONS;
  }

  /** For what was paid once and is done again, as for another attempt. */
  allowAll(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** Throws BudgetExhausted when it is more than there is. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw EXHAUSTED;
  }

  /** May another transition be built? It is paid then. If there is no other way (`must`), as long as it can be paid. */
  build(steps: number, must: boolean): boolean {
    if (this.#transitions <= 0 && !must) return false;
    this.#transitions--;
    this.spend(steps);
    return true;
  }

  /** There is nothing left; what to throw. */
  exhaust(): BudgetExhausted {
    this.#left = 0;
    return EXHAUSTED;
  }

  /** Who only observes must not make others fail: they go on with the reserve, if there still is one. */
  useReserve(): void {
    if (!this.#hasReserve) return;
    this.#hasReserve = false;
    this.#left = Math.max(this.#left, RESERVE);
  }
}
