import type { SignalSource } from '../stop-signals.js';
import type { Terminal } from '../terminal.js';

/** The part of process.stdin that is used. */
export interface Keyboard {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  off(event: 'data', listener: (bytes: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** Resolves after this many ms, or as soon as `signal` is aborted. */
export type Pause = (ms: number, signal?: AbortSignal) => Promise<void>;

export interface ScreenContext {
  readonly terminal: Terminal;
  readonly keyboard: Keyboard;
  readonly signals: SignalSource;
  readonly pause: Pause;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const END_OF_LINE = '\x1b[K';
const END_OF_SCREEN = '\x1b[J';
const CTRL_C = '\x03';
/** What terminals send for keys that have a name. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['k', 'up'],
  ['\x1b[B', 'down'],
  ['\x1bOB', 'down'],
  ['j', 'down'],
  ['\x1b[5~', 'page up'],
  ['\x1b[6~', 'page down'],
  [' ', 'page down'],
  ['\x1b[H', 'home'],
  ['\x1b[1~', 'home'],
  ['\x1b[F', 'end'],
  ['\x1b[4~', 'end'],
]);
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Uses the whole window of a terminal, and restores it at the end. The content is drawn repeatedly until the reader
 * presses q or Ctrl-C, or a signal arrives.
 */
export class Screen {
  readonly #context: ScreenContext;
  readonly #left = new AbortController();
  #redraw: (key: string) => readonly string[] | null = () => null;

  constructor(context: ScreenContext) {
    this.#context = context;
  }

  /**
   * Shows the result of `draw` every `interval` ms. Rejects with the error of `draw`, after restoring the window. `redraw` is
   * called with the name of a key, and returns what is to be shown at once; null: nothing new.
   */
  async run(
    draw: () => Promise<readonly string[]>,
    interval: number,
    redraw: (key: string) => readonly string[] | null = () => null,
  ): Promise<void> {
    this.#redraw = redraw;
    const { signal } = this.#left;
    const left = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null)));
    this.#open();
    try {
      while (!signal.aborted) {
        const lines = await Promise.race([draw(), left]);
        if (lines === null) return;
        this.#show(lines);
        await this.#context.pause(interval, signal);
      }
    } finally {
      this.#close();
    }
  }

  readonly #onKeys = (bytes: Buffer): void => {
    const text = bytes.toString('latin1');
    if (/[qQ]/.test(text) || bytes.includes(CTRL_C)) {
      this.#left.abort();
      return;
    }
    for (const [key] of text.matchAll(/\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|./gs)) {
      const lines = this.#redraw(KEYS.get(key) ?? key);
      if (lines !== null) this.#show(lines);
    }
  };

  readonly #onSignal = (): void => this.#left.abort();

  #open(): void {
    const { terminal, keyboard, signals } = this.#context;
    for (const signal of SIGNALS) signals.on(signal, this.#onSignal);
    if (keyboard.isTTY === true) {
      keyboard.setRawMode?.(true);
      keyboard.on('data', this.#onKeys);
      keyboard.resume();
    }
    terminal.write(ENTER);
  }

  #close(): void {
    const { terminal, keyboard, signals } = this.#context;
    terminal.write(LEAVE);
    for (const signal of SIGNALS) signals.off(signal, this.#onSignal);
    if (keyboard.isTTY !== true) return;
    keyboard.off('data', this.#onKeys);
    keyboard.setRawMode?.(false);
    keyboard.pause();
  }

  /** The screen is not cleared first, to avoid flicker. */
  #show(lines: readonly string[]): void {
    const { terminal } = this.#context;
    const { rows, columns } = terminal;
    const shown = lines.slice(0, rows).map((line) => `${clipped(line, columns)}${END_OF_LINE}`);
    terminal.write(`${HOME}${shown.join('\r\n')}${END_OF_SCREEN}`);
  }
}

/** The first `width` characters of a line, with its colours: a longer line would take two rows. */
function clipped(line: string, width: number): string {
  let room = width;
  return line.replace(/\x1b\[[\d;]*m|./gu, (piece) => (piece.startsWith('\x1b') || room-- > 0 ? piece : ''));
}
