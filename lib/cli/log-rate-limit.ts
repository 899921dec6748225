/** Lines of a kind that are shown in a second. */
const MOST = 10;

interface Count {
  second: number;
  shown: number;
  unsaid: number;
}

/** Keeps what comes by the thousand from filling a terminal: ten of a kind in a second, the others are counted. */
export class LogRateLimit {
  readonly #counts = new Map<string, Count>();

  /** Null: not this one. Else how many of its kind were held back before it. `now` in ms. */
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
