import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { ServerRow } from '../shared/server-row.js';

/**
 * For this long only requests that may be sent twice are used as trials. After that any request is: there may be no
 * others.
 */
export const CAREFUL_MS = 5000;
/** A request that was picked as the trial begins at once, or after the pause before a retry. */
const CLAIM_MS = 1000;

/**
 * The half-open state of a server after an ejection: one request at a time, if others can take the rest. There is one
 * trial for all threads (`ServerRow.takeTrial`). Requests and tunnels that began before do not count.
 */
export class HalfOpen implements DeadlineOwner {
  readonly #row: ServerRow;
  readonly #wheel: TimerWheel;
  isOn = false;
  #beganAt = 0;
  /** The token of a trial whose request was picked and has not begun; 0: none. */
  #claimed = 0;
  /** Made when first needed: most servers are never ejected. */
  #deadline: Deadline | null = null;

  constructor(row: ServerRow, wheel: TimerWheel) {
    this.#row = row;
    this.#wheel = wheel;
  }

  begin(): void {
    this.isOn = true;
    this.#beganAt = this.#wheel.now;
  }

  end(): void {
    this.isOn = false;
    this.#giveUpClaim();
  }

  /** Is there room for another request? `repeatable`: the request can be sent elsewhere afterwards. */
  hasRoom(repeatable: boolean): boolean {
    if (!this.isOn) return true;
    if (!repeatable && this.#wheel.now - this.#beganAt < CAREFUL_MS) return false;
    return this.#row.isTrialFree;
  }

  /** A request was picked for the server: false if another request has become the trial meanwhile. */
  claim(): boolean {
    const token = this.#row.takeTrial();
    if (token === 0) return false;
    this.#claimed = token;
    this.#deadline ??= new Deadline(this.#wheel, this);
    this.#deadline.arm(CLAIM_MS);
    return true;
  }

  /** A request begins, picked or bound to the server. Returns the token of the trial if it is the trial, else 0. */
  take(): number {
    const claimed = this.#claimed;
    if (claimed === 0) return this.#row.takeTrial();
    this.#claimed = 0;
    this.#deadline?.disarm();
    return claimed;
  }

  /** The request that was picked never began: its client has left. */
  onDeadline(): void {
    this.#giveUpClaim();
  }

  #giveUpClaim(): void {
    this.#deadline?.release();
    if (this.#claimed !== 0) this.#row.endTrial(this.#claimed);
    this.#claimed = 0;
  }
}
