import type { Clock } from '../../lib/base/timer-wheel.js';

interface Ticker {
  readonly ms: number;
  readonly tick: () => void;
  due: number;
}

/** Time that stands still until a test advances it. */
export class ManualClock implements Clock {
  readonly isInAllThreads: boolean = false;
  #now: number;
  readonly #tickers = new Set<Ticker>();
  #wall: number;

  /** What it shows at the start, in ms; `wall`: since the epoch. */
  constructor(wall = Date.UTC(2026, 0, 31, 12, 0, 1), now = 1000) {
    this.#now = now;
    this.#wall = wall - now;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall + this.#now;
  }

  every(ms: number, tick: () => void): () => void {
    const ticker = { ms, tick, due: this.#now + ms };
    this.#tickers.add(ticker);
    return () => this.#tickers.delete(ticker);
  }

  /** The wall clock shows `ms` more, and no time passes: days of it cost nothing. */
  leap(ms: number): void {
    this.#wall += ms;
  }

  /** Moves on by `ms`, calling what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: Ticker | null = null;
      for (const ticker of this.#tickers)
        if (ticker.due <= end && (next === null || ticker.due < next.due)) next = ticker;
      if (next === null) break;
      this.#now = next.due;
      next.due += next.ms;
      next.tick();
    }
    this.#now = end;
  }
}
