import * as net from 'node:net';
import { rest, until } from '../support/loop-ticks.js';

/**
 * Clients that open a connection for each request, at a steady rate, as browsers of many people do. Whatever is not answered
 * with 200 is a failure, with its reason.
 */
export class NewConnections {
  answered = 0;
  readonly failures: string[] = [];
  readonly #where: net.NetConnectOpts;
  readonly #timer: NodeJS.Timeout;
  readonly #since = performance.now();
  #begun = 0;
  #open = 0;
  #stopped = false;

  /** `where`: a port of 127.0.0.1, or the path of a Unix socket. */
  constructor(where: number | string, perSecond = 500) {
    this.#where = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where };
    // A timer that is late makes up for it.
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#since) * perSecond) / 1000;
      while (this.#begun < due) this.#ask();
    }, 1);
  }

  /** How many have begun for each second so far. */
  get rate(): number {
    return (this.#begun * 1000) / (performance.now() - this.#since);
  }

  /** Resolves when those that have begun have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await until(
      () => this.#open === 0,
      'every connection has ended',
      () => rest(1),
    );
  }

  /** Resolves when so many more have been answered. */
  async more(count: number): Promise<void> {
    const goal = this.answered + count;
    const isOver = (): boolean => this.answered >= goal || this.#stopped || this.failures.length >= 1000;
    await until(isOver, `${count} more requests are answered`, () => rest(1));
  }

  #ask(): void {
    this.#begun++;
    this.#open++;
    const socket = net.connect(this.#where);
    let text = '';
    let fault = '';
    socket.setTimeout(60_000, () => socket.destroy(new Error('no answer within 60 s')));
    socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nHost: load\r\nConnection: close\r\n\r\n'));
    socket.setEncoding('latin1').on('data', (bytes: string) => {
      text += bytes;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fault = error.code ?? error.message;
    });
    socket.on('close', () => {
      this.#open--;
      if (/^HTTP\/1\.1 200 /.test(text)) this.answered++;
      else this.failures.push(fault === '' ? `answered with ${JSON.stringify(text.slice(0, 80))}` : fault);
    });
  }
}
