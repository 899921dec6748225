import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/client.js';

/** One request as its client saw it. Times in ms since the epoch. */
export interface Visit {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  readonly at: number;
  readonly endedAt: number;
  /** A whole answer of status 200, to this very request. */
  readonly ok: boolean;
}

const PAUSE_MS = 20;
/** Of a hundred requests. */
const POSTS = 25;
/** A person would have given up. */
const PATIENCE_MS = 10_000;

/** Clients on kept connections, each with one request after the other at a steady pace, and a number in each. */
export class Traffic {
  readonly visits: Visit[] = [];
  readonly #port: number;
  readonly #name: string;
  readonly #clients: readonly Promise<void>[];
  #next = 0;
  #stopped = false;

  constructor(port: number, name: string, clients: number) {
    this.#port = port;
    this.#name = name;
    this.#clients = Array.from({ length: clients }, () => this.#come());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #come(): Promise<void> {
    let client: RawClient | null = null;
    while (!this.#stopped) {
      client ??= await RawClient.connect(this.#port).catch(() => null);
      if (client !== null && !(await this.#ask(client))) {
        client.destroy();
        client = null;
      }
      await pause(PAUSE_MS);
    }
    client?.destroy();
  }

  /** False when the connection carries no more requests. */
  async #ask(client: RawClient): Promise<boolean> {
    const number = this.#next++;
    const id = `/${this.#name}-${number}`;
    const method = number % 100 < POSTS ? 'POST' : 'GET';
    const at = Date.now();
    const body = method === 'POST' ? 'Content-Length: 5\r\n\r\nhello' : '\r\n';
    client.send(`${method} ${id} HTTP/1.1\r\nHost: chaos\r\n${body}`);
    const timer = setTimeout(() => client.destroy(), PATIENCE_MS);
    let ok = false;
    let keeps = false;
    try {
      const answer = await client.response();
      ok = answer.status === 200 && answer.body.startsWith(`${method} ${id} `);
      keeps = !/^connection: close\r$/im.test(answer.head);
    } catch {
      // Cut: no answer, or half of one.
    }
    clearTimeout(timer);
    this.visits.push({ id, method, at, endedAt: Date.now(), ok });
    return keeps;
  }
}
