import { Deadline, type DeadlineOwner, type TimerWheel } from '../../base/timer-wheel.js';
import type { Channel, ChannelOwner } from '../../net/channel.js';
import { type Dial, type DialListener, dial, type Endpoint } from '../../net/dial.js';
import { localProxyHeader } from '../../net/proxy-header-encoder.js';
import { isShortage } from '../../net/shortage.js';
import { detailOf } from '../../net/tls-failure.js';
import { errorText } from './error-text.js';

/** Called once with the result of a check. `result` is for people: `status 200`, `refused`, `timed out`. */
export interface ProbeListener {
  onResult(ok: boolean, result: string): void;
  /** Called instead of `onResult`: this process lacks a resource for the check. `code`: the system's error. */
  onUnable(code: string): void;
}

/**
 * One check: a connection of its own, so that accepting is checked too, and one result. The whole check has `timeout` ms.
 * Subclasses decide what is sent on the connection.
 */
export abstract class Probe implements DialListener, ChannelOwner, DeadlineOwner {
  readonly #listener: ProbeListener;
  readonly #deadline: Deadline;
  protected readonly isSecure: boolean;
  readonly #dial: Dial;
  #channel: Channel | null = null;
  #done = false;

  constructor(endpoint: Endpoint, timeout: number, wheel: TimerWheel, listener: ProbeListener) {
    this.#listener = listener;
    this.isSecure = endpoint.tls !== null;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.arm(timeout);
    const { sendProxy } = endpoint;
    this.#dial = dial(endpoint, this, sendProxy === null ? '' : localProxyHeader(sendProxy));
  }

  /** The connection is open. */
  protected abstract begin(channel: Channel): void;
  abstract onBytes(buffer: Buffer, length: number): void;

  /** The check is over: releases what it has taken from pools. */
  protected release(): void {}

  protected get done(): boolean {
    return this.#done;
  }

  /** Has the server ended without close_notify, so that its answer may be incomplete? */
  protected get truncated(): boolean {
    return this.#channel?.truncated === true;
  }

  /** Ends the check without calling the listener. */
  cancel(): void {
    if (this.#done) return;
    this.#done = true;
    this.#deadline.release();
    this.release();
    this.#dial.cancel();
    this.#channel?.destroy();
  }

  protected conclude(ok: boolean, result: string): void {
    if (this.#done) return;
    this.cancel();
    this.#listener.onResult(ok, result);
  }

  onConnect(open: (owner: ChannelOwner) => Channel): void {
    this.#channel = open(this);
    this.begin(this.#channel);
  }

  onDialFailed(error: NodeJS.ErrnoException): void {
    if (!isShortage(error)) {
      this.conclude(false, errorText(detailOf(error)));
    } else if (!this.#done) {
      this.cancel();
      this.#listener.onUnable(error.code as string);
    }
  }

  onEnd(): void {
    this.conclude(false, 'closed without an answer');
  }

  onBlocked(): void {}

  onDrain(): void {}

  onClose(error: NodeJS.ErrnoException | null): void {
    this.conclude(false, error === null ? 'closed without an answer' : errorText(detailOf(error)));
  }

  onDeadline(): void {
    this.conclude(false, 'timed out');
  }
}

/** Checks only that the server accepts a connection and, with TLS, finishes the handshake. */
export class TcpProbe extends Probe {
  protected override begin(): void {
    // The last message of a handshake goes out after this call: a server that did not get it would log an error.
    if (this.isSecure) setImmediate(connected, this);
    else this.connected();
  }

  connected(): void {
    this.conclude(true, 'connected');
  }

  onBytes(): void {}
}

function connected(probe: TcpProbe): void {
  probe.connected();
}
