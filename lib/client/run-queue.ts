import { performance } from 'node:perf_hooks';
import { Ring } from '../base/collections.js';
import { beforeTickEnd, connectionsComing, type DeferredWork } from '../net/loop-tick.js';

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

/**
 * ms that requests may take of one turn, their own answers included: 32 of them with heads of 32 KiB, or with patterns that
 * are slow, are more than others should have to wait for.
 */
const MAX_TURN_MS = 4;
/** Requests after which the clock is asked how long they have taken. */
const ASKS_EVERY = 4;
/** A head of so many bytes counts as one request more: the time of parsing grows with it. */
const BYTES_PER_REQUEST = 4096;
/**
 * Requests that one connection begins before the others have had their turn. Only those that are answered at once follow
 * each other like this: 16 clients that sent such requests without a pause made another wait for 0.7 to 4 s.
 */
const BATCH = 4;

/** Has requests to begin. */
export interface Runnable {
  run(): void;
}

/**
 * Whose request begins next. What servers answer is dealt with as it comes; new requests beyond a few wait, connection by
 * connection, until that is done. No request waits for an answer to another: each turn begins some. Requests that we
 * answer ourselves are requests: a turn stays at a few ms whatever was read in it.
 */
export class RunQueue implements DeferredWork {
  readonly #now: () => number;
  readonly #waiting = new Ring<Runnable>();
  /** In this turn of the event loop. */
  #begun = 0;
  /** Of the batch that is going on. */
  #left = 0;
  /** How many may, which only the end of the turn may raise. */
  #most = PER_TURN;
  /** When the clock was first asked in this turn, in ms; -1 until then. */
  #since = -1;
  /** It is asked again when so many have begun. */
  #asksAt = ASKS_EVERY;
  #isListed = false;

  /** `now`: real time, in ms. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** May a request begin now? Then a batch begins with it; else its connection is to be given to `push`. */
  admit(): boolean {
    if (this.#begun === 0) this.#most = perTurn();
    if (this.#waiting.length > 0 || !this.#hasRoom()) return false;
    this.#begun++;
    this.#left = BATCH - 1;
    if (!this.#isListed) this.#list();
    return true;
  }

  /** May the connection begin another request, after one with a head of `bytes` that is answered already? */
  admitNext(bytes: number): boolean {
    this.#begun += Math.floor(bytes / BYTES_PER_REQUEST);
    if (this.#left === 0 || !this.#hasRoom()) return false;
    this.#left--;
    this.#begun++;
    return true;
  }

  /** Behind a no: `runnable.run` is called when its turn has come, never within this call. A batch begins with it. */
  push(runnable: Runnable): void {
    this.#waiting.push(runnable);
    if (!this.#isListed) this.#list();
  }

  #list(): void {
    this.#isListed = true;
    beforeTickEnd(this);
  }

  #hasRoom(): boolean {
    if (this.#begun >= this.#most) return false;
    if (this.#begun < this.#asksAt) return true;
    this.#asksAt = this.#begun + ASKS_EVERY;
    const now = this.#now();
    if (this.#since === -1) this.#since = now;
    if (now - this.#since > MAX_TURN_MS) this.#most = 0;
    return this.#most > 0;
  }

  takeUp(isLong: boolean): boolean {
    this.#most = isLong ? PER_LONG_TURN : perTurn();
    if (this.#waiting.length > 0) this.#since = this.#now();
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      this.#begun++;
      this.#left = BATCH - 1;
      (this.#waiting.shift() as Runnable).run();
    }
    this.#begun = 0;
    this.#since = -1;
    this.#asksAt = ASKS_EVERY;
    this.#isListed = this.#waiting.length > 0;
    return this.#isListed;
  }
}

function perTurn(): number {
  return connectionsComing() ? PER_ACCEPTING_TURN : PER_TURN;
}
