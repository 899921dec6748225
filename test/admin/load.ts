import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';

/** What was counted of the same requests, by whoever counted them. */
export interface Counts {
  total: number;
  /** `2xx` to how many. */
  readonly classes: Tally;
  /** `apple 2xx` to how many of its answers. */
  readonly answers: Tally;
}

export type Tally = { [what: string]: number };

export function emptyCounts(): Counts {
  return { total: 0, classes: {}, answers: {} };
}

export function add(tally: Tally, what: string, amount = 1): void {
  if (amount !== 0) tally[what] = (tally[what] ?? 0) + amount;
}

/** The class of a status: `2xx`. */
export function classOf(status: number | string): string {
  return `${String(status)[0]}xx`;
}

/** One request after the other on so many connections, each asked for a status that it is to come with. */
export class Load {
  readonly counts = emptyCounts();
  /** What came as it should not have, a line each. */
  readonly troubles: string[] = [];
  #ended = false;
  readonly #loops: Promise<void>[];

  constructor(port: number, connections: number) {
    this.#loops = Array.from({ length: connections }, (_, index) => this.#loop(port, index));
  }

  /** Resolves when so many more requests have been answered. */
  async more(requests: number): Promise<void> {
    const enough = this.counts.total + requests;
    const isEnough = (): boolean => this.counts.total >= enough || this.troubles.length > 0;
    await until(isEnough, `${requests} more requests are answered`, () => pause(5));
  }

  /** Of a server so far. */
  answersOf(server: string): number {
    const own = Object.entries(this.counts.answers).filter(([what]) => what.startsWith(`${server} `));
    return own.reduce((sum, [, amount]) => sum + amount, 0);
  }

  /** Resolves when the last request is answered; the connections are closed. */
  async stop(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#loops);
  }

  async #loop(port: number, index: number): Promise<void> {
    const client = await RawClient.connect(port);
    try {
      for (let round = index; !this.#ended; round++)
        await this.#ask(client, ASKED[round % ASKED.length] as number);
    } catch (error) {
      this.troubles.push(String(error));
    }
    client.destroy();
  }

  async #ask(client: RawClient, status: number): Promise<void> {
    // Long enough for every server to have some of them at any time.
    client.send(`GET /?delay=8&status=${status} HTTP/1.1\r\nHost: story\r\n\r\n`);
    const response = await client.response();
    const [, server = ''] = /^x-backend: (\S+)\r$/im.exec(response.head) ?? [];
    if (response.status !== status || server === '')
      this.troubles.push(`${status} was asked for:\n${response.head}${response.body}`);
    this.counts.total++;
    add(this.counts.classes, classOf(response.status));
    add(this.counts.answers, `${server} ${classOf(response.status)}`);
  }
}

const ASKED = [200, 200, 302, 200, 404, 200, 201];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
