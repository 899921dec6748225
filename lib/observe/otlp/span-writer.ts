import { writeLatin1 } from '../../base/bytes.js';
import type {
  AttemptRecord,
  Observer,
  RequestRecord,
  TracedAttempt,
  TraceRecord,
} from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { ThreadReading } from '../thread-reader.js';
import { SpanHeads } from './span-heads.js';
import {
  attemptRest,
  beforeId,
  END_AT,
  inQuotes,
  PARENT_ID_AT,
  pathText,
  requestRest,
  SPAN_ID_AT,
  START_AT,
  TRACE_ID_AT,
  targetText,
} from './span-json.js';

/** Spans as they are sent, comma-separated. */
export interface SpanBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly spans: number;
}

/** Settings of `tracing` as a text: two configurations trace alike when it is the same. */
export function keyOf(tracing: object | null): string {
  return JSON.stringify(tracing);
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
  readonly #heads = new SpanHeads();
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
    const { startedAt, attempts } = trace;
    const head = this.#heads.ofRequest(record);
    const client = this.#heads.ofClient(record);
    const path = pathText(record.target);
    const before = beforeId(record);
    const id = inQuotes(record.requestId);
    const rest = requestRest(record, trace);
    const at = this.#begin(head, client.length + path.length + before.length + id.length + rest.length);
    this.#append(client);
    this.#appendText(path);
    this.#append(before);
    this.#appendText(id);
    this.#append(rest);
    this.#identify(at, trace.traceId, trace.spanId);
    this.#time(at, startedAt, record.durationMs);
    if (attempts.length > 0) this.#writeAttempts(record, trace);
    this.#cancelTimer ??= this.#clock.every(PASS_AFTER_MS, () => this.#tick());
  }

  #writeAttempts(record: RequestRecord, trace: TraceRecord): void {
    const { traceId, spanId, startedAt, attempts } = trace;
    const { method, tries } = record;
    for (let i = 0; i < attempts.length && i < tries.length; i++) {
      const attempt = attempts[i] as TracedAttempt;
      const outcome = tries[i] as AttemptRecord;
      const head = this.#heads.ofAttempt(method, attempt, outcome);
      const target = targetText(attempt.target);
      const rest = attemptRest(attempt, outcome, trace, i);
      const at = this.#begin(head, target.length + rest.length);
      this.#appendText(target);
      this.#append(rest);
      this.#identify(at, traceId, attempt.spanId);
      writeShort(this.#buffer, at + PARENT_ID_AT, spanId);
      this.#time(at, startedAt + attempt.startedMs, outcome.durationMs);
    }
  }

  /** Begins a span whose ids and times are still missing, and after which `more` bytes come; returns where it begins. */
  #begin(head: Uint8Array, more: number): number {
    const length = head.length + more;
    if (this.#length + length + 1 > this.#block.length) this.#makeRoom(length);
    if (this.#length > 0) this.#buffer[this.#length++] = COMMA;
    const at = this.#length;
    this.#append(head);
    this.#spans++;
    return at;
  }

  #append(bytes: Uint8Array): void {
    this.#block.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #appendText(text: string): void {
    const { length } = text;
    if (length < SHORT_TEXT) writeShort(this.#buffer, this.#length, text);
    else writeLatin1(this.#buffer, text, this.#length);
    this.#length += length;
  }

  #identify(at: number, traceId: string, spanId: string): void {
    writeShort(this.#buffer, at + TRACE_ID_AT, traceId);
    writeShort(this.#buffer, at + SPAN_ID_AT, spanId);
  }

  #time(at: number, startedAt: number, durationMs: number): void {
    writeNanoseconds(this.#buffer, at + START_AT, startedAt);
    writeNanoseconds(this.#buffer, at + END_AT, startedAt + durationMs);
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
  #makeRoom(least: number): void {
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

/** A call of Node's own functions costs as much as this many characters. */
const SHORT_TEXT = 60;

/** Writes an id or another short text in ASCII. */
function writeShort(buffer: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) buffer[at + i] = text.charCodeAt(i);
}

const ZERO = 0x30;
/** The digits of a time in ms, and of the µs after it; the three of ns are zeros already. */
const MS_DIGITS = 13;
const US_DIGITS = 3;

/** Writes a time in ms since the epoch as nanoseconds, which are more than a number holds. */
function writeNanoseconds(buffer: Uint8Array, at: number, ms: number): void {
  const whole = Math.floor(ms);
  const first = Math.floor(whole / 1e7);
  writeNumber(buffer, at, first, MS_DIGITS - 7);
  writeNumber(buffer, at + MS_DIGITS - 7, whole - first * 1e7, 7);
  writeNumber(buffer, at + MS_DIGITS, Math.floor((ms - whole) * 1000), US_DIGITS);
}

/** Writes a number below 2³¹ with this many digits. */
function writeNumber(buffer: Uint8Array, at: number, number: number, digits: number): void {
  let rest = number;
  for (let i = digits - 1; i >= 0; i--) {
    const tens = (rest / 10) | 0;
    buffer[at + i] = ZERO + rest - tens * 10;
    rest = tens;
  }
}
