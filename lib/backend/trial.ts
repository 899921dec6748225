/** A server that was left out is tried again: with one request at a time, as far as others can take the rest. */
export class Trial {
  #on = false;
  /** Requests and tunnels from before it began, as far as they still are in flight. */
  #before = 0;

  get isOn(): boolean {
    return this.#on;
  }

  /** `active`: requests in flight on it now. */
  begin(active: number): void {
    this.#on = true;
    this.#before = active;
  }

  end(): void {
    this.#on = false;
  }

  /** May it get another request, with `active` in flight? */
  hasRoom(active: number): boolean {
    if (!this.#on) return true;
    this.#before = Math.min(this.#before, active);
    return active === this.#before;
  }
}
