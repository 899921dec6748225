import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import type { PoolOrder, PoolReport, PoolThread } from './pool-thread.js';

const THREAD = new URL('./pool-thread.js', import.meta.url);

/**
 * A server that counts its connections by what it accepts and by what the other end closes, and its requests. It answers
 * each after `delay()` ms, or when `answer` is called where that is infinite.
 */
export class CountingServer {
  readonly #server = net.createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<net.Socket>();
  /** Requests that wait for `answer`, the oldest first. */
  readonly #held: (() => void)[] = [];
  delay: () => number = () => 0;
  mostOpen = 0;
  accepted = 0;
  active = 0;
  mostActive = 0;
  readonly paths: string[] = [];

  static async start(t: Test): Promise<CountingServer> {
    const one = new CountingServer();
    one.#server.listen(0, '127.0.0.1');
    await once(one.#server, 'listening');
    t.teardown(() => {
      one.#server.close();
      for (const socket of one.#sockets) socket.destroy();
    });
    return one;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  get open(): number {
    return this.#sockets.size;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Answers the oldest request. */
  answer(): void {
    this.#held.shift()?.();
  }

  #accept(socket: net.Socket): void {
    this.accepted++;
    this.#sockets.add(socket);
    // What has reached this program may be read in any order: a connection is counted when all of it was read.
    setImmediate(() => {
      this.mostOpen = Math.max(this.mostOpen, this.open);
    });
    const gone = (): void => {
      this.#sockets.delete(socket);
      socket.destroy();
    };
    socket.on('error', gone).on('end', gone).on('close', gone);
    socket.on('data', (bytes) => {
      for (const [, path = ''] of bytes.toString('latin1').matchAll(/GET (\S+) /g)) this.#ask(path, socket);
    });
  }

  #ask(path: string, socket: net.Socket): void {
    this.paths.push(path);
    this.active++;
    this.mostActive = Math.max(this.mostActive, this.active);
    const answer = (): void => {
      this.active--;
      if (!socket.destroyed) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    const delay = this.delay();
    if (delay === 0) answer();
    else if (delay === Number.POSITIVE_INFINITY) this.#held.push(answer);
    else setTimeout(answer, delay);
  }
}

/** An engine's thread, as the test sees it. */
export class EngineThread {
  readonly number: number;
  readonly #worker: Worker;
  readonly ended: Extract<PoolReport, { what: 'ended' }>[] = [];

  private constructor(number: number, worker: Worker) {
    this.number = number;
    this.#worker = worker;
    worker.on('message', (message: PoolReport) => {
      if (message.what === 'ended') this.ended.push(message);
    });
  }

  static async start(t: Test, data: PoolThread): Promise<EngineThread> {
    const worker = new Worker(THREAD, { workerData: data });
    t.teardown(() => worker.terminate());
    const started = new EngineThread(data.thread, worker);
    await once(worker, 'message');
    return started;
  }

  tell(order: PoolOrder): void {
    this.#worker.postMessage(order);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Threads 1 to `count`, which have the same servers. */
export async function startThreads(
  t: Test,
  count: number,
  servers: readonly CountingServer[],
  {
    limits = {},
    algorithm = 'round_robin',
    time = null,
  }: Partial<Pick<PoolThread, 'limits' | 'algorithm' | 'time'>>,
) {
  const shared = SharedMemory.create(count + 1);
  const slots = servers.map(() => shared.servers.claim());
  const start = (thread: number): Promise<EngineThread> =>
    EngineThread.start(t, {
      handle: shared.handle,
      thread,
      servers: servers.map(({ address }, index) => ({ address, slot: slots[index] as number })),
      limits,
      algorithm,
      time,
    });
  const threads = await Promise.all(Array.from({ length: count }, (_, index) => start(index + 1)));
  const rows = slots.map((slot) => shared.servers.row(slot));
  return { shared, threads, rows, row: rows[0] as (typeof rows)[number], start };
}
