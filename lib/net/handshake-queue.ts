import { performance } from 'node:perf_hooks';
import { Ring } from '../base/collections.js';
import { beforeTickEnd, type DeferredWork } from './loop-tick.js';

/** ms of one tick of the event loop in which handshakes begin: one costs 0.2 ms of an elliptic curve, and 1 of RSA. */
const MAX_TICK_MS = 4;
/**
 * So many may be begun and not done: each holds 60 KiB. With 2,000 a second that begin and never end, as in an attack, one has
 * a second for its two round trips before it gives way.
 */
const MAX_BEGUN = 2048;

/** A handshake whose ClientHello is there. */
interface Beginner {
  /** False: it had left. */
  run(): boolean;
  /** Closes it, as others need its place. */
  abandon(): void;
}

/**
 * Whose handshake begins next. Each takes as much time as ten requests: so a tick of the event loop begins only a few, and requests
 * of those who are connected go on between them.
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

  /** OpenSSL is at work for it. The one that has been begun for the longest time gives way where there are too many. */
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
