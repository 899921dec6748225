import { stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/timer-wheel.js';

/** How often the files are checked, in ms: a change takes effect within two of these. */
const LOOK_EVERY = 500;

/**
 * Notices that a file has changed. It polls: events of the file system depend on how an editor saves, and do not report
 * a mounted volume or a swapped link (ConfigMaps). A change counts when the next check finds the same state, so that a
 * file that is still being written is not read.
 */
export class FileWatch {
  readonly #files: () => readonly string[];
  readonly #changed: (files: readonly string[]) => void;
  readonly #clock: Clock;
  /** The state when `changed` was called last, or at the start; null before the first check. */
  #known: ReadonlyMap<string, string> | null = null;
  #seen = '';
  #looking = false;
  /** When `changed` was called last, in ms of the system's time, which is that of files. */
  #toldAt = 0;
  #stop: (() => void) | null = null;

  /**
   * `files` is called at every check; while the first file is missing, nothing counts as changed. `changed` is called
   * with the files that have. A file that is checked for the first time is among them, unless it is older than the last
   * call, which has read it.
   */
  constructor(
    files: () => readonly string[],
    changed: (files: readonly string[]) => void,
    clock: Clock = systemClock,
  ) {
    this.#files = files;
    this.#changed = changed;
    this.#clock = clock;
  }

  /** Records the state of the files, and checks again from then on. */
  async start(): Promise<void> {
    this.#stop = this.#clock.every(LOOK_EVERY, () => void this.look());
    await this.look();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Checks all files once. Never rejects. */
  async look(): Promise<void> {
    // A file system that hangs is not asked again.
    if (this.#looking) return;
    this.#looking = true;
    const files = [...new Set(this.#files())];
    const startedAt = Date.now();
    const marks = await Promise.all(files.map(markOf));
    this.#looking = false;
    const now = marks.map(({ mark }) => mark).join('\n');
    const isSettled = now === this.#seen && marks[0]?.mark !== MISSING;
    this.#seen = now;
    const state = new Map(files.map((file, at) => [file, marks[at]?.mark ?? MISSING]));
    this.#known ??= state;
    if (!isSettled) return;
    const known = this.#known;
    const changed = files.filter((file, at) =>
      known.has(file) ? known.get(file) !== state.get(file) : this.#isNews(marks[at]?.changedAt ?? 0),
    );
    const isLess = known.size > state.size;
    this.#known = state;
    if (changed.length === 0 && !isLess) return;
    this.#toldAt = startedAt;
    this.#changed(changed);
  }

  /** Was a file that is checked for the first time changed since `changed` was called? A whole second may be a rounded time. */
  #isNews(changedAt: number): boolean {
    return changedAt > this.#toldAt - CLOCK_STEP || changedAt % 1000 === 0;
  }
}

/** How far times of files may lag behind the clock, in ms: they follow the ticks of the kernel. */
const CLOCK_STEP = 20;

const MISSING = 'missing';

/** A text that changes when the content may have changed, and when it changed last. */
async function markOf(file: string): Promise<{ readonly mark: string; readonly changedAt: number }> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return { mark: `${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}`, changedAt: ctimeMs };
  } catch {
    return { mark: MISSING, changedAt: 0 };
  }
}
