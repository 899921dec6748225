import { createHmac } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { requestErrorWithin } from '../base/request-error.js';
import { systemAuthorities } from '../base/system-authorities.js';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import type { EventsConfig } from '../config/types.js';

/** An event as the webhook receives it. */
export interface ToldEvent {
  /** Counts up, so that a receiver recognises an event that is sent twice. */
  readonly id: number;
  /** ms since the epoch. */
  readonly at: number;
  readonly what: string;
  /** Empty when the event concerns no single server. */
  readonly server: string;
  /** Set when the event concerns a route. */
  readonly route?: string;
  readonly reason: string;
}

export interface WebhookOptions {
  readonly config: EventsConfig;
  /** The sender, for a receiver with several: `lb/1.2.3`. */
  readonly agent: string;
  /** Which of several balancers it is. */
  readonly instance: string;
  /** Called with one line for the operator. */
  readonly warning: (message: string) => void;
  readonly clock?: Clock;
}

/** Events within this time are sent together, in ms. */
const GATHER = 200;
/** Maximum number of events in one request. */
const BATCH = 100;
/** Events that may wait; beyond that the oldest are dropped. */
const WAITING = 1000;
/** ms until a failed request is repeated: doubled each time. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;
/** How long `close` waits for the last request, in ms. */
const CLOSE_DEADLINE = 1000;

/**
 * Sends events to a webhook, with POST and JSON: `{"agent": …, "instance": …, "dropped": 0, "events": […]}`. One request at a time; a
 * failed request is repeated until it is accepted, so an event can arrive twice but never out of order. The balancer
 * does not wait for it: events that do not fit into the queue are dropped and counted.
 */
export class Webhook {
  readonly #config: EventsConfig;
  readonly #agent: string;
  readonly #instance: string;
  readonly #warning: (message: string) => void;
  readonly #clock: Clock;
  #waiting: ToldEvent[] = [];
  #sending: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  readonly #abort = new AbortController();
  #agentOfTls: https.Agent | null = null;
  /** Since the last success. */
  #failures = 0;
  #dropped = 0;
  #closed = false;

  constructor({ config, agent, instance, warning, clock = systemClock }: WebhookOptions) {
    this.#config = config;
    this.#agent = agent;
    this.#instance = instance;
    this.#warning = warning;
    this.#clock = clock;
  }

  /** Events that were not sent because there were too many, or that the receiver refused. */
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

  /** Sends the waiting events, once, within a second; the rest is dropped. Never rejects. */
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
      // Reported once, not at every attempt.
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

  /** Some of them may have been dropped in the meantime. */
  #forget(batch: readonly ToldEvent[]): void {
    const last = batch.at(-1)?.id ?? 0;
    this.#waiting = this.#waiting.filter(({ id }) => id > last);
  }

  /** Null when they were accepted. */
  async #post(events: readonly ToldEvent[]): Promise<{ what: string; again: boolean } | null> {
    const { secret, timeout } = this.#config;
    const body = JSON.stringify({
      agent: this.#agent,
      instance: this.#instance,
      dropped: this.#dropped,
      events,
    });
    const signature = secret === '' ? {} : { 'X-Lb-Signature': sign(body, secret) };
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': this.#agent,
      ...signature,
    };
    try {
      const status = await this.#request(body, headers);
      if (status >= 200 && status < 300) return null;
      // A redirect is not followed: its target was not configured.
      const what = status >= 300 && status < 400 ? `status ${status}, a redirect` : `status ${status}`;
      return { what, again: status < 400 || status >= 500 || status === 408 || status === 429 };
    } catch (error) {
      return { what: requestErrorWithin(timeout, error as NodeJS.ErrnoException), again: true };
    }
  }

  /** Resolves with the status. */
  #request(body: string, headers: OutgoingHttpHeaders): Promise<number> {
    const { webhook, timeout } = this.#config;
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeout)]);
    const options = { method: 'POST', headers, signal };
    return new Promise((resolve, reject) => {
      const onResponse = (response: IncomingMessage): void => {
        // The connection is for this request alone: what else is sent is of no interest.
        response.destroy();
        resolve(response.statusCode ?? 0);
      };
      const request = webhook.startsWith('https:')
        ? https.request(webhook, { ...options, agent: this.#secureAgent() }, onResponse)
        : http.request(webhook, { ...options, agent: false }, onResponse);
      refuseUpgrade(request);
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Made once: with the authorities of a system it takes 10 to 40 ms. */
  #secureAgent(): https.Agent {
    this.#agentOfTls ??= new https.Agent({
      secureContext: createSecureContext({ ca: this.#config.pem ?? systemAuthorities() }),
    });
    return this.#agentOfTls;
  }
}

/** `sha256=` and the HMAC of the body in hex, in the way of GitHub. */
function sign(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
