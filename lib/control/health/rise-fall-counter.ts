import type { HealthCheckConfig } from '../../config/types.js';

/** How many checks in a row it takes. */
export type Thresholds = Pick<HealthCheckConfig, 'rise' | 'fall'>;

/** Counts passes and fails in a row, and says when that changes the verdict: one bad check takes no server out. */
export class RiseFallCounter {
  #thresholds: Thresholds;
  #up: boolean;
  /** Has nothing been heard yet, and nothing been assumed either? Then the first check decides. */
  #unknown: boolean;
  #streak = 0;

  /** `rise` passes in a row bring a server back, `fall` fails in a row take it out. What is unknown is not up. */
  constructor(thresholds: Thresholds, initial: HealthCheckConfig['initial'] = 'up') {
    this.#thresholds = thresholds;
    this.#up = initial === 'up';
    this.#unknown = initial === 'unknown';
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** Has a change begun that is not decided yet? */
  get isWavering(): boolean {
    return this.#streak > 0 || this.#unknown;
  }

  /** Other thresholds from now on; what was counted stays. */
  applyThresholds(thresholds: Thresholds): void {
    this.#thresholds = thresholds;
  }

  /** Notes one check. True when the verdict has just changed, or been given for the first time. */
  note(ok: boolean): boolean {
    if (this.#unknown) {
      this.#unknown = false;
      this.#up = ok;
      return true;
    }
    if (ok === this.#up) {
      this.#streak = 0;
      return false;
    }
    this.#streak++;
    if (this.#streak < (this.#up ? this.#thresholds.fall : this.#thresholds.rise)) return false;
    this.#up = ok;
    this.#streak = 0;
    return true;
  }
}
