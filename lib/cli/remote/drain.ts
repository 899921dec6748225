import { escapeForScreen } from '../../observe/escape.js';
import { count, humanDuration } from '../error-text.js';
import type { Terminal } from '../terminal.js';
import { AdminError } from './admin-address.js';
import type { AdminClient } from './client.js';
import type { Pause } from './screen.js';
import type { ServerView } from './view.js';

const LOOK_MS = 500;

/**
 * Resolves when a draining server has no requests left, or is removed; rejects with an AdminError when draining is
 * cancelled.
 */
export async function untilEmpty(
  client: AdminClient,
  server: ServerView,
  progress: Progress,
  pause: Pause,
): Promise<ServerView> {
  let now = server;
  while (now.active > 0) {
    if (now.state === 'up' || now.state === 'unchecked') {
      throw new AdminError('taken_back', `${now.name} is ${now.state} again: draining was cancelled.`);
    }
    progress.show(now);
    await pause(LOOK_MS);
    const next = await client.server(now.name).catch((error: unknown) => {
      if (error instanceof AdminError && error.code === 'unknown_server') return { ...now, active: 0 };
      throw error;
    });
    now = next;
  }
  return now;
}

/** The requests left on a server: one changing line on a terminal, otherwise one line per change. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #since = performance.now();
  #shown = -1;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show({ name, active }: ServerView): void {
    const text = `${escapeForScreen(name)} drains: ${count(active, 'request')} left`;
    if (this.#terminal.isTty) {
      const { dim } = this.#terminal.paint;
      this.#terminal.write(`\r${text} ${dim(`after ${this.elapsed}`)}\x1b[K`);
    } else if (active !== this.#shown) {
      this.#terminal.write(`${text}\n`);
    }
    this.#shown = active;
  }

  /** A duration in words, in whole seconds from one second on. */
  get elapsed(): string {
    return humanDuration(Math.ceil(performance.now() - this.#since));
  }

  /** Clears the changing line. */
  end(): void {
    if (this.#terminal.isTty && this.#shown !== -1) this.#terminal.write('\r\x1b[K');
  }
}
