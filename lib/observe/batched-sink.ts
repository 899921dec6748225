import { constants, openSync, statSync, writeSync } from 'node:fs';
import sonic, { type SonicBoom } from 'sonic-boom';
import type { Observer, RequestRecord } from '../base/observer.js';
import { LineBlocks } from './line-blocks.js';
import type { LogFilter } from './log-filter.js';

/** Lines are kept at most this long before they are written, in ms. */
const FLUSH_AFTER = 200;
/** They are written earlier when they have this many bytes: one write carries more than a hundred lines. */
const BATCH_SIZE = 64 * 1024;
/** How many bytes may wait for a slow reader; further lines are dropped and counted. */
const BACKLOG_LIMIT = 4 * 1024 * 1024;
/** A repeated failure is reported at most once in this time, in ms. */
const WARN_EVERY = 10_000;
/** How long `close` waits for a reader that does not read, in ms. */
const CLOSE_DEADLINE = 1000;

export interface BatchedSinkOptions {
  /** A file descriptor or a path: a file that is appended to and created when missing, or a named pipe. */
  readonly target: number | string;
  /** `ascii` if all lines are ASCII (a byte is a character, which is cheaper); `any` by default. */
  readonly characters?: 'ascii' | 'any';
  /** Called with a line for the operator, without a line feed. */
  readonly warning?: (message: string) => void;
}

/**
 * Writes lines to a pipe or a file. Lines are collected as bytes and written by sonic-boom off the event loop. A slow
 * reader costs lines, never memory or time; a reader that is gone (EPIPE) ends the writing only.
 */
export class BatchedSink implements LineSink {
  readonly #path: string | null;
  readonly #warning: (message: string) => void;
  #descriptor: number;
  #stream: SonicBoom;
  /** Files that were renamed and still get the lines meant for them. */
  readonly #closing = new Set<Promise<void>>();
  readonly #blocks: LineBlocks;
  /** Bytes in the batch that is being filled or written. */
  #lines = 0;
  /** The stream had no room for the last batch. */
  #refused = false;
  #timer: NodeJS.Timeout | null = null;
  #dropped = 0;
  /**
   * `warned`: lines are being dropped and a warning was written; `silent`: lines are being dropped again, shortly after
   * a warning.
   */
  #dropping: 'no' | 'warned' | 'silent' = 'no';
  #warnedAt = Number.NEGATIVE_INFINITY;
  /** The error of the last write; empty after a success. */
  #trouble = '';
  #troubledAt = Number.NEGATIVE_INFINITY;
  #troubleTold = false;
  #state: 'open' | 'broken' | 'closed' = 'open';
  /** Set when there is no time left to wait for a full pipe. */
  #hurried = false;

  /** Throws the system's error when the file cannot be opened. */
  constructor(options: BatchedSinkOptions) {
    this.#path = typeof options.target === 'string' ? options.target : null;
    this.#warning = options.warning ?? (() => {});
    this.#blocks = new LineBlocks(BATCH_SIZE, options.characters ?? 'any');
    this.#descriptor = typeof options.target === 'string' ? openLog(options.target) : options.target;
    this.#stream = this.#attach(this.#descriptor);
  }

  /** Lines dropped so far because the reader was too slow or gone. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#state !== 'open') {
      this.#dropped++;
      return;
    }
    if (!this.#blocks.append(line)) {
      this.#handOver();
      if (!this.#blocks.append(line)) {
        this.#lines = 1;
        this.#send(this.#blocks.encode(line));
        return;
      }
    }
    this.#lines++;
    this.#timer ??= setTimeout(() => this.#handOver(), FLUSH_AFTER).unref();
  }

  /** Writes `count` lines as bytes, which are copied. */
  writeLines(lines: Buffer, count: number): void {
    if (this.#state !== 'open') {
      this.#dropped += count;
      return;
    }
    if (!this.#blocks.appendBytes(lines)) {
      this.#handOver();
      if (!this.#blocks.appendBytes(lines)) {
        this.#lines = count;
        this.#send(this.#blocks.copy(lines));
        return;
      }
    }
    this.#lines += count;
    this.#timer ??= setTimeout(() => this.#handOver(), FLUSH_AFTER).unref();
  }

