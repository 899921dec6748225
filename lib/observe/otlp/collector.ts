import type { IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { refuseUpgrade } from '../../base/refuse-upgrade.js';
import { requestErrorWithin } from '../../base/request-error.js';
import { systemAuthorities } from '../../base/system-authorities.js';
import type { CollectorConfig } from '../../config/types.js';

/**
 * What became of a request. taken: all of it, but for `rejected` items. later: it may be sent again, after `waitMs` at the
 * earliest if the collector said so. never: it would be refused again.
 */
export type Delivery =
  | { readonly kind: 'taken'; readonly rejected: number; readonly detail: string }
  | { readonly kind: 'later'; readonly detail: string; readonly waitMs: number | null }
  | { readonly kind: 'never'; readonly detail: string };

/** Answers that say that the same request may be sent again (OTLP, "Failures"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** The most of an answer that is read. */
const ANSWER_BYTES = 64 * 1024;
/** The longest wait that a collector may ask for, in ms. */
const LONGEST_WAIT = 5 * 60_000;

const compress = promisify(gzip);

/** Sends one signal to an OpenTelemetry collector, by OTLP over HTTP in JSON. */
export class Collector {
  readonly #config: CollectorConfig;
  readonly #agent: http.Agent | https.Agent;
  readonly #userAgent: string;

  /** `userAgent`: `lb/1.2.3`. */
  constructor(config: CollectorConfig, userAgent: string) {
    this.#config = config;
    this.#userAgent = userAgent;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = config.url.startsWith('https:')
      ? new https.Agent({
          ...options,
          secureContext: createSecureContext({ ca: config.pem ?? systemAuthorities() }),
        })
      : new http.Agent(options);
  }

  /** Sends a message that consists of `parts`. Never rejects. */
  async send(parts: readonly Uint8Array[], signal: AbortSignal): Promise<Delivery> {
    const { timeout } = this.#config;
    try {
      const isCompressed = this.#config.compression === 'gzip';
      const body = isCompressed ? [await compress(Buffer.concat(parts))] : parts;
      const within = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
      return deliveryOf(await this.#postAgain(body, within));
    } catch (error) {
      const cause = error instanceof SendError ? error.cause : (error as NodeJS.ErrnoException);
      return { kind: 'later', detail: requestErrorWithin(timeout, cause), waitMs: null };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Posts, once more if the connection proves to be closed. */
  async #postAgain(parts: readonly Uint8Array[], signal: AbortSignal): Promise<Answer> {
    try {
      return await this.#post(parts, signal);
    } catch (error) {
      if (error instanceof SendError && error.isStale) return this.#post(parts, signal);
      throw error;
    }
  }

  #post(parts: readonly Uint8Array[], signal: AbortSignal): Promise<Answer> {
    const { url, headers, compression } = this.#config;
    const fields: http.OutgoingHttpHeaders = {
      'User-Agent': this.#userAgent,
      ...Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      'Content-Type': 'application/json',
      'Content-Length': parts.reduce((sum, { length }) => sum + length, 0),
      ...(compression === 'gzip' && { 'Content-Encoding': 'gzip' }),
    };
    const { request } = url.startsWith('https:') ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST', headers: fields, agent: this.#agent, signal });
      refuseUpgrade(sent);
      sent.on('response', (response) => void readAnswer(response).then(resolve, reject));
      sent.on('error', (error) => reject(new SendError(error, sent.reusedSocket)));
      sent.cork();
      for (const part of parts) sent.write(part);
      sent.uncork();
      sent.end();
    });
  }
}

/** A request that was not answered. */
class SendError extends Error {
  override readonly cause: NodeJS.ErrnoException;
  /** The connection had been idle: the collector may have closed it at that moment. */
  readonly isStale: boolean;

  constructor(cause: NodeJS.ErrnoException, isReused: boolean) {
    super(cause.message);
    this.cause = cause;
    this.isStale = isReused && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
  }
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string;
  readonly body: string;
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > ANSWER_BYTES) {
      response.destroy();
      break;
    }
    pieces.push(piece);
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'] ?? '',
    body: Buffer.concat(pieces).toString('utf8'),
  };
}

function deliveryOf({ status, retryAfter, body }: Answer): Delivery {
  if (status >= 200 && status < 300) return { kind: 'taken', ...partialSuccess(body) };
  if (RETRYABLE.has(status)) return { kind: 'later', detail: `status ${status}`, waitMs: waitOf(retryAfter) };
  // A redirect is not followed: its target was not configured.
  return {
    kind: 'never',
    detail: status < 400 && status >= 300 ? `status ${status}, a redirect` : `status ${status}`,
  };
}

/** What a collector that took a request says of the items that it did not take. */
function partialSuccess(body: string): { rejected: number; detail: string } {
  try {
    const { partialSuccess: partial } = JSON.parse(body) as {
      partialSuccess?: { rejectedSpans?: unknown; rejectedDataPoints?: unknown; errorMessage?: unknown };
    };
    const rejected = Number(partial?.rejectedSpans ?? partial?.rejectedDataPoints ?? 0);
    const message = partial?.errorMessage;
    return {
      rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
      detail: typeof message === 'string' ? message.slice(0, 200) : '',
    };
  } catch {
    // Some collectors answer with nothing.
    return { rejected: 0, detail: '' };
  }
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function waitOf(retryAfter: string): number | null {
  if (retryAfter === '') return null;
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_WAIT) : null;
}
