import type * as net from 'node:net';
import { ByteQueue } from '../../fixtures/byte-queue.js';
import { connectTo } from './tls-switch.js';

/** So many ms something that is awaited may take: a test that waits for more than that has to say what for. */
const LONGEST_MS = 120_000;

/** A client that sends exact bytes and sees exact bytes. Strings are latin1 both ways. */
export class RawClient {
  /** What is spoken goes through it. */
  readonly socket: net.Socket;
  /** The same, or what is below TLS. */
  readonly #raw: net.Socket;
  readonly #received = new ByteQueue();
  #wake: (() => void)[] = [];
  /** The balancer sent FIN. */
  ended = false;
  /** The connection is gone; `error` tells of a reset. */
  closed = false;
  error: NodeJS.ErrnoException | null = null;

  private constructor(socket: net.Socket, raw: net.Socket) {
    this.socket = socket;
    this.#raw = raw;
    socket.on('data', (bytes) => {
      this.#received.push(bytes);
      this.#notify();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#notify();
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
      this.#notify();
    });
  }

  /** Connects to a port of 127.0.0.1, from `localAddress` if one is given; by TLS where the switch of the suite says so. */
  static async connect(port: number, localAddress = '127.0.0.1'): Promise<RawClient> {
    const { socket, raw, ready } = connectTo(port, { localAddress, allowHalfOpen: true });
    const client = new RawClient(socket, raw);
    await ready;
    return client;
  }

  /** What came and was not taken yet. */
  get received(): string {
    return this.#received.waiting.toString('latin1');
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Sends each piece as a read of its own, as far as loopback allows. */
  async sendPieces(pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      this.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Half-closes: a FIN after what was sent. */
  end(): void {
    this.socket.end();
  }

  /** Goes away with RST; over TLS, where that ends the process of the test now and then, without a word. */
  reset(): void {
    if (this.socket === this.#raw) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Takes everything up to and including `mark`; rejects if the connection ends first. */
  async until(mark: string): Promise<string> {
    const take = (): string | null => {
      const at = this.#received.waiting.indexOf(mark, 0, 'latin1');
      return at === -1 ? null : this.#take(at + mark.length);
    };
    return this.#wait(take, `"${mark}"`);
  }

  /** Takes exactly `count` bytes. */
  async bytes(count: number): Promise<string> {
    return this.#wait(() => (this.#received.length >= count ? this.#take(count) : null), `${count} bytes`);
  }

  /** Takes one response, with a Content-Length or in chunks; `toHead`: it answers a HEAD, and has no body. */
  async response(toHead = false): Promise<{ status: number; head: string; body: string; trailers: string }> {
    const head = await this.until('\r\n\r\n');
    const status = Number(head.slice(9, 12));
    if (toHead || status === 204 || status === 304) return { status, head, body: '', trailers: '' };
    if (/^transfer-encoding: *chunked/im.test(head)) return { status, head, ...(await this.#chunks()) };
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    return { status, head, body: await this.bytes(length), trailers: '' };
  }

  async #chunks(): Promise<{ body: string; trailers: string }> {
    let body = '';
    for (;;) {
      const size = Number.parseInt(await this.until('\r\n'), 16);
      if (size === 0) break;
      body += (await this.bytes(size + 2)).slice(0, size);
    }
    let trailers = '';
    for (;;) {
      const line = await this.until('\r\n');
      if (line === '\r\n') return { body, trailers };
      trailers += line;
    }
  }

  /** Everything until the balancer ends the connection. */
  async toEnd(): Promise<string> {
    await this.#until(() => this.ended || this.closed, 'end of the connection');
    return this.#take(this.#received.length);
  }

  /** Resolves when the connection is gone both ways. */
  async gone(): Promise<void> {
    await this.#until(() => this.closed, 'close of the connection');
  }

  async #wait(take: () => string | null, what: string): Promise<string> {
    let taken: string | null = null;
    const isOver = (): boolean => {
      taken = take();
      return taken !== null || this.ended || this.closed;
    };
    await this.#until(isOver, what);
    if (taken === null)
      throw new Error(`the connection ended before ${what} came; there was ${JSON.stringify(this.received)}`);
    return taken;
  }

  /** Resolves when `condition` holds, looked at after each event of the socket; rejects after `LONGEST_MS`. */
  async #until(condition: () => boolean, what: string): Promise<void> {
    let limit: NodeJS.Timeout | undefined;
    let isLate = false;
    try {
      while (!condition()) {
        if (isLate)
          throw new Error(
            `after ${LONGEST_MS / 1000} s there is no ${what}; there was ${JSON.stringify(this.received)}`,
          );
        limit ??= setTimeout(() => {
          isLate = true;
          this.#notify();
        }, LONGEST_MS).unref();
        await this.#more();
      }
    } finally {
      clearTimeout(limit);
    }
  }

  #take(count: number): string {
    return this.#received.take(count).toString('latin1');
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
