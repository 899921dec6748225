/**
 * Lets the event loop go round `count` times. On loopback what was written is there at once, so this is enough for a
 * balancer in the same process to have read it and acted upon it; no time passes that a test would have to guess.
 */
export async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets it go round until `condition` holds; what never holds ends with the test's own timeout. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}

/** Lets it go round until `figure` has not changed for a while: a writer that nobody reads from has come to a stop. */
export async function steady(figure: () => number): Promise<number> {
  let last = figure();
  for (let same = 0; same < 50; same++) {
    await turns(1);
    if (figure() === last) continue;
    last = figure();
    same = 0;
  }
  return last;
}
