import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/client.js';

const REQUEST = 'GET /small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
const PAUSE_MS = 10;
/** Who waits longer is counted with this much: a person would have gone. */
const PATIENCE_MS = 10_000;

/** Other clients of the balancer, on kept connections, each with one small request after the other at a steady pace. */
export class Clients {
  /** ms that each request took. */
  readonly waits: number[] = [];
  /** Requests that were not answered as they should have been. */
  failed = 0;
  readonly #port: number;
  readonly #clients: readonly Promise<void>[];
  #stopped = false;

  constructor(port: number, count: number) {
    this.#port = port;
    this.#clients = Array.from({ length: count }, () => this.#come());
  }

  /** Forgets what was so far. */
  begin(): void {
    this.waits.length = 0;
    this.failed = 0;
  }

  /** Resolves when the last one has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #come(): Promise<void> {
    let client: RawClient | null = null;
    while (!this.#stopped) {
      client ??= await RawClient.connect(this.#port).catch(() => null);
      if (client === null) {
        this.failed++;
      } else if (!(await this.#ask(client))) {
        client.destroy();
        client = null;
      }
      await pause(PAUSE_MS);
    }
    client?.destroy();
  }

  async #ask(client: RawClient): Promise<boolean> {
    const began = performance.now();
    const timer = setTimeout(() => client.destroy(), PATIENCE_MS);
    let ok = false;
    try {
      client.send(REQUEST);
      ok = (await client.response()).status === 200;
    } catch {
      // Cut, or given up.
    }
    clearTimeout(timer);
    if (!ok) this.failed++;
    this.waits.push(performance.now() - began);
    return ok;
  }
}
