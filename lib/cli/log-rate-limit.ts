/** How many lines of a kind are shown per second. */
const MOST = 10;

interface Count {
  second: number;
  shown: number;
  unsaid: number;
}

/** Limits frequent lines: ten of a kind per second are shown, the others are counted. */
export class LogRateLimit {
  readonly #counts = new Map<string, Count>();

  /**
   * Null: do not show this line. Otherwise the number of lines of its kind that were held back before it. `now` in ms.
   */
  pass(kind: string, now: number): number | null {
    const second = Math.floor(now / 1000);
    let count = this.#counts.get(kind);
    if (count === undefined) {
      count = { second, shown: 0, unsaid: 0 };
      this.#counts.set(kind, count);
    }
    if (count.second !== second) {
      count.second = second;
      count.shown = 0;
    }
    if (count.shown >= MOST) {
      count.unsaid++;
      return null;
    }
    count.shown++;
    const { unsaid } = count;
    count.unsaid = 0;
    return unsaid;
  }
}
