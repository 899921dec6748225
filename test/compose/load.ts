import { Agent, get } from 'node:http';

/** Clients that send GET after GET, each on one kept-alive connection, and remember how every request ended. */
export class Load {
  /** Requests that were answered with 200, by the server that answered. */
  readonly served = new Map<string, number>();
  /** How the others ended: `status 502`, `ECONNRESET`, … */
  readonly failures: string[] = [];
  readonly #url: string;
  readonly #clients: Promise<void>[] = [];
  #stopped = false;

  constructor(url: string, clients: number) {
    this.#url = url;
    for (let i = 0; i < clients; i++) this.#clients.push(this.#send());
  }

  get answered(): number {
    let sum = 0;
    for (const count of this.served.values()) sum += count;
    return sum;
  }

  servedBy(server: string): number {
    return this.served.get(server) ?? 0;
  }

  /** Lets the requests in flight finish. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #send(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#stopped) await this.#once(agent);
    agent.destroy();
  }

  #once(agent: Agent): Promise<void> {
    return new Promise((resolve) => {
      // A cut in the middle of a response is told by the request and by the response: it is one failure.
      let failed = false;
      const fail = (how: string): void => {
        if (!failed) this.failures.push(how);
        failed = true;
        resolve();
      };
      const outgoing = get(this.#url, { agent, timeout: 10_000 }, (response) => {
        response.resume();
        response.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
        response.on('end', () => {
          if (response.statusCode !== 200) return fail(`status ${response.statusCode}`);
          const server = String(response.headers['x-backend']);
          this.served.set(server, this.servedBy(server) + 1);
          resolve();
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
      outgoing.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    });
  }
}
