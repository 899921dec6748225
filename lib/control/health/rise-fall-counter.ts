import type { HealthCheckConfig } from '../../config/types.js';

/** How many checks in a row change the state. */
export type Thresholds = Pick<HealthCheckConfig, 'rise' | 'fall'>;

/** Counts passed and failed checks in a row, and says when they change the state: one failed check takes no server out. */
export class RiseFallCounter {
  #thresholds: Thresholds;
  #up: boolean;
  /** Is the state neither known nor assumed? Then the first check decides. */
  #unknown: boolean;
  #streak = 0;
  /** Has it come while requests are served, and not passed a check yet? */
  #isNew: boolean;
  readonly #needsRise: boolean;

  /**
   * `rise` passed checks in a row bring a server back, `fall` failed ones take it out. An unknown state is not up.
   * `isNew`: it came while requests are served, and may still be starting: until it has passed a check, one result
   * alone decides. One that is down at first still needs `rise` passed checks.
   */
  constructor(thresholds: Thresholds, initial: HealthCheckConfig['initial'] = 'up', isNew = false) {
    this.#thresholds = thresholds;
    this.#up = initial === 'up';
    this.#unknown = initial === 'unknown';
    this.#isNew = isNew;
    this.#needsRise = initial === 'down';
  }

  /** Did it come while requests are served, and has it not passed a check yet? */
  get isNew(): boolean {
    return this.#isNew;
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** Has a change begun that is not decided yet? */
  get isUndecided(): boolean {
    return this.#streak > 0 || this.#unknown;
  }

  /** Uses other thresholds from now on; counts are kept. */
  applyThresholds(thresholds: Thresholds): void {
    this.#thresholds = thresholds;
  }

  /** Counts one check. True when the state has just changed, or has been determined for the first time. */
  note(ok: boolean): boolean {
    const decides = this.#isNew && !this.#needsRise;
    if (ok) this.#isNew = false;
    if (this.#unknown) {
      this.#unknown = false;
      this.#up = ok;
      return true;
    }
    if (ok === this.#up) {
      this.#streak = 0;
      return false;
    }
    if (decides) {
      this.#up = ok;
      return true;
    }
    this.#streak++;
    if (this.#streak < (this.#up ? this.#thresholds.fall : this.#thresholds.rise)) return false;
    this.#up = ok;
    this.#streak = 0;
    return true;
  }
}
