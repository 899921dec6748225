import { createPaint, type Paint, wantsColour } from './paint.js';

/** What a reader that has stopped reading may leave waiting, in bytes; beyond it text is dropped. */
const BACKLOG_LIMIT = 1024 * 1024;

export interface TerminalOptions {
  /** False with --no-color. */
  readonly colour: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** The part of process.stdout and process.stderr that is used. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly writableLength: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * One of the two output streams, with its own colours. A reader that goes away (EPIPE, a closed terminal) ends the
 * writing, never the process.
 */
export class Terminal {
  readonly paint: Paint;
  readonly isTty: boolean;
  readonly #stream: OutputStream;
  #gone = false;

  constructor(stream: OutputStream, options: TerminalOptions) {
    this.#stream = stream;
    this.isTty = stream.isTTY === true;
    this.paint = createPaint(wantsColour({ allowed: options.colour, env: options.env, isTty: this.isTty }));
    stream.on('error', () => {
      this.#gone = true;
    });
  }

  /** Of the window as it is now; Infinity where there is none. */
  get columns(): number {
    return this.#stream.columns ?? Number.POSITIVE_INFINITY;
  }

  /** Likewise. */
  get rows(): number {
    return this.#stream.rows ?? Number.POSITIVE_INFINITY;
  }

  write(text: string): void {
    if (this.#gone || this.#stream.writableLength > BACKLOG_LIMIT) return;
    this.#stream.write(text);
  }
}
