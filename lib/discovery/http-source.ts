import type { ClientRequest, IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { requestErrorReason } from '../base/request-error.js';
import { systemAuthorities } from '../base/system-authorities.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { formatDuration, formatSize, ValueError } from '../base/units.js';
import { VERSION } from '../base/version.js';
import type { HttpSourceConfig } from '../config/types.js';
import type { DiscoveredServer, Source, SourceListener } from './contract.js';
import { parseTargetGroups } from './target-groups.js';

const MOST_BYTES = 8 * 1024 * 1024;

/**
 * An inventory that answers in the format of http_sd: 200 with `Content-Type: application/json`. What has not changed is not
 * sent again (`ETag`, `Last-Modified`). Redirects are refused: where they lead is not in the settings.
 */
export class HttpSource implements Source, DeadlineOwner {
  readonly #config: HttpSourceConfig;
  readonly #deadline: Deadline;
  #listener: SourceListener | null = null;
  #request: ClientRequest | null = null;
  #agent: https.Agent | null = null;
  /** The last good answer, and the fields that ask whether it has changed. */
  #servers: readonly DiscoveredServer[] = [];
  #condition: http.OutgoingHttpHeaders = {};

  constructor(config: HttpSourceConfig, { wheel }: { readonly wheel: TimerWheel }) {
    this.#config = config;
    this.#deadline = new Deadline(wheel, this);
  }

  ask(listener: SourceListener): void {
    this.#listener = listener;
    this.#cancel();
    const { url, timeout } = this.#config;
    this.#deadline.arm(timeout);
    const request = url.startsWith('https:')
      ? https.get(url, { ...this.#options(), agent: this.#secureAgent() })
      : http.get(url, { ...this.#options(), agent: false });
    this.#request = request;
    request.on('error', (error: NodeJS.ErrnoException) => this.#fail(request, requestErrorReason(error)));
    refuseUpgrade(request);
    request.on('response', (response) => this.#onResponse(request, response));
  }

  stop(): void {
    this.#listener = null;
    this.#cancel();
    this.#deadline.release();
  }

  onDeadline(): void {
    const request = this.#request;
    if (request !== null)
      this.#fail(request, `no whole answer within ${formatDuration(this.#config.timeout)}`);
  }

  #options(): http.RequestOptions {
    const headers: http.OutgoingHttpHeaders = {
      Accept: 'application/json',
      'User-Agent': `lb/${VERSION}`,
      ...this.#condition,
    };
    for (const { name, value } of this.#config.headers) headers[name] = value;
    return { headers };
  }

  /** Made once: with the authorities of a system it takes 10 to 40 ms. */
  #secureAgent(): https.Agent {
    this.#agent ??= new https.Agent({
      secureContext: createSecureContext({ ca: this.#config.ca ?? systemAuthorities() }),
    });
    return this.#agent;
  }

  #onResponse(request: ClientRequest, response: IncomingMessage): void {
    const objection = this.#objectionTo(response);
    if (objection !== '') {
      response.destroy();
      this.#fail(request, objection);
      return;
    }
    const isNew = response.statusCode === 200;
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('error', (error) => this.#fail(request, requestErrorReason(error)));
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > MOST_BYTES) this.#fail(request, `the answer is larger than ${formatSize(MOST_BYTES)}`);
    });
    response.on('end', () => {
      if (this.#request !== request) return;
      if (!response.complete) this.#fail(request, 'the answer is not complete');
      else if (isNew) this.#read(request, response, Buffer.concat(chunks).toString());
      else this.#tell();
    });
  }

  /** Why a response can't be used; empty when it can. */
  #objectionTo({ statusCode = 0, headers }: IncomingMessage): string {
    if (statusCode === 304 && Object.keys(this.#condition).length > 0) return '';
    if (statusCode >= 300 && statusCode < 400)
      return `status ${statusCode}, a redirect, which is not followed`;
    if (statusCode !== 200) return `status ${statusCode}`;
    const type = headers['content-type'] ?? '';
    if (/^application\/json\s*(;|$)/i.test(type)) return '';
    return `expected Content-Type: application/json, got ${type === '' ? 'none' : type.slice(0, 60)}`;
  }

  #read(request: ClientRequest, { headers }: IncomingMessage, text: string): void {
    try {
      this.#servers = parseTargetGroups(text, 'json', '');
    } catch (error) {
      // Whatever an inventory sends, it must not end the balancer: nothing catches what is thrown here.
      this.#fail(request, error instanceof ValueError ? error.message : requestErrorReason(error as Error));
      return;
    }
    const { etag, 'last-modified': modified } = headers;
    this.#condition = {
      ...(etag === undefined ? {} : { 'If-None-Match': etag }),
      ...(modified === undefined ? {} : { 'If-Modified-Since': modified }),
    };
    this.#tell();
  }

  #tell(): void {
    this.#cancel();
    this.#listener?.onServers(this.#servers, this.#config.every);
  }

  #fail(request: ClientRequest, reason: string): void {
    if (this.#request !== request) return;
    this.#cancel();
    this.#listener?.onFailed(reason);
  }

  #cancel(): void {
    const request = this.#request;
    this.#request = null;
    this.#deadline.disarm();
    request?.destroy();
  }
}
