import { connect, type Socket } from 'node:net';

/** What a steady load has seen between two moments. */
export interface LoadSection {
  /** ms from sending to the end of the answer, in order. */
  readonly latencies: readonly number[];
  /** Answers with another status than 200. */
  readonly wrong: number;
  /** Connections that ended before the answer. */
  readonly cut: number;
  /** Those of `latencies` on other connections than those that ended, or well before they did. */
  readonly elsewhere: readonly number[];
}

/** How long before the end of a connection its answers may be slow for the same cause, in ms. */
const ENDING_MS = 3000;

/** An answer. */
interface Sample {
  readonly ms: number;
  /** When the request was sent. */
  readonly at: number;
  readonly connection: Waiting;
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
  #samples: Sample[] = [];
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
    const inOrder = (samples: readonly Sample[]): readonly number[] =>
      samples.map(({ ms }) => ms).sort((one, other) => one - other);
    const section = {
      latencies: inOrder(this.#samples),
      elsewhere: inOrder(this.#samples.filter(({ at, connection }) => at < connection.endedAt - ENDING_MS)),
      wrong: this.#wrong,
      cut: this.#cut,
    };
    this.#samples = [];
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
    const state: Waiting = { sentAt: 0, text: '', endedAt: Number.POSITIVE_INFINITY };
    states.set(socket, state);
    this.#all.add(socket);
    socket.setNoDelay(true);
    socket.setEncoding('latin1').on('data', (text: string) => {
      state.text += text;
      // Answers are short, and come whole or in two pieces.
      const head = state.text.indexOf('\r\n\r\n');
      const length = Number(/^content-length: *(\d+)/im.exec(state.text)?.[1] ?? Number.NaN);
      if (head === -1 || !(state.text.length >= head + 4 + length)) return;
      this.#samples.push({ ms: performance.now() - state.sentAt, at: state.sentAt, connection: state });
      if (!state.text.startsWith('HTTP/1.1 200 ')) this.#wrong++;
      state.text = '';
      state.sentAt = 0;
      this.#free.push(socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#all.delete(socket);
      state.endedAt = performance.now();
      if (state.sentAt > 0) this.#cut++;
      const index = this.#free.indexOf(socket);
      if (index !== -1) this.#free.splice(index, 1);
    });
    return socket;
  }
}

/** A connection, and the request that it has sent; `sentAt` 0: none. */
interface Waiting {
  sentAt: number;
  text: string;
  endedAt: number;
}

const states = new WeakMap<Socket, Waiting>();
