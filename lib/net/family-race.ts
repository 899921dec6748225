import { connect, type Socket } from 'node:net';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

/** Which of two lists of addresses is used. */
export type RaceResult = 'first' | 'second';

/** RFC 8305, 5: the second family begins this many ms after the first. */
const HEAD_START_MS = 250;
/** When neither has connected after this many ms, the last result holds. */
const LIMIT_MS = 2000;

/**
 * Finds out which of the two families of a name's addresses connects first, by one address of each. A result holds until the
 * addresses change.
 */
export class FamilyRace implements DeadlineOwner {
  readonly #deadline: Deadline;
  readonly #sockets = new Map<Socket, RaceResult>();
  /** The addresses of the last race. */
  #decided = '';
  #result: RaceResult = 'second';
  #second: (() => void) | null = null;
  #callback: ((winner: RaceResult) => void) | null = null;

  constructor(wheel: TimerWheel) {
    this.#deadline = new Deadline(wheel, this);
  }

  get isRunning(): boolean {
    return this.#callback !== null;
  }

  /** Both lists are sorted and not empty. The callback may be called before this returns. */
  run(
    first: readonly string[],
    second: readonly string[],
    port: number,
    callback: (winner: RaceResult) => void,
  ): void {
    const terms = `${first.join(' ')} ${second.join(' ')}`;
    if (terms === this.#decided) {
      callback(this.#result);
      return;
    }
    this.#decided = terms;
    this.#callback = callback;
    this.#second = () => this.#try(second[0] as string, port, 'second');
    this.#try(first[0] as string, port, 'first');
    this.#deadline.arm(HEAD_START_MS);
  }

  /** The callback is not called any more. */
  cancel(): void {
    // It did not end: the next one is not decided by what was found before.
    if (this.#callback !== null) this.#decided = '';
    this.#callback = null;
    this.#second = null;
    this.#deadline.release();
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#sockets.clear();
  }

  /** The first one is slow, or both are. */
  onDeadline(): void {
    if (this.#second === null) this.#end(this.#result);
    else this.#begin();
  }

  #begin(): void {
    const second = this.#second;
    this.#second = null;
    this.#deadline.arm(LIMIT_MS);
    second?.();
  }

  #try(host: string, port: number, as: RaceResult): void {
    const socket = connect({ host, port });
    this.#sockets.set(socket, as);
    socket.on('connect', () => {
      if (this.#sockets.has(socket)) this.#end(as);
    });
    socket.on('error', () => {
      if (!this.#sockets.delete(socket)) return;
      if (this.#second !== null) this.#begin();
      else if (this.#sockets.size === 0) this.#end(this.#result);
    });
  }

  #end(winner: RaceResult): void {
    const callback = this.#callback;
    this.#callback = null;
    this.#result = winner;
    this.cancel();
    callback?.(winner);
  }
}
