/** Counts passes and fails in a row, and says when that changes the verdict: one bad check takes no server out. */
export class Tally {
  readonly #rise: number;
  readonly #fall: number;
  #up = true;
  #streak = 0;

  /** `rise` passes in a row bring a server back, `fall` fails in a row take it out. It starts up. */
  constructor(rise: number, fall: number) {
    this.#rise = rise;
    this.#fall = fall;
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** Has a change begun that is not decided yet? */
  get isWavering(): boolean {
    return this.#streak > 0;
  }

  /** Notes one check. True when the verdict has just changed. */
  note(ok: boolean): boolean {
    if (ok === this.#up) {
      this.#streak = 0;
      return false;
    }
    this.#streak++;
    if (this.#streak < (this.#up ? this.#fall : this.#rise)) return false;
    this.#up = ok;
    this.#streak = 0;
    return true;
  }
}
