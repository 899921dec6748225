/** Told that an end was one. */
export interface EndWitness {
  onEndConfirmed(): void;
}

/** Who knows by then whether it was. */
interface Ended {
  endConfirmed(witness: EndWitness): void;
}

/** Asks `ended` once the next poll for input is over. */
export function confirmBehindNextPoll(ended: Ended, witness: EndWitness): void {
  // This one runs before that poll, one set from it behind.
  setImmediate(behindNextPoll, ended, witness);
}

function behindNextPoll(ended: Ended, witness: EndWitness): void {
  setImmediate(confirm, ended, witness);
}

function confirm(ended: Ended, witness: EndWitness): void {
  ended.endConfirmed(witness);
}
