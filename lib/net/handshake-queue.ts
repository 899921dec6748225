import { performance } from 'node:perf_hooks';
import { Ring } from '../base/collections.js';
import { beforeTickEnd, type DeferredWork } from './loop-tick.js';

/**
 * ms of one tick of the event loop in which handshakes begin: one costs 0.2 ms with an elliptic curve, and 1 ms with RSA.
 */
const MAX_TICK_MS = 4;
/**
 * The most handshakes in progress: each takes 47 KiB. If 2,000 a second begin and never end, as in an attack, each has a
 * second for its two round trips before it is closed.
 */
const MAX_BEGUN = 2048;

/** A handshake whose ClientHello is complete. */
interface Beginner {
  /** False: the client had left. */
  run(): boolean;
  /** Closes the handshake because others need its place. */
  abandon(): void;
}

/**
 * Decides which handshake begins next. Each takes as much time as ten requests: so a tick of the event loop begins only a
 * few, and requests on open connections are served between them.
 */
export class HandshakeQueue implements DeferredWork {
  readonly #now: () => number;
  readonly #waiting = new Ring<Beginner>();
  /** In the order in which they began. */
  readonly #begun = new Set<Beginner>();
  #isListed = false;

  /** `now`: real time, in ms. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  push(handshake: Beginner): void {
    this.#waiting.push(handshake);
    if (this.#isListed) return;
    this.#isListed = true;
    beforeTickEnd(this);
  }

  /** OpenSSL has begun this handshake. If there are too many, the oldest one is closed. */
  noteBegun(handshake: Beginner): void {
    const [oldest] = this.#begun.size < MAX_BEGUN ? [] : this.#begun;
    this.#begun.add(handshake);
    oldest?.abandon();
  }

  noteFinished(handshake: Beginner): void {
    this.#begun.delete(handshake);
  }

  takeUp(): boolean {
    const endsAt = this.#now() + MAX_TICK_MS;
    while (this.#waiting.length > 0) {
      const isBegun = (this.#waiting.shift() as Beginner).run();
      if (isBegun && this.#now() >= endsAt) break;
    }
    this.#isListed = this.#waiting.length > 0;
    return this.#isListed;
  }
}
