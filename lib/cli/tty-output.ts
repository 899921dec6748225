import { EventEmitter } from 'node:events';
import { fstatSync, writeSync } from 'node:fs';
import type { WriteStream } from 'node:tty';
import type { OutputStream } from './terminal.js';

/** ms until a terminal that took some bytes is tried again; doubled while it takes none. */
const FIRST_RETRY = 2;
const LAST_RETRY = 100;

/** The type of process.stdout and process.stderr. */
export type ProcessStream = WriteStream & { readonly fd: number };

const NOTHING = Buffer.alloc(0);

/**
 * A terminal that does not block the program. Node writes to terminals synchronously: a stopped one (Ctrl-S, a window
 * that is not read) would stop the event loop. Here the descriptor is non-blocking, and what the terminal does not take
 * waits in memory.
 */
export class TtyOutput extends EventEmitter implements OutputStream {
  readonly isTTY = true;
  readonly #stream: ProcessStream;
  /** The bytes being written, from `#offset` on; later bytes are in `#later`. */
  #bytes: Buffer = NOTHING;
  #offset = 0;
  #later = '';
  #retryAfter = FIRST_RETRY;
  #timer: NodeJS.Timeout | null = null;

  /** The stream is used for the size of the window only; nothing else may write to it. */
  constructor(stream: ProcessStream) {
    super();
    this.#stream = stream;
    stream.on('error', (error) => this.emit('error', error));
  }

  get columns(): number {
    return this.#stream.columns;
  }

  get rows(): number {
    return this.#stream.rows;
  }

  /** Bytes that wait; text that is not encoded yet counts by its characters. */
  get writableLength(): number {
    return this.#bytes.length - this.#offset + this.#later.length;
  }

  write(text: string): boolean {
    this.#later += text;
    if (this.#timer === null) this.#writeOn();
    return this.#timer === null;
  }

  /** Writes as much as the terminal takes now, and the rest later. */
  #writeOn(): void {
    let hasWritten = false;
    try {
      while (this.#hasMore()) {
        this.#offset += writeSync(this.#stream.fd, this.#bytes, this.#offset);
        hasWritten = true;
      }
      this.#retryAfter = FIRST_RETRY;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') this.#wait(hasWritten);
      else this.#giveUp(error);
    }
  }

  #hasMore(): boolean {
    if (this.#offset < this.#bytes.length) return true;
    this.#bytes = this.#later === '' ? NOTHING : Buffer.from(this.#later);
    this.#offset = 0;
    this.#later = '';
    return this.#bytes.length > 0;
  }

  #wait(hasWritten: boolean): void {
    this.#retryAfter = hasWritten ? FIRST_RETRY : Math.min(LAST_RETRY, this.#retryAfter * 2);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#writeOn();
      if (this.#timer === null) this.emit('drain');
    }, this.#retryAfter);
  }

  #giveUp(error: unknown): void {
    this.#bytes = NOTHING;
    this.#offset = 0;
    this.#later = '';
    this.emit('error', error);
  }
}

/**
 * Both streams, a terminal as a `TtyOutput`. If both are the same terminal they share one output: lines stay whole and
 * in order, however much has to wait.
 */
export function unblocked(stdout: ProcessStream, stderr: ProcessStream): [OutputStream, OutputStream] {
  const one = unblockedTty(stdout);
  if (one !== stdout && isSameTty(stdout, stderr)) return [one, one];
  return [one, unblockedTty(stderr)];
}

/**
 * A process that ends sets the flags of its standard streams back to those that it found, for all processes that have the
 * same pipes: they are not blocking again from now on.
 */
export function unblockAgain(...streams: readonly ProcessStream[]): void {
  for (const stream of streams) {
    const { _handle: handle } = stream as unknown as {
      _handle?: { setBlocking?(on: boolean): number } | null;
    };
    if (process.platform !== 'win32') handle?.setBlocking?.(false);
  }
}

function unblockedTty(stream: ProcessStream): OutputStream {
  if (!stream.isTTY || process.platform === 'win32') return stream;
  // There is no public way to this flag. libuv has opened the terminal anew, so the shell's own descriptor keeps its
  // flags.
  const { _handle: handle } = stream as unknown as { _handle?: { setBlocking?(on: boolean): number } };
  return handle?.setBlocking?.(false) === 0 ? new TtyOutput(stream) : stream;
}

function isSameTty(stdout: ProcessStream, stderr: ProcessStream): boolean {
  return stderr.isTTY && fstatSync(stdout.fd).rdev === fstatSync(stderr.fd).rdev;
}
