import { parseAddress } from '../base/address.js';
import type { Acceptor, Admission, Incoming } from './accept.js';
import { Channel, type ChannelOwner } from './channel.js';
import { type Connecting, type ConnectListener, connect } from './connecting.js';
import { Listener } from './listener.js';
import type { SocketMode } from './transport.js';

/** The test takes this long only if bytes are lost; else 1 to 3 ms. */
const LIMIT_MS = 2000;

/** Sent as text: one byte of each value. */
const TEXT = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)).toString('latin1');
/** Too long to be held as text until the tick ends: sent at once. */
const BODY_BYTES = 24 * 1024;
const ANSWER = 'all of it';

/**
 * Sends bytes over a loopback connection, and an answer back, in all the ways in which channels write and read. Resolves
 * with the fault, as a clause; null when there is none. Everything is closed by then.
 */
export function tryLoopback(means: SocketMode): Promise<string | null> {
  return new LoopbackSelfTest(means).run();
}

class LoopbackSelfTest implements Acceptor, ConnectListener {
  readonly #means: SocketMode;
  readonly #listener: Listener;
  readonly #body = Buffer.alloc(BODY_BYTES, TEXT.slice(0, 251), 'latin1');
  readonly #channels: Channel[] = [];
  #connecting: Connecting | null = null;
  /** Channels that are not closed yet. */
  #open = 0;
  /** Ends of the other side that were read. */
  #ends = 0;
  #fault: string | null = null;
  #settle: () => void = () => {};

  constructor(means: SocketMode) {
    this.#means = means;
    const loopback = parseAddress('127.0.0.1:0', { defaultHost: '127.0.0.1' });
    this.#listener = new Listener(
      { address: loopback },
      { acceptor: this, sockets: { mode: means }, onTrouble: (error) => this.#fail(error.message) },
    );
  }

  async run(): Promise<string | null> {
    const over = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    const timer = setTimeout(() => this.#fail(`bytes did not arrive within ${LIMIT_MS} ms`), LIMIT_MS);
    try {
      await this.#listener.open();
      const { address } = this.#listener;
      const port = address.kind === 'tcp' ? address.port : 0;
      this.#connecting = connect({ host: '127.0.0.1', port }, this, this.#means);
    } catch (error) {
      this.#fail((error as Error).message);
    }
    await over;
    clearTimeout(timer);
    this.#listener.close();
    return this.#fault ?? (this.#ends === 2 ? null : 'a connection was closed before its end');
  }

  admit(): Admission {
    return { leave() {} };
  }

  onAccept(incoming: Incoming): void {
    let received = 0;
    const channel: Channel = this.#take((owner) => incoming.take(owner), {
      onBytes: (buffer, length) => {
        if (!this.#isNext(received, buffer, length)) this.#fail('other bytes arrived than were sent');
        received += length;
      },
      onEnd: () => {
        this.#ends++;
        if (received !== TEXT.length + BODY_BYTES) this.#fail('fewer bytes arrived than were sent');
        channel.writeText(ANSWER);
        channel.end();
      },
    });
  }

  /** Are these the bytes that follow the first `position` bytes? */
  #isNext(position: number, buffer: Buffer, length: number): boolean {
    const ofText = Math.min(length, Math.max(0, TEXT.length - position));
    if (buffer.toString('latin1', 0, ofText) !== TEXT.slice(position, position + ofText)) return false;
    const from = Math.max(0, position - TEXT.length);
    const to = from + length - ofText;
    return to <= BODY_BYTES && this.#body.compare(buffer, ofText, length, from, to) === 0;
  }

  onConnected(attempt: Connecting): void {
    this.#connecting = null;
    let answer = '';
    const channel = this.#take((owner) => new Channel(attempt.transport(), owner), {
      onBytes: (buffer, length) => {
        answer += buffer.toString('latin1', 0, length);
      },
      onEnd: () => {
        this.#ends++;
        if (answer !== ANSWER) this.#fail('another answer arrived than was sent');
      },
    });
    channel.writeText(TEXT);
    channel.write(this.#body, 0, BODY_BYTES);
    channel.end();
  }

  #take(open: (owner: ChannelOwner) => Channel, on: Pick<ChannelOwner, 'onBytes' | 'onEnd'>): Channel {
    this.#open++;
    const channel = open({
      ...on,
      onBlocked() {},
      onDrain() {},
      onClose: (error) => {
        if (error !== null) this.#fail(error.message);
        if (--this.#open === 0) this.#settle();
      },
    });
    this.#channels.push(channel);
    return channel;
  }

  onRefused(_attempt: Connecting, error: NodeJS.ErrnoException): void {
    this.#connecting = null;
    this.#fail(error.message);
  }

  /** Keeps the first fault, and closes everything. */
  #fail(fault: string): void {
    this.#fault ??= fault;
    this.#connecting?.cancel();
    this.#connecting = null;
    for (const channel of this.#channels) channel.destroy();
    if (this.#open === 0) this.#settle();
  }
}
