import { connect, type Socket } from 'node:net';

/** What a steady load has seen between two moments. */
export interface LoadSection {
  /** ms from sending to the end of the answer, in order. */
  readonly latencies: readonly number[];
  /** Answers with another status than 200. */
  readonly wrong: number;
  /** Connections that ended before the answer. */
  readonly cut: number;
}

/**
 * So many requests a second on connections that stay open, whether those before have been answered or not: each goes to a
 * connection on which nothing is waited for, and to a new one when there is none.
 */
export class SteadyLoad {
  readonly #port: number;
  readonly #hosts: number;
  readonly #timer: NodeJS.Timeout;
  readonly #free: Socket[] = [];
  readonly #all = new Set<Socket>();
  readonly #since = performance.now();
  #begun = 0;
  #latencies: number[] = [];
  #wrong = 0;
  #cut = 0;

  /** `hosts`: the requests are for `h0.example` and so on, up to so many. */
  constructor(port: number, perSecond: number, hosts: number) {
    this.#port = port;
    this.#hosts = hosts;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#since) * perSecond) / 1000;
      while (this.#begun < due) this.#ask();
    }, 1);
  }

  /** What was seen since the last call. */
  take(): LoadSection {
    const section = {
      latencies: this.#latencies.sort((one, other) => one - other),
      wrong: this.#wrong,
      cut: this.#cut,
    };
    this.#latencies = [];
    this.#wrong = 0;
    this.#cut = 0;
    return section;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const socket of this.#all) socket.destroy();
  }

  #ask(): void {
    const host = (this.#begun++ * 7919) % this.#hosts;
    // The longest unused one, so that all are used.
    const socket = this.#free.shift() ?? this.#connect();
    const state = states.get(socket) as Waiting;
    state.sentAt = performance.now();
    socket.write(`GET / HTTP/1.1\r\nHost: h${host}.example\r\n\r\n`);
  }

  #connect(): Socket {
    const socket = connect(this.#port, '127.0.0.1');
    const state: Waiting = { sentAt: 0, text: '' };
    states.set(socket, state);
    this.#all.add(socket);
    socket.setNoDelay(true);
    socket.setEncoding('latin1').on('data', (text: string) => {
      state.text += text;
      // Answers are short, and come whole or in two pieces.
      const head = state.text.indexOf('\r\n\r\n');
      const length = Number(/^content-length: *(\d+)/im.exec(state.text)?.[1] ?? Number.NaN);
      if (head === -1 || !(state.text.length >= head + 4 + length)) return;
      this.#latencies.push(performance.now() - state.sentAt);
      if (!state.text.startsWith('HTTP/1.1 200 ')) this.#wrong++;
      state.text = '';
      state.sentAt = 0;
      this.#free.push(socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#all.delete(socket);
      if (state.sentAt > 0) this.#cut++;
      const index = this.#free.indexOf(socket);
      if (index !== -1) this.#free.splice(index, 1);
    });
    return socket;
  }
}

/** The request that a connection has sent; `sentAt` 0: none. */
interface Waiting {
  sentAt: number;
  text: string;
}

const states = new WeakMap<Socket, Waiting>();
