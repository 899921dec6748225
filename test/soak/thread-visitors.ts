import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/client.js';

/** The end of a connection that its client had not asked for. */
export interface Cut {
  /** By `performance.now()`. */
  readonly at: number;
  /** What the ids of requests in the thread of the connection begin with; empty: it had answered nothing yet. */
  readonly thread: string;
  readonly kind: 'kept' | 'new' | 'tunnel';
  readonly error: string;
}

export interface VisitorTerms {
  readonly port: number;
  /** Connections that stay open, with a request now and then. */
  readonly kept: number;
  /** Upgraded connections that say something now and then. */
  readonly tunnels: number;
  /** Connections for one request each, so many for a second. */
  readonly newEachSecond: number;
  /** ms between two requests of a kept connection. */
  readonly rest: number;
}

/** Targets of kept connections besides `/echo`, by turns: slow, large, in chunks. */
const TARGETS = ['/a?delay=20', '/b?size=30000', '/c?size=5000&chunked=1', '/d'];
/** A frame with `hello`, masked with zeros, and the server's echo of it. */
const FRAME = '\x81\x85\0\0\0\0hello';
const ECHO = '\x81\x05hello';
/** Each tenth request of a kept connection asks which thread this is, beginning with the first. */
const ECHO_EVERY = 10;

/**
 * Clients that know in which thread their connection is: the id of a request begins with digits that are the thread's own, and
 * `/echo` of the fixture server tells what it received.
 */
export class ThreadVisitors {
  answered = 0;
  readonly cuts: Cut[] = [];
  /** Answers that are wrong. */
  readonly wrong: string[] = [];
  /** Open connections by their thread. */
  readonly open = new Map<string, number>();
  readonly #terms: VisitorTerms;
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(terms: VisitorTerms) {
    this.#terms = terms;
    for (let i = 0; i < terms.kept; i++) this.#running.push(this.#stay('kept'));
    for (let i = 0; i < terms.tunnels; i++) this.#running.push(this.#stay('tunnel'));
    this.#running.push(this.#come());
  }

  /** Lets what was asked be answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #stay(kind: 'kept' | 'tunnel'): Promise<void> {
    // They do not all begin at once.
    await pause(Math.random() * this.#terms.rest);
    while (!this.#stopped) {
      await this.#visit(kind, async (client, know) => {
        know(await this.#threadOf(client));
        if (kind === 'tunnel') await this.#talk(client);
        else await this.#askOn(client);
      });
    }
  }

  /** Does something on a connection of its own; an end of it is a cut. */
  async #visit(
    kind: Cut['kind'],
    act: (client: RawClient, know: (thread: string) => void) => Promise<void>,
  ): Promise<void> {
    let thread = '';
    let client: RawClient | null = null;
    // An idle connection finds out when it ends, its visitor at the next request.
    let endedAt = 0;
    const end = (): void => {
      endedAt ||= performance.now();
    };
    try {
      client = await RawClient.connect(this.#terms.port);
      client.socket.on('end', end).on('close', end);
      await act(client, (known) => {
        thread = known;
        this.#count(thread, 1);
      });
    } catch (error) {
      this.cuts.push({ at: endedAt || performance.now(), thread, kind, error: (error as Error).message });
      // Others have a chance to come meanwhile.
      await pause(5);
    } finally {
      client?.destroy();
      this.#count(thread, -1);
    }
  }

  #count(thread: string, change: number): void {
    if (thread !== '') this.open.set(thread, (this.open.get(thread) ?? 0) + change);
  }

  async #threadOf(client: RawClient): Promise<string> {
    const body = await this.#ask(client, '/echo');
    return /"x-request-id",\s*"([0-9a-f]{20})/i.exec(body)?.[1] ?? '';
  }

  async #ask(client: RawClient, target: string): Promise<string> {
    client.send(`GET ${target} HTTP/1.1\r\nHost: soak\r\n\r\n`);
    const { status, head, body } = await client.response();
    if (status === 200) this.answered++;
    else this.wrong.push(`${target} got ${head.split('\r\n')[0]}`);
    return body;
  }

  async #askOn(client: RawClient): Promise<void> {
    for (let count = 1; !this.#stopped; count++) {
      await pause(this.#terms.rest);
      await this.#ask(
        client,
        count % ECHO_EVERY === 0 ? '/echo' : (TARGETS[count % TARGETS.length] as string),
      );
    }
  }

  async #talk(client: RawClient): Promise<void> {
    client.send(
      'GET /ws HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const head = await client.until('\r\n\r\n');
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.wrong.push(`/ws got ${head.split('\r\n')[0]}`);
      return;
    }
    while (!this.#stopped) {
      client.send(FRAME);
      const heard = await client.bytes(ECHO.length);
      if (heard !== ECHO) this.wrong.push(`a tunnel said ${JSON.stringify(heard)}`);
      this.answered++;
      await pause(this.#terms.rest);
    }
  }

  async #come(): Promise<void> {
    const coming = new Set<Promise<void>>();
    const { newEachSecond } = this.#terms;
    while (!this.#stopped) {
      const visit = this.#visit('new', async (client) => {
        await this.#ask(client, '/new');
      }).finally(() => coming.delete(visit));
      coming.add(visit);
      await pause(1000 / newEachSecond);
    }
    await Promise.all(coming);
  }
}
