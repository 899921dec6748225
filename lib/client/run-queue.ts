import { Ring } from '../base/ring.js';
import { type Backlog, beforeTurnEnd, connectionsComing } from '../net/turn.js';

/**
 * Requests that begin in one turn of the event loop. A thousand clients that ask at once had a thousand requests under
 * way, and as many connections to servers in use, each of whose objects and sockets was evicted from the caches before
 * its answer came. Few at a time, they are answered by the next turns: the same load costs 0.7 of the processor time.
 */
const PER_TURN = 32;
/**
 * The same of a turn in which large bodies were read: 2 MiB take as long as forty small requests, and leave nothing in
 * the caches to spare. With 32 here too, 200 clients beside two downloads got four fifths of the requests through.
 */
const PER_LONG_TURN = 256;
/**
 * The same while connections keep coming, of which each turn accepts one. Beside 200 busy clients and two downloads the
 * last of 200 new ones was answered after 0.2 s; with 32 here, and downloads that went on meanwhile, after 0.5.
 */
const PER_ACCEPTING_TURN = 8;

/** Has a request to begin. */
export interface Runnable {
  run(): void;
}

/**
 * Whose request begins next. What servers answer is dealt with as it comes; new requests beyond a few wait, first come
 * first served, until that is done. No request waits for an answer to another: each turn begins some.
 */
export class RunQueue implements Backlog {
  readonly #waiting = new Ring<Runnable>();
  #begun = 0;
  #isListed = false;

  /** May a request begin now? Then it is counted as begun; else it is to be given to `push`. */
  admit(): boolean {
    if (this.#waiting.length > 0 || this.#begun >= perTurn()) return false;
    this.#begun++;
    if (!this.#isListed) {
      this.#isListed = true;
      beforeTurnEnd(this);
    }
    return true;
  }

  /** Behind an `admit` that said no: `runnable.run` is called when its turn has come, never within this call. */
  push(runnable: Runnable): void {
    this.#waiting.push(runnable);
  }

  takeUp(isLong: boolean): boolean {
    const most = isLong ? PER_LONG_TURN : perTurn();
    for (let left = most - this.#begun; left > 0 && this.#waiting.length > 0; left--) {
      (this.#waiting.shift() as Runnable).run();
    }
    this.#begun = 0;
    this.#isListed = this.#waiting.length > 0;
    return this.#isListed;
  }
}

function perTurn(): number {
  return connectionsComing() ? PER_ACCEPTING_TURN : PER_TURN;
}