  /**
   * Call it after the file was renamed: waiting lines still go to the old file, then a new one of the same name is
   * used. If that cannot be opened, the old one stays in use. Does nothing for a file descriptor.
   */
  reopen(): void {
    if (this.#path === null || this.#state !== 'open') return;
    this.#handOver();
    try {
      this.#descriptor = openLog(this.#path);
    } catch (error) {
      this.#warning(`access log: ${(error as Error).message}; the old file stays in use`);
      return;
    }
    const old = this.#stream;
    this.#blocks.forget();
    this.#stream = this.#attach(this.#descriptor);
    const closing = closeStream(old).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Writes the remaining lines and closes; gives up after a second. Never rejects. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#handOver();
    this.#state = 'closed';
    const last = this.#path === null ? flushStream(this.#stream) : closeStream(this.#stream);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_DEADLINE);
    });
    await Promise.race([Promise.all([...this.#closing, last]), deadline]);
    clearTimeout(timer);
  }

  /** For a process that ends at once: writes what a full pipe does not hold up. */
  closeNow(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#hurried = true;
    try {
      this.#stream.flushSync();
      // A stream would write it in the background, but the process ends now.
      writeSync(this.#descriptor, this.#takeBatch());
    } catch {
      // The process ends because of another failure, which must not be hidden.
    }
  }

  #handOver(): void {
    if (!this.#blocks.isEmpty) this.#send(this.#takeBatch());
  }

  #send(lines: Buffer): void {
    this.#refused = false;
    // The types of sonic-boom know strings only.
    (this.#stream as unknown as { write(bytes: Buffer): boolean }).write(lines);
    if (this.#refused) this.#blocks.takeBack();
    this.#lines = 0;
  }

  /** There is no reader any more. */
  #giveUp(): void {
    if (this.#state === 'open') {
      this.#state = 'broken';
      this.#warning('access log: its reader is gone, no more lines are written');
    }
    this.#takeBatch();
    this.#dropped += this.#lines;
    this.#lines = 0;
  }

  #takeBatch(): Buffer {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return this.#blocks.take();
  }

  #attach(descriptor: number): SonicBoom {
    const stream = new sonic.SonicBoom({
      fd: descriptor,
      maxLength: BACKLOG_LIMIT,
      // With another length, waiting data would be copied into one piece before it is written.
      maxWrite: BATCH_SIZE,
      contentMode: 'buffer',
      retryEAGAIN: () => !this.#hurried,
    });
    stream.on('error', (error: NodeJS.ErrnoException) => this.#onError(stream, error));
    stream.on('drop', () => this.#onDrop());
    stream.on('drain', () => this.#onDrain());
    stream.on('write', (bytes: number) => {
      if (stream !== this.#stream) return;
      this.#blocks.written(bytes);
      if (bytes > 0 && this.#trouble !== '') this.#onRecovery();
    });
    return stream;
  }

  /** Called within `#send`, while the batch that did not fit is still counted. */
  #onDrop(): void {
    this.#refused = true;
    this.#dropped += this.#lines;
    if (this.#dropping !== 'no') return;
    const now = performance.now();
    this.#dropping = now - this.#warnedAt < WARN_EVERY ? 'silent' : 'warned';
    if (this.#dropping === 'silent') return;
    this.#warnedAt = now;
    this.#warning('access log: its reader is too slow, lines are being dropped');
  }

  #onDrain(): void {
    if (this.#dropping === 'warned') {
      this.#warning(`access log: its reader has caught up; ${this.#dropped} lines were dropped so far`);
    }
    this.#dropping = 'no';
  }

  /** A failed write is repeated with the next batch, except to a pipe whose only reader is gone. */
  #onError(stream: SonicBoom, error: NodeJS.ErrnoException): void {
    const code = error.code ?? error.message;
    if (code === 'EPIPE') {
      stream.destroy();
      this.#giveUp();
      return;
    }
    if (code === this.#trouble) return;
    this.#trouble = code;
    const now = performance.now();
    this.#troubleTold = now - this.#troubledAt >= WARN_EVERY;
    if (!this.#troubleTold) return;
    this.#troubledAt = now;
    this.#warning(`access log: ${error.message}; what fits into memory is kept until it can be written`);
  }

  #onRecovery(): void {
    if (this.#troubleTold) this.#warning('access log: it is being written again');
    this.#trouble = '';
  }
}

/** Resolves when everything is written or cannot be written. */
function flushStream(stream: SonicBoom): Promise<void> {
  return new Promise((resolve) => stream.flush(() => resolve()));
}

async function closeStream(stream: SonicBoom): Promise<void> {
  await flushStream(stream);
  stream.end();
}

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_WRONLY } = constants;

/**
 * Opens without waiting. Opening a named pipe would wait for a reader, and writing would fail when that reader is
 * restarted. A pipe that is also opened for reading (Linux, fifo(7)) does neither; what is not read is dropped, as with
 * any slow reader.
 */
function openLog(path: string): number {
  const isPipe = statSync(path, { throwIfNoEntry: false })?.isFIFO() ?? false;
  return openSync(path, (isPipe ? O_RDWR : O_WRONLY) | O_APPEND | O_CREAT | O_NONBLOCK, 0o666);
}

/** Where finished lines are written. `write` takes whole lines with their line feed and never blocks. */
export interface LineSink {
  write(lines: string): void;
}

/** Renders one settled request as one line, with its line feed. */
export type LineFormat = (record: RequestRecord) => string;

/** Writes a line for every settled request, or for those that the filter keeps. */
export class AccessLog implements Observer {
  readonly #format: LineFormat;
  readonly #sink: LineSink;
  readonly #filter: LogFilter | null;

  constructor(format: LineFormat, sink: LineSink, filter: LogFilter | null = null) {
    this.#format = format;
    this.#sink = sink;
    this.#filter = filter;
  }

  requestSettled(record: RequestRecord): void {
    if (this.#filter === null || this.#filter.keeps(record)) this.#sink.write(this.#format(record));
  }
}
