import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { link, open, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FileError, readRegularFileAsync } from '../base/regular-file.js';
import type { Clock } from '../base/timer-wheel.js';

/** How often the holder writes the lock again, in ms. */
export const LOCK_REFRESH_MS = 20_000;
/** A holder that has not written the lock for this long counts as gone, in ms. */
const STALE_MS = 120_000;

/** What link() fails with on file systems that have no second name for a file. */
const WITHOUT_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

interface Holder {
  readonly id: string;
  readonly pid: number;
  /** The machine, and the namespace of its process numbers. */
  readonly place: string;
  /** Unix time in ms. */
  readonly at: number;
}

/**
 * A file that says which process orders certificates for this store. One that its process left behind is taken over: at
 * once if the process was of this machine and has ended, otherwise after two minutes without a sign of it.
 */
export class AcmeLock {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #id = randomUUID();
  #held = false;
  #refreshing: Promise<void> | null = null;
  #writtenAt = 0;

  constructor(folder: string, clock: Clock) {
    this.#path = join(folder, 'lock');
    this.#clock = clock;
  }

  /** False while another process holds it. Rejects with the system's error when it cannot be written. */
  async acquire(): Promise<boolean> {
    // Twice: after a stale one was removed, another process may be first.
    for (let tries = 0; tries < 2 && !this.#held; tries++) {
      this.#held = await this.#create();
      if (this.#held || !(await this.#removeStale())) break;
    }
    return this.#held;
  }

  /** Shows that the holder is alive. What fails is tried again at the next call. */
  refresh(): void {
    if (!this.#held || this.#refreshing !== null) return;
    if (this.#clock.now() - this.#writtenAt < LOCK_REFRESH_MS) return;
    this.#refreshing = this.#rewrite()
      .catch(() => {})
      .finally(() => {
        this.#refreshing = null;
      });
  }

  async #rewrite(): Promise<void> {
    // Somebody else may have taken it over, while this process was stopped for minutes.
    if ((await readHolder(this.#path))?.id !== this.#id) return;
    const beside = `${this.#path}.${this.#id}`;
    await this.#write(beside, 'w');
    await rename(beside, this.#path);
  }

  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    await this.#refreshing;
    if ((await readHolder(this.#path))?.id === this.#id) await unlink(this.#path).catch(() => {});
  }

  async #create(): Promise<boolean> {
    const beside = `${this.#path}.${this.#id}`;
    await this.#write(beside, 'w');
    try {
      // Unlike a file that is opened with O_EXCL, it has its content from the start.
      await link(beside, this.#path);
      return true;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return false;
      if (!WITHOUT_LINKS.has(code)) throw error;
      return await this.#createInPlace();
    } finally {
      await unlink(beside).catch(() => {});
    }
  }

  async #createInPlace(): Promise<boolean> {
    try {
      await this.#write(this.#path, 'wx');
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  async #write(path: string, flags: string): Promise<void> {
    const holder: Holder = { id: this.#id, pid: process.pid, place: place(), at: this.#clock.wall() };
    const file = await open(path, flags, 0o600);
    try {
      await file.writeFile(JSON.stringify(holder));
    } finally {
      await file.close();
    }
    this.#writtenAt = this.#clock.now();
  }

  /** True when there is none any more. */
  async #removeStale(): Promise<boolean> {
    const seen = await readHolder(this.#path);
    if (seen !== null && !this.#isStale(seen)) return false;
    const aside = `${this.#path}.stale.${this.#id}`;
    try {
      await rename(this.#path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw error;
    }
    // Between the two another process may have removed the stale one and written its own: that one goes back.
    const moved = await readHolder(aside);
    const isOther = moved !== null && moved.id !== seen?.id;
    if (isOther) await link(aside, this.#path).catch(() => {});
    await unlink(aside).catch(() => {});
    return !isOther;
  }

  #isStale({ pid, place: seen, at }: Holder): boolean {
    if (Math.abs(this.#clock.wall() - at) > STALE_MS) return true;
    return seen === place() && pid !== process.pid && !isAlive(pid);
  }
}

/** null: there is none, or nobody can tell whose it is. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const holder = JSON.parse(await readRegularFileAsync(path, 4096)) as Partial<Holder>;
    const { id, pid, place, at } = holder;
    const isWhole = typeof id === 'string' && typeof pid === 'number' && typeof place === 'string';
    return isWhole && typeof at === 'number' ? { id, pid, place, at } : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof SyntaxError || error instanceof FileError || code === 'ENOENT') return null;
    throw error;
  }
}

/** Containers can share the name of a machine, and still have process numbers of their own. */
function place(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
