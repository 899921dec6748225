import type { ObjectPool } from '../../base/collections.js';
import type { TimerWheel } from '../../base/timer-wheel.js';
import type { HealthCheckConfig } from '../../config/types.js';
import type { BodyListener } from '../../http/flow.js';
import type { ResponseHead } from '../../http/head.js';
import type { ResponseParser } from '../../http/response-parser.js';
import type { Channel } from '../../net/channel.js';
import type { Endpoint } from '../../net/dial.js';
import { BodyMatch } from './body-match.js';
import type { CheckRequest } from './check-request.js';
import { objectionToHead } from './expectation.js';
import { Probe, type ProbeListener } from './probe.js';

/** One request; the answer's status, fields and content decide, as far as the check asks for them. */
export class HttpProbe extends Probe implements BodyListener {
  readonly #check: HealthCheckConfig;
  readonly #request: string;
  readonly #parsers: ObjectPool<ResponseParser>;
  readonly #parser: ResponseParser;
  /** Set once the head is as expected, if the body has to be searched. */
  #body: BodyMatch | null = null;
  #result = '';

  constructor(
    check: HealthCheckConfig,
    question: CheckRequest,
    endpoint: Endpoint,
    wheel: TimerWheel,
    parsers: ObjectPool<ResponseParser>,
    listener: ProbeListener,
  ) {
    super(endpoint, check.timeout, wheel, listener);
    this.#check = check;
    this.#request = question.request;
    this.#parsers = parsers;
    this.#parser = parsers.take();
    this.#parser.toHead = check.method === 'HEAD';
  }

  protected override release(): void {
    this.#parser.clear();
    this.#parsers.put(this.#parser);
  }

  protected override begin(channel: Channel): void {
    channel.writeText(this.#request);
  }

  onBytes(buffer: Buffer, length: number): void {
    let position = 0;
    while (position < length && !this.done) {
      position =
        this.#body === null
          ? this.#readHead(buffer, position, length)
          : this.#readBody(buffer, position, length);
    }
  }

  #readHead(buffer: Buffer, start: number, end: number): number {
    const parser = this.#parser;
    const position = parser.readHead(buffer, start, end);
    if (parser.refusal !== null) this.conclude(false, 'bad response');
    else if (parser.complete && parser.head.isInterim) parser.reset();
    else if (parser.complete) this.#judge(parser.head);
    return position;
  }

  #judge(head: ResponseHead): void {
    const objection = objectionToHead(this.#check, head);
    const { expectBody } = this.#check;
    this.#result = `status ${head.status}`;
    if (objection !== '') {
      this.conclude(false, objection);
    } else if (expectBody === null) {
      this.conclude(true, this.#result);
    } else {
      this.#body = new BodyMatch(expectBody);
      this.#parser.body.begin(head.framing, head.contentLength, 'content', this);
      if (this.#parser.body.complete) this.#judgeBody();
    }
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const { body } = this.#parser;
    const position = body.read(buffer, start, end);
    if (body.refusal !== null) this.conclude(false, 'bad response');
    else if (body.complete || this.#body?.isDecided === true) this.#judgeBody();
    return position;
  }

  readonly droppedTrailers = null;

  onTrailers(): void {}

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    this.#body?.add(buffer, start, end);
  }

  #judgeBody(): void {
    const found = this.#body?.conclude() === true;
    this.conclude(found, found ? this.#result : 'body is not as expected');
  }

  override onEnd(): void {
    if (this.#body !== null && !this.truncated && this.#parser.body.endWithConnection()) this.#judgeBody();
    else if (this.#body !== null) this.conclude(false, 'closed within the answer');
    else super.onEnd();
  }
}
