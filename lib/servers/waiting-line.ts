import type { WholeListener } from './contracts.js';

/**
 * The requests of one thread that wait for a connection to a server, in the order in which they came, each with its time.
 * A circular array that doubles when it is full. Push and shift take constant time.
 */
export class WaitingLine {
  #requesters: (WholeListener | null)[] = new Array<WholeListener | null>(16).fill(null);
  /** When each of them came, in ms of the clock. */
  #times = new Float64Array(16);
  #head = 0;
  /** Only read by others: asked for each connection that is released. */
  length = 0;

  #at(index: number): number {
    return (this.#head + index) & (this.#times.length - 1);
  }

  push(requester: WholeListener, now: number): void {
    if (this.length === this.#times.length) this.#grow();
    const place = this.#at(this.length);
    this.#requesters[place] = requester;
    this.#times[place] = now;
    this.length++;
  }

  /** Removes and returns the first requester; undefined when there is none. */
  shift(): WholeListener | undefined {
    if (this.length === 0) return undefined;
    const requester = this.#requesters[this.#head] as WholeListener;
    this.#requesters[this.#head] = null;
    this.#head = this.#at(1);
    this.length--;
    return requester;
  }

  /** When the requester at `index` came; infinite when the line is shorter. */
  cameAt(index: number): number {
    return index < this.length ? (this.#times[this.#at(index)] as number) : Number.POSITIVE_INFINITY;
  }

  /** Removes a requester and keeps the order of the rest: O(n). False if it is not there. */
  remove(requester: WholeListener): boolean {
    let index = 0;
    while (index < this.length && this.#requesters[this.#at(index)] !== requester) index++;
    if (index === this.length) return false;
    for (; index < this.length - 1; index++) {
      const [place, next] = [this.#at(index), this.#at(index + 1)];
      this.#requesters[place] = this.#requesters[next] as WholeListener;
      this.#times[place] = this.#times[next] as number;
    }
    this.length--;
    this.#requesters[this.#at(this.length)] = null;
    return true;
  }

  #grow(): void {
    const count = this.length;
    const requesters = new Array<WholeListener | null>(count * 2).fill(null);
    const times = new Float64Array(count * 2);
    for (let index = 0; index < count; index++) {
      requesters[index] = this.#requesters[this.#at(index)] as WholeListener;
      times[index] = this.#times[this.#at(index)] as number;
    }
    this.#requesters = requesters;
    this.#times = times;
    this.#head = 0;
  }
}
