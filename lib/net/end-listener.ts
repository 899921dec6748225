/** Told that an end was one. */
export interface EndListener {
  onEndConfirmed(): void;
}

/** Who knows by then whether it was. */
interface Ended {
  endConfirmed(listener: EndListener): void;
}

/** Asks `ended` once the next poll for input is over. */
export function confirmAfterNextPoll(ended: Ended, listener: EndListener): void {
  // This one runs before that poll, one set from it behind.
  setImmediate(behindNextPoll, ended, listener);
}

function behindNextPoll(ended: Ended, listener: EndListener): void {
  setImmediate(confirm, ended, listener);
}

function confirm(ended: Ended, listener: EndListener): void {
  ended.endConfirmed(listener);
}
