import { EventEmitter } from 'node:events';
import { fstatSync, writeSync } from 'node:fs';
import type { WriteStream } from 'node:tty';
import type { OutputStream } from './terminal.js';

/** ms until a terminal that took something is tried again; doubled while it takes nothing. */
const FIRST_RETRY = 2;
const LAST_RETRY = 100;

/** What process.stdout and process.stderr are. */
export type ProcessStream = WriteStream & { readonly fd: number };

const NOTHING = Buffer.alloc(0);

/**
 * A terminal that nobody waits for. Node writes to terminals synchronously: a stopped one (Ctrl-S, a window that is
 * not read) would stop the event loop. Here its descriptor is non-blocking, and what it does not take waits in memory.
 */
export class TtyOutput extends EventEmitter implements OutputStream {
  readonly isTTY = true;
  readonly #stream: ProcessStream;
  /** What is being written, from `#offset` on; what comes later is in `#later`. */
  #bytes: Buffer = NOTHING;
  #offset = 0;
  #later = '';
  #retryAfter = FIRST_RETRY;
  #timer: NodeJS.Timeout | null = null;

  /** The stream is asked for the size of the window; nobody else may write to it. */
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

  /** Bytes that wait, or as good as: what was not turned into bytes yet counts by its characters. */
  get writableLength(): number {
    return this.#bytes.length - this.#offset + this.#later.length;
  }

  write(text: string): boolean {
    this.#later += text;
    if (this.#timer === null) this.#writeOn();
    return this.#timer === null;
  }

  /** Writes as much as is taken now, and the rest later. */
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
 * Both streams, a terminal as a `TtyOutput`. Where it is the same terminal they are one: what is written to either
 * stands in its order and in whole lines, however much has to wait.
 */
export function unblocked(stdout: ProcessStream, stderr: ProcessStream): [OutputStream, OutputStream] {
  const one = unblockedTty(stdout);
  if (one !== stdout && isSameTty(stdout, stderr)) return [one, one];
  return [one, unblockedTty(stderr)];
}

function unblockedTty(stream: ProcessStream): OutputStream {
  if (!stream.isTTY || process.platform === 'win32') return stream;
  // No public way leads to the flag. libuv has opened the terminal anew, so that the shell's own descriptor keeps its flags.
  const { _handle: handle } = stream as unknown as { _handle?: { setBlocking?(on: boolean): number } };
  return handle?.setBlocking?.(false) === 0 ? new TtyOutput(stream) : stream;
}

function isSameTty(stdout: ProcessStream, stderr: ProcessStream): boolean {
  return stderr.isTTY && fstatSync(stdout.fd).rdev === fstatSync(stderr.fd).rdev;
}
