/**
 * Lets the event loop go round `count` times. On loopback what was written is there at once, so this is enough for a
 * balancer in the same process to have read it and acted upon it; no time passes that a test would have to guess.
 */
export async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (others.size > 0) await Promise.all([...others].map((goRound) => goRound()));
  }
}

/** What lets the event loops of other threads go round. */
const others = new Set<() => Promise<void>>();

/** From now on another event loop goes round with this one, until the returned function is called. */
export function turnTogether(goRound: () => Promise<void>): () => void {
  others.add(goRound);
  return () => void others.delete(goRound);
}

/** How long a test waits for something to happen, ms: far longer than it takes on a busy machine. */
export const PATIENCE_MS = 30_000;
/** So often the event loop goes round without a rest: what happens in this process has happened by then. */
const BUSY_TURNS = 1000;

/**
 * Waits until `condition` holds. Rejects after 30 s, saying `what` did not happen: by default the text of the condition.
 * `meanwhile` is done, and waited for, before every other look at the condition; by default the event loop goes round.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = String(condition),
  meanwhile?: () => unknown,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (let turn = 0; ; turn++) {
    const holds = condition();
    if (holds === true || (holds !== false && (await holds))) return;
    if (performance.now() > end) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    if (meanwhile !== undefined) await meanwhile();
    else if (turn < BUSY_TURNS) await new Promise((resolve) => setImmediate(resolve));
    else await rest();
  }
}

/** A moment in which other processes go on, ms. */
export async function rest(ms = 2): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
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
