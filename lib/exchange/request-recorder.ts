import type { AttemptRecord, Reason, RequestRecord } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { FIELD } from '../http/fields.js';
import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/request-head.js';
import { AttemptLog } from './attempt-log.js';
import { traceIdOf } from './trace-id.js';

const ZERO = 0x30;

/** What observers are told of a request: gathered as it goes, read once when it settles. */
export class RequestRecorder implements RequestRecord {
  readonly #clock: Clock;
  readonly #log = new AttemptLog();
  #client: ClientSide | null = null;
  #startedAt = 0;
  requestId = '';
  /** The peer's, until it is known whom a trusted peer speaks for. */
  clientAddress = '';
  startedAt = 0;
  durationMs = 0;
  firstByteMs = -1;
  route = '';
  server = '';
  attempts = 0;
  bytesOut = 0;
  tunnelBytesIn = 0;
  reason: Reason | '' = '';
  detail = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(client: ClientSide): void {
    this.#client = client;
    this.#startedAt = this.#clock.now();
    this.startedAt = this.#clock.wall();
    this.#log.reset();
    this.requestId = '';
    this.clientAddress = client.forwarded.address;
    this.firstByteMs = -1;
    this.route = '';
    this.server = '';
    this.attempts = 0;
    this.bytesOut = 0;
    this.tunnelBytesIn = 0;
  }

  /** `server` is asked. */
  beginAttempt(server: string): void {
    // The first begins with the request, as far as a log can tell: asking the time is not free.
    const now = this.attempts === 0 ? this.#startedAt : this.#clock.now();
    this.attempts++;
    this.server = server;
    this.#log.begin(server, now);
  }

  /** The same server is asked again, on a fresh connection. */
  replaceStale(): void {
    this.#log.begin(this.server, this.#clock.now());
  }

  /** It has no connection yet: it waits in line for one, or for one that is being opened. */
  beginWait(inLine: boolean): void {
    this.#log.waits(inLine, this.#clock.now());
  }

  /** It has one, or will not get one; nothing when it did not wait. */
  endWait(): void {
    if (this.#log.isWaiting) this.#log.waited(this.#clock.now());
  }

  /** Was the connection of the current attempt open before? */
  get reused(): boolean {
    return this.#log.reused;
  }

  noteConnection(reused: boolean): void {
    this.#log.noteConnection(reused);
  }

  /** The server of the current attempt has been sent the last byte of the request, at `now`. */
  noteAsked(now: number): void {
    this.#log.asked(now);
  }

  /** A final response head, or a 101, that goes to the client, came at `now`. Gives ms since the server was asked. */
  noteFirstByte(status: number, now: number): number {
    this.firstByteMs = now - this.#startedAt;
    this.#log.noteStatus(status);
    return this.#log.sinceAsked(now);
  }

  /** A final response head that the client does not get to see. Gives ms since the server was asked. */
  noteDeclined(status: number): number {
    this.#log.noteStatus(status);
    return this.#log.sinceAsked(this.#clock.now());
  }

  /** What the server said in the current attempt; 0 if it said nothing. */
  get attemptStatus(): number {
    return this.#log.status;
  }

  /** The current attempt is over. Gives the ms it took. */
  stopAttempt(): number {
    return this.#log.stop(this.#clock.now());
  }

  /** How it ended, if another attempt may follow. */
  attemptFailed(reason: AttemptRecord['reason']): void {
    this.#log.fail(reason);
  }

  close(reason: Reason | '', detail: string): void {
    const { stoppedAt } = this.#log;
    const now = stoppedAt === -1 ? this.#clock.now() : stoppedAt;
    this.durationMs = now - this.#startedAt;
    // One that a retry was denied to did answer: else it would be over.
    this.#log.end(reason === 'retry_budget' ? '' : reason);
    this.reason = reason;
    this.detail = detail;
  }

  /** After the observers: holds nothing of the client any more. */
  release(): void {
    this.#client = null;
  }

  get tries(): readonly AttemptRecord[] {
    return this.#log.tries;
  }

  get queueMs(): number {
    return this.#log.queueMs;
  }

  get connectMs(): number {
    return this.#log.connectMs;
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

  get traceId(): string {
    return traceIdOf(this.#head);
  }

  get status(): number {
    const head = this.responseHeadText;
    // `HTTP/1.1 200`: every observer asks, and a string of three digits is ten times as dear.
    if (head === '') return 0;
    return head.charCodeAt(9) * 100 + head.charCodeAt(10) * 10 + head.charCodeAt(11) - ZERO * 111;
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
