import { setTimeout as pause } from 'node:timers/promises';
import { count } from './error-text.js';
import { createPaint, type Paint, wantsColour } from './paint.js';

/** How many bytes may wait for a reader that has stopped reading; further text is dropped. */
const BACKLOG_LIMIT = 1024 * 1024;
/** After it has dropped text, it continues only when this little is left: not a single line here and there. */
const BACKLOG_RESUMED = BACKLOG_LIMIT / 2;
/** How long `flushed` waits for a reader that does not read, in ms, and how often it checks. */
const FLUSH_DEADLINE = 1000;
const FLUSH_LOOK = 10;

/** A serial line, or a pseudo-terminal of another program, has 0 columns and rows until they are set: then it counts as this high. */
const USUAL_ROWS = 24;

/** Temporary errors: there may be room again later. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EAGAIN', 'ENOBUFS', 'ENOMEM']);

export interface TerminalOptions {
  /** False with --no-color. */
  readonly colour: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Called with every text before it is written. */
  readonly copy?: (text: string) => void;
}

/** The part of process.stdout and process.stderr that is used. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly writableLength: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  /** Called when all waiting text is written. */
  on(event: 'drain', listener: () => void): unknown;
}

/**
 * One of the two output streams, with its colours. A reader that goes away (EPIPE, a closed terminal) ends the writing,
 * never the process. A reader that does not read costs lines: they are counted, and a line in their place says how many
 * are missing.
 */
export class Terminal {
  readonly paint: Paint;
  /** Do its texts have colours? */
  readonly inColour: boolean;
  readonly isTty: boolean;
  readonly #stream: OutputStream;
  #gone = false;
  #dropping = false;
  #dropped = 0;
  /** How many of these have not been reported yet. */
  #missing = 0;
  /** What the last write would have reported as dropped, if it fails. */
  #lines = 0;
  #said = 0;
  readonly #copy: (text: string) => void;

  constructor(stream: OutputStream, options: TerminalOptions) {
    this.#stream = stream;
    this.#copy = options.copy ?? (() => {});
    this.isTty = stream.isTTY === true;
    this.inColour = wantsColour({ allowed: options.colour, env: options.env, isTty: this.isTty });
    this.paint = createPaint(this.inColour);
    stream.on('error', (error) => this.#onError(error));
    stream.on('drain', () => this.#onDrain());
  }

  /** Columns of the window as it is now; Infinity without a window, or where its size is unknown (0). */
  get columns(): number {
    return this.#stream.columns || Number.POSITIVE_INFINITY;
  }

  /** Rows of the window as it is now; Infinity without a window, 24 where its size is unknown. */
  get rows(): number {
    const { rows = Number.POSITIVE_INFINITY } = this.#stream;
    return rows === 0 ? USUAL_ROWS : rows;
  }

  /** Has its reader gone away for good? */
  get isClosed(): boolean {
    return this.#gone;
  }

  /** Lines that were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  write(text: string): void {
    this.#copy(text);
    const lines = countLines(text);
    this.#dropping =
      this.#gone || this.#stream.writableLength > (this.#dropping ? BACKLOG_RESUMED : BACKLOG_LIMIT);
    if (this.#dropping) {
      this.#dropped += lines;
      this.#missing += lines;
      return;
    }
    this.#lines = lines;
    this.#said = this.#missing;
    this.#missing = 0;
    this.#stream.write(this.#said === 0 ? text : this.#notice(this.#said) + text);
  }

  /** Resolves when everything is written, or after a second. */
  async flushed(): Promise<void> {
    const until = performance.now() + FLUSH_DEADLINE;
    while (!this.#gone && this.#stream.writableLength > 0 && performance.now() < until)
      await pause(FLUSH_LOOK);
  }

  #notice(missing: number): string {
    const verb = missing === 1 ? 'is' : 'are';
    return `${this.paint.dim(`(${count(missing, 'line')} ${verb} missing here: the reader was too slow)`)}\n`;
  }

  #onDrain(): void {
    if (this.#missing > 0) this.write('');
  }

  #onError({ code = '' }: NodeJS.ErrnoException): void {
    if (!PASSING.has(code)) {
      this.#gone = true;
      return;
    }
    this.#dropped += this.#lines;
    this.#missing += this.#lines + this.#said;
    this.#said = 0;
  }
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
