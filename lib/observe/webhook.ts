import { createHmac } from 'node:crypto';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import type { EventsConfig } from '../config/types.js';

/** What is told of one event. */
export interface ToldEvent {
  /** Counts up; who gets one twice knows it by this. */
  readonly id: number;
  /** ms since the epoch. */
  readonly at: number;
  readonly what: string;
  /** Empty when it concerns no server in particular. */
  readonly server: string;
  /** Where it concerns a route. */
  readonly route?: string;
  readonly reason: string;
}

export interface WebhookOptions {
  readonly config: EventsConfig;
  /** Who speaks, for a receiver with several senders: `lb/1.2.3`. */
  readonly agent: string;
  /** One line that an operator should read. */
  readonly warning: (message: string) => void;
  readonly clock?: Clock;
}

/** What comes close together goes together, ms. */
const GATHER = 200;
/** In one request. */
const BATCH = 100;
/** Events that may wait; beyond it the oldest are given up. */
const WAITING = 1000;
/** ms until what failed is sent again: doubled each time. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;
/** How long `close` lets the last request take, ms. */
const CLOSE_DEADLINE = 1000;

/**
 * Tells somebody elsewhere of events, with POST and JSON: `{"agent": …, "dropped": 0, "events": […]}`. One request at a
 * time; what fails is sent again until it is taken, so an event can come twice but never out of order. Nobody waits
 * for it: what does not fit the queue is dropped and counted.
 */
export class Webhook {
  readonly #config: EventsConfig;
  readonly #agent: string;
  readonly #warning: (message: string) => void;
  readonly #clock: Clock;
  #waiting: ToldEvent[] = [];
  #sending: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  readonly #abort = new AbortController();
  /** Since the last success. */
  #failures = 0;
  #dropped = 0;
  #closed = false;

  constructor({ config, agent, warning, clock = systemClock }: WebhookOptions) {
    this.#config = config;
    this.#agent = agent;
    this.#warning = warning;
    this.#clock = clock;
  }

  /** Events that were not told: there were too many, or the receiver refused them. */
  get dropped(): number {
    return this.#dropped;
  }

  tell(event: ToldEvent): void {
    if (this.#closed) return;
    this.#waiting.push(event);
    if (this.#waiting.length > WAITING) {
      this.#waiting.shift();
      this.#dropped++;
    }
    if (this.#sending === null) this.#wakeIn(GATHER);
  }

  /** Sends what waits, once, within a second; the rest is dropped. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    const timer = setTimeout(() => this.#abort.abort(), CLOSE_DEADLINE);
    await this.#sending;
    if (this.#failures === 0) await this.#send();
    clearTimeout(timer);
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
  }

  #wakeIn(ms: number): void {
    if (this.#cancelTimer !== null) return;
    const cancel = this.#clock.every(ms, () => {
      cancel();
      this.#cancelTimer = null;
      this.#sending = this.#send().finally(() => this.#next());
    });
    this.#cancelTimer = cancel;
  }

  #next(): void {
    this.#sending = null;
    if (this.#closed || this.#waiting.length === 0) return;
    this.#wakeIn(
      this.#failures === 0 ? GATHER : Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (this.#failures - 1)),
    );
  }

  async #send(): Promise<void> {
    const batch = this.#waiting.slice(0, BATCH);
    if (batch.length === 0) return;
    const trouble = await this.#post(batch);
    if (trouble?.again === true) {
      this.#failures++;
      // Said once, not at every attempt.
      if (this.#failures === 1) this.#warning(`events webhook: ${trouble.what}; it is tried again`);
      return;
    }
    this.#forget(batch);
    if (trouble === null) {
      if (this.#failures > 0)
        this.#warning(`events webhook: it answers again; ${this.#dropped} events were dropped`);
      this.#failures = 0;
    } else {
      this.#dropped += batch.length;
      this.#warning(`events webhook: ${trouble.what}; ${batch.length} events are dropped`);
    }
  }

  /** Some of them may have been pushed out in the meantime. */
  #forget(batch: readonly ToldEvent[]): void {
    const last = batch.at(-1)?.id ?? 0;
    this.#waiting = this.#waiting.filter(({ id }) => id > last);
  }

  /** Null when they were taken. */
  async #post(events: readonly ToldEvent[]): Promise<{ what: string; again: boolean } | null> {
    const { webhook, secret, timeout } = this.#config;
    const body = JSON.stringify({ agent: this.#agent, dropped: this.#dropped, events });
    const signature = secret === '' ? {} : { 'X-Lb-Signature': sign(body, secret) };
    try {
      const response = await fetch(webhook, {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/json', 'User-Agent': this.#agent, ...signature },
        // Where it may lead is nothing that was configured.
        redirect: 'error',
        signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeout)]),
      });
      await response.body?.cancel();
      const { status } = response;
      if (response.ok) return null;
      return { what: `status ${status}`, again: status >= 500 || status === 408 || status === 429 };
    } catch (error) {
      return { what: reasonOf(error, timeout), again: true };
    }
  }
}

/** `sha256=` and the HMAC of the body in hex, as GitHub signs its own. */
function sign(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** fetch says "fetch failed" of everything; why is in the cause. */
function reasonOf(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeout} ms`;
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  return String(cause?.code ?? cause?.message ?? error.message);
}
