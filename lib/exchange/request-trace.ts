import { randomFillSync } from 'node:crypto';
import type { TracedAttempt, TraceLink, TraceRecord } from '../base/observer.js';
import { FIELD } from '../http/fields.js';
import type { RequestHead } from '../http/head.js';
import { readTraceParent, readTraceState, SAMPLED, type TraceParent } from '../http/trace-context.js';
import type { Server } from '../servers/server.js';

/** Whose `traceparent` is continued: that of peers in `trusted_proxies`, of all peers, or of none. */
export type ContinuedFrom = 'trusted' | 'anyone' | 'nobody';

/** Which of the traces that begin here are recorded. */
export interface TracerTerms {
  /** The share of them, from 0 to 1. */
  readonly sample: number;
  readonly continueFrom: ContinuedFrom;
}

/**
 * The trace of a request: the span of the request itself, and one for each attempt, which is the parent of what the server
 * does. Most are not recorded, and cost a few strings. The object serves one request after the other.
 */
export class RequestTrace implements TraceRecord {
  traceId = '';
  spanId = '';
  parentSpanId = '';
  flags = 0;
  traceState = '';
  startedAt = 0;
  link: TraceLink | null = null;
  /** Empty unless the trace is recorded. */
  readonly attempts: Writable<TracedAttempt>[] = [];
  #attempts = 0;
  #attemptId = '';

  get isSampled(): boolean {
    return (this.flags & SAMPLED) !== 0;
  }

  /** Begins a trace. `parent`: what the request came with, and was not continued. */
  beginRoot(isSampled: (id: number) => boolean, parent: TraceParent | null): void {
    this.#open();
    this.traceId = ids.take(TRACE_DIGITS);
    this.flags = isSampled(ids.tail) ? SAMPLED : 0;
    this.spanId = ids.take(SPAN_DIGITS);
    if (parent !== null) this.link = { traceId: parent.traceId, spanId: parent.spanId };
  }

  /** Goes on with the trace of the caller, which has decided whether it is recorded. */
  continueFrom(parent: TraceParent, traceState: string): void {
    this.#open();
    this.traceId = parent.traceId;
    this.parentSpanId = parent.spanId;
    this.flags = parent.flags;
    this.traceState = traceState;
    this.spanId = ids.take(SPAN_DIGITS);
  }

  #open(): void {
    this.parentSpanId = '';
    this.traceState = '';
    this.link = null;
    this.#attempts = 0;
    if (this.attempts.length > 0) this.attempts.length = 0;
  }

  /** An attempt at `server` begins, `startedMs` after the request. */
  beginAttempt(server: Server, startedMs: number): void {
    this.#attempts++;
    if (!this.isSampled) {
      // The first attempt has the id of the request's span: so the servers log an id that is in the balancer's log too.
      this.#attemptId = this.#attempts === 1 ? this.spanId : ids.take(SPAN_DIGITS);
      return;
    }
    this.#attemptId = ids.take(SPAN_DIGITS);
    const { address, pool } = server;
    const isTcp = address.kind === 'tcp';
    this.attempts.push({
      spanId: this.#attemptId,
      startedMs,
      scheme: pool.tls === null ? 'http' : 'https',
      address: isTcp ? (address.name ?? address.host) : address.path,
      port: isTcp ? address.port : 0,
      target: '',
    });
  }

  /** Takes ids that stand for those made at random, for a request that is not sent. `samplesAll`: of the tracer. */
  showAsExample(samplesAll: boolean): void {
    if (this.parentSpanId === '') {
      this.traceId = '0'.repeat(TRACE_DIGITS);
      this.flags = samplesAll ? SAMPLED : 0;
    }
    this.spanId = '0'.repeat(SPAN_DIGITS);
    this.#attemptId = this.spanId;
  }

  /** The request is sent to the server of the current attempt, with this target. */
  noteTarget(target: string): void {
    const attempt = this.attempts.at(-1);
    if (attempt !== undefined) attempt.target = target;
  }

  /** The lines by which the server of the current attempt goes on with the trace. */
  get lines(): string {
    const line = `traceparent: 00-${this.traceId}-${this.#attemptId}-0${this.flags}\r\n`;
    return this.traceState === '' ? line : `${line}tracestate: ${this.traceState}\r\n`;
  }
}

/** The bit of traceparent in `present`. */
const TRACEPARENT = 1 << FIELD.traceparent;

/** Begins or continues the trace of each request. Made once for a configuration. */
export class Tracer {
  /** Every trace that begins here is recorded. */
  readonly samplesAll: boolean;
  readonly #continueFrom: ContinuedFrom;
  readonly #isSampled: (id: number) => boolean;

  constructor({ sample, continueFrom }: TracerTerms) {
    this.#continueFrom = continueFrom;
    // Ids at or above it are recorded: other programs that decide by the same bits record the same traces.
    const threshold = Math.round((1 - sample) * 2 ** 32);
    this.#isSampled = (id) => id >= threshold;
    this.samplesAll = threshold === 0;
  }

  /** `isTrusted`: X-Forwarded-* of the peer are believed. */
  begin(trace: RequestTrace, head: RequestHead, isTrusted: boolean): void {
    const parent = (head.present & TRACEPARENT) === 0 ? null : readTraceParent(head);
    if (parent !== null && this.#continues(isTrusted)) trace.continueFrom(parent, readTraceState(head));
    else trace.beginRoot(this.#isSampled, parent);
  }

  #continues(isTrusted: boolean): boolean {
    return this.#continueFrom === 'anyone' || (this.#continueFrom === 'trusted' && isTrusted);
  }
}

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;
/** Random bytes that are made together: one request alone would pay 1 µs for its 24. */
const BLOCK = 4096;

/** Ids as slices of a long text of random digits. */
class RandomIds {
  readonly #bytes = Buffer.alloc(BLOCK);
  #digits = '';
  #at = 0;

  take(digits: number): string {
    if (this.#at + digits > this.#digits.length) this.#fill();
    const start = this.#at;
    this.#at += digits;
    return this.#digits.slice(start, this.#at);
  }

  /** The first 32 of the last 56 bits of the id that was taken last, which decide whether a trace is recorded. */
  get tail(): number {
    return this.#bytes.readUInt32BE(this.#at / 2 - 7);
  }

  #fill(): void {
    randomFillSync(this.#bytes);
    this.#digits = this.#bytes.toString('hex');
    this.#at = 0;
  }
}

const ids = new RandomIds();

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
