import { stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/timer-wheel.js';

/** How often the files are looked at, in ms: a change is acted upon within two of these. */
const LOOK_EVERY = 500;

/**
 * Notices that a file is another than before. Looks at it from time to time: what the system would tell of depends on
 * how an editor saves, and of a mounted volume or a link that is swapped (ConfigMaps) it tells nothing. A change counts
 * once the next look finds the same, so that nothing is read that is still being written.
 */
export class FileWatch {
  readonly #files: () => readonly string[];
  readonly #changed: () => void;
  readonly #clock: Clock;
  /** As they were when `changed` was called last, or at the start; null before the first look. */
  #known: string | null = null;
  #seen = '';
  #looking = false;
  #stop: (() => void) | null = null;

  /** `files` are asked for at every look; the first is never taken for changed while it is not there. */
  constructor(files: () => readonly string[], changed: () => void, clock: Clock = systemClock) {
    this.#files = files;
    this.#changed = changed;
    this.#clock = clock;
  }

  /** Remembers how the files are, and looks again from then on. */
  async start(): Promise<void> {
    this.#stop = this.#clock.every(LOOK_EVERY, () => void this.look());
    await this.look();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** One look at all of them. Never rejects. */
  async look(): Promise<void> {
    // A file system that hangs is not asked twice.
    if (this.#looking) return;
    this.#looking = true;
    const marks = await Promise.all(this.#files().map(markOf));
    this.#looking = false;
    const now = marks.join('\n');
    const isSettled = now === this.#seen && marks[0] !== MISSING;
    this.#seen = now;
    this.#known ??= now;
    if (!isSettled || now === this.#known) return;
    this.#known = now;
    this.#changed();
  }
}

const MISSING = 'missing';

/** Another whenever the content may be. */
async function markOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return `${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return MISSING;
  }
}
