/** For so long a trial is left to requests that lose nothing if it fails: there may be no others. */
export const CAREFUL_MS = 5000;

/** A server that was left out is tried again: with one request at a time, as far as others can take the rest. */
export class HalfOpen {
  #on = false;
  /** Requests and tunnels from before it began, as far as they still are in flight. */
  #before = 0;
  #beganAt = 0;

  get isOn(): boolean {
    return this.#on;
  }

  /** `active`: requests in flight on it now; `now` in ms of any clock that never goes back. */
  begin(active: number, now: number): void {
    this.#on = true;
    this.#before = active;
    this.#beganAt = now;
  }

  end(): void {
    this.#on = false;
  }

  /** May it get another request, with `active` in flight? `repeatable`: one that can be sent elsewhere after it. */
  hasRoom(active: number, repeatable: boolean, now: number): boolean {
    if (!this.#on) return true;
    if (!repeatable && now - this.#beganAt < CAREFUL_MS) return false;
    this.#before = Math.min(this.#before, active);
    return active === this.#before;
  }
}
