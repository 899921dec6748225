import { writeLatin1 } from '../../base/bytes.js';
import type { Observer, RequestRecord } from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { ThreadReading } from '../thread-reader.js';
import { spansOf } from './span-json.js';

/** Spans as they are sent, comma-separated. */
export interface SpanBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly spans: number;
}

/** Bytes of a block: the spans of about 40 requests. */
const BLOCK_BYTES = 64 * 1024;
/** Spans are passed on at most this long after the first of them, in ms. */
const PASS_AFTER_MS = 250;

/** Writes the spans of requests whose trace is recorded into blocks, in the thread that serves the requests. */
export class SpanWriter implements Observer {
  /** Each thread has its own writer. */
  readonly reads: ThreadReading = 'nothing';
  readonly #clock: Clock;
  readonly #pass: (block: SpanBlock) => void;
  #block = new Uint8Array(0);
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;
  #spans = 0;
  #cancelTimer: (() => void) | null = null;

  /** `pass`: takes over a block. */
  constructor(clock: Clock, pass: (block: SpanBlock) => void) {
    this.#clock = clock;
    this.#pass = pass;
  }

  requestSettled(record: RequestRecord): void {
    const { trace } = record;
    if (trace === null) return;
    const text = spansOf(record, trace);
    if (this.#length + text.length + 1 > this.#block.length) this.#begin(text.length);
    if (this.#length > 0) this.#buffer[this.#length++] = COMMA;
    this.#length += writeLatin1(this.#buffer, text, this.#length);
    this.#spans += 1 + Math.min(trace.attempts.length, record.tries.length);
    this.#cancelTimer ??= this.#clock.every(PASS_AFTER_MS, () => this.#tick());
  }

  /** One timer for as long as spans come: another for each block cost 1.6 µs a request. */
  #tick(): void {
    if (this.#spans === 0) this.#stopTimer();
    else this.#passOn();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Passes on what was written so far. */
  flush(): void {
    this.#stopTimer();
    if (this.#spans > 0) this.#passOn();
  }

  #passOn(): void {
    // A block that is hardly filled keeps no 64 KiB while it waits.
    const bytes =
      this.#length * 2 < BLOCK_BYTES
        ? this.#block.slice(0, this.#length)
        : this.#block.subarray(0, this.#length);
    const block = { bytes, spans: this.#spans };
    this.#length = 0;
    this.#spans = 0;
    if (bytes.buffer === this.#block.buffer) this.#use(new Uint8Array(0));
    this.#pass(block);
  }

  /** `least`: bytes that must fit. */
  #begin(least: number): void {
    if (this.#spans > 0) this.#passOn();
    if (this.#block.length >= least) return;
    // Not filled with zeros, and with memory of its own, which can go to another thread.
    const { buffer } = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, least));
    this.#use(new Uint8Array(buffer));
  }

  #use(block: Uint8Array<ArrayBuffer>): void {
    this.#block = block;
    this.#buffer = Buffer.from(block.buffer);
  }
}

const COMMA = 0x2c;
