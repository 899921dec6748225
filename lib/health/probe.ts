import type { Shelf } from '../base/shelf.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HealthCheckConfig } from '../config/types.js';
import type { ResponseParser } from '../http/response-parser.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import { type Dial, type Dialler, dial, type Endpoint } from '../net/dial.js';

/** Told how a check went, once. `result` is for people: `status 200`, `refused`, `timed out`. */
export interface ProbeListener {
  onResult(ok: boolean, result: string): void;
}

/** The system's words for a failed connect, as people say them. */
const SPOKEN: { readonly [code: string]: string } = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'name not found',
  EAI_AGAIN: 'name server does not answer',
  ENOENT: 'no such socket',
  EPIPE: 'reset',
};

/** A failed connect in words. */
export function spokenError(code: string): string {
  return SPOKEN[code] ?? code.toLowerCase();
}

/**
 * One HTTP check: a connection of its own, so that accepting is checked too; one GET; the status is the verdict. All of
 * it has `timeout` ms.
 */
export class Probe implements Dialler, ChannelOwner, DeadlineOwner {
  readonly #check: HealthCheckConfig;
  readonly #listener: ProbeListener;
  readonly #parsers: Shelf<ResponseParser>;
  readonly #parser: ResponseParser;
  readonly #deadline: Deadline;
  readonly #request: string;
  readonly #dial: Dial;
  #channel: Channel | null = null;
  #done = false;

  constructor(
    endpoint: Endpoint,
    check: HealthCheckConfig,
    wheel: TimerWheel,
    parsers: Shelf<ResponseParser>,
    listener: ProbeListener,
  ) {
    this.#check = check;
    this.#listener = listener;
    this.#parsers = parsers;
    this.#parser = parsers.take();
    this.#parser.reset();
    this.#parser.toHead = false;
    const { address } = endpoint;
    const host = address.kind === 'tcp' ? address.text : 'localhost';
    this.#request = `GET ${check.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: lb-health\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.arm(check.timeout);
    this.#dial = dial(endpoint, this);
  }

  /** Breaks it off; the listener hears nothing. */
  cancel(): void {
    this.#end();
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#deadline.release();
    this.#parser.head.clear();
    this.#parsers.put(this.#parser);
    this.#dial.cancel();
    this.#channel?.destroy();
  }

  #conclude(ok: boolean, result: string): void {
    if (this.#done) return;
    this.#end();
    this.#listener.onResult(ok, result);
  }

  onConnect(open: (owner: ChannelOwner) => Channel): void {
    this.#channel = open(this);
    this.#channel.writeText(this.#request);
  }

  onDialFailed({ code = 'closed' }: NodeJS.ErrnoException): void {
    this.#conclude(false, spokenError(code));
  }

  onBytes(buffer: Buffer, length: number): void {
    let position = 0;
    while (position < length && !this.#done) {
      position = this.#parser.readHead(buffer, position, length);
      if (this.#parser.refusal !== null) this.#conclude(false, 'bad response');
      else if (!this.#parser.complete) return;
      else if (this.#parser.head.isInterim) this.#parser.reset();
      else this.#judge(this.#parser.head.status);
    }
  }

  #judge(status: number): void {
    const ok = this.#check.expectStatus.some((range) => status >= range.from && status <= range.to);
    this.#conclude(ok, `status ${status}`);
  }

  onEnd(): void {
    this.#conclude(false, 'closed without an answer');
  }

  onBlocked(): void {}

  onDrain(): void {}

  onClose(error: NodeJS.ErrnoException | null): void {
    this.#conclude(false, error?.code === undefined ? 'closed without an answer' : spokenError(error.code));
  }

  onDeadline(): void {
    this.#conclude(false, 'timed out');
  }
}
