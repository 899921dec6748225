import type { Clock } from '../base/clock.js';
import type { Reason, RequestRecord } from '../base/observer.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/request-head.js';

/** What observers are told of a request: gathered as it goes, read once when it settles. */
export class Settlement implements RequestRecord {
  #client: ClientSide | null = null;
  #startedAt = 0;
  requestId = '';
  /** The peer's, until it is known whom a trusted peer speaks for. */
  clientAddress = '';
  startedAt = 0;
  durationMs = 0;
  firstByteMs = -1;
  server = '';
  attempts = 0;
  bytesOut = 0;
  tunnelBytesIn = 0;
  reason: Reason | '' = '';
  detail = '';

  open(client: ClientSide, clock: Clock): void {
    this.#client = client;
    this.#startedAt = clock.now();
    this.startedAt = clock.wall();
    this.requestId = '';
    this.clientAddress = client.forwarded.address;
    this.firstByteMs = -1;
    this.server = '';
    this.attempts = 0;
    this.bytesOut = 0;
    this.tunnelBytesIn = 0;
  }

  /** A final response head came, or a 101. */
  noteFirstByte(clock: Clock): void {
    this.firstByteMs = clock.now() - this.#startedAt;
  }

  close(reason: Reason | '', detail: string, clock: Clock): void {
    this.durationMs = clock.now() - this.#startedAt;
    this.reason = reason;
    this.detail = detail;
  }

  /** After the observers: holds nothing of the client any more. */
  release(): void {
    this.#client = null;
  }

  get #head(): RequestHead {
    return (this.#client as ClientSide).head;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get protocol(): string {
    return this.#head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  }

  get host(): string {
    return this.#head.authority;
  }

  get userAgent(): string {
    return this.#head.valueOf(FIELD.userAgent);
  }

  get referer(): string {
    return this.#head.valueOf(FIELD.referer);
  }

  get status(): number {
    return Number(this.responseHeadText.slice(9, 12));
  }

  get bytesIn(): number {
    return (this.#client as ClientSide).requestBytes + this.tunnelBytesIn;
  }

  get requestHeadText(): string {
    return this.#head.text;
  }

  get responseHeadText(): string {
    return (this.#client as ClientSide).sentHead;
  }
}
