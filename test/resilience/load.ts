import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';

/** What became of one request, as its client sees it. */
export interface Answer {
  readonly id: string;
  readonly method: string;
  /** 0: the connection ended before an answer. */
  readonly status: number;
  readonly problem: string;
}

export interface LoadOptions {
  readonly clients: number;
  /** Of a hundred requests. */
  readonly posts?: number;
  /** ms between two requests of a client; 0 for none. */
  readonly rest?: number;
}

let runs = 0;

/**
 * Clients on kept connections, each asking one request after the other until told to stop. Each request has a number of
 * its own, which the answer must repeat. A connection that ends is opened anew, as clients do.
 */
export class Load {
  /** Answered as it should be. */
  answered = 0;
  /** Connects that were refused, and tried again. */
  refused = 0;
  /** The latest are kept, of those that were not answered or not well. */
  readonly bad: Answer[] = [];
  readonly #port: number;
  readonly #options: LoadOptions;
  readonly #run = ++runs;
  readonly #clients: Promise<void>[] = [];
  #next = 0;
  #stopped = false;

  constructor(port: number, options: LoadOptions) {
    this.#port = port;
    this.#options = options;
    for (let i = 0; i < options.clients; i++) this.#clients.push(this.#come());
  }

  /** Lets what is in flight be answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  /** Resolves when so many more have been answered. */
  async more(count: number): Promise<void> {
    const goal = this.answered + count;
    const isOver = (): boolean => this.answered >= goal || this.#stopped;
    await until(isOver, `${count} more requests are answered`, () => pause(1));
  }

  async #come(): Promise<void> {
    while (!this.#stopped) {
      const client = await this.#connect();
      if (client === null) continue;
      try {
        while (!this.#stopped && (await this.#ask(client))) await this.#rest();
      } finally {
        client.destroy();
      }
    }
  }

  async #connect(): Promise<RawClient | null> {
    try {
      return await RawClient.connect(this.#port);
    } catch (error) {
      // Reset: the listener was closed before it took this one out of its backlog.
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!['ECONNREFUSED', 'ECONNRESET'].includes(code)) throw error;
      this.refused++;
      await pause(5);
      return null;
    }
  }

  async #rest(): Promise<void> {
    if (this.#options.rest) await pause(this.#options.rest);
  }

  /** False when the connection carries no more requests. */
  async #ask(client: RawClient): Promise<boolean> {
    const number = this.#next++;
    const id = `load-${this.#run}-${number}`;
    const method = number % 100 < (this.#options.posts ?? 0) ? 'POST' : 'GET';
    const body = method === 'POST' ? 'Content-Length: 5\r\n\r\nhello' : '\r\n';
    client.send(`${method} /${id} HTTP/1.1\r\nHost: load\r\n${body}`);
    try {
      const answer = await client.response();
      const isOwn = answer.body.includes(`${method} /${id} `);
      if (answer.status === 200 && isOwn) this.answered++;
      else this.#note(id, method, answer.status, isOwn ? '' : `the answer was ${answer.body.slice(0, 80)}`);
      return !/^connection: close\r$/im.test(answer.head);
    } catch (error) {
      this.#note(id, method, 0, (error as Error).message);
      return false;
    }
  }

  #note(id: string, method: string, status: number, problem: string): void {
    if (this.bad.length < 1000) this.bad.push({ id, method, status, problem });
  }
}
