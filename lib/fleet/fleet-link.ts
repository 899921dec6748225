import type { Observer } from '../base/observer.js';
import type { Clock, TimerWheel } from '../base/timer-wheel.js';
import type { RedisArgument, RedisClient } from './redis-client.js';

/** connecting: Redis has not answered yet. lost: it does not answer as it should, and each node has its share alone. */
export type LinkState = 'connecting' | 'shared' | 'lost';

export interface FleetLinkDeps {
  readonly clock: Clock;
  /** Knows until when the sockets were read. */
  readonly wheel: Pick<TimerWheel, 'readUntil'>;
  /** How long Redis has for an answer, in ms. */
  readonly timeout: number;
  readonly observer: Pick<Observer, 'event'>;
  /** Called after each change of the state. */
  readonly onState: (state: LinkState) => void;
}

/** How long Redis has for its first answer once the client is loaded, in ms; then it counts as lost. */
const FIRST_ANSWER_MS = 2000;
/**
 * Between two ticks no more than this counts as time that Redis had to answer: while the thread was busy, an answer that had
 * come could not be read. Loading the client keeps it busy for up to 2 s on a machine with much to do.
 */
const MOST_TICK_MS = 200;
/** A connection without any answer for this long is replaced, in ms. */
const SILENCE_MS = 3000;
/** A lost Redis is shared again after this many good answers in a row, one for each try: a single one may be luck. */
const GOOD_ANSWERS = 2;
/** A Redis that is lost again within this many ms needs twice as many as the last time, up to the most below. */
const STEADY_MS = 10_000;
const MOST_GOOD_ANSWERS = 64;

/** A command without an answer so far. */
interface Asked {
  /** When it was sent, in ms of the clock. */
  readonly at: number;
  readonly reject: (error: Error) => void;
}

/**
 * Whether Redis answers. Every command goes through here: one that fails, for whatever reason, means that nothing is
 * shared until commands succeed again. So what is asked of Redis is either in force, or the node has its own share.
 */
export class FleetLink implements Pick<RedisClient, 'call'> {
  readonly #deps: FleetLinkDeps;
  #client: RedisClient | null = null;
  #state: LinkState = 'connecting';
  /** Since when, in ms of the clock. */
  #since: number;
  #answeredAt: number;
  /** When the last tick was, and how long Redis has had time for its first answer. */
  #tickedAt: number;
  #waitedMs = 0;
  #good = 0;
  /** How many good answers are needed while it is lost. */
  #needed = GOOD_ANSWERS;
  /** Why it is lost; empty: it is not. */
  error = '';
  #connectError = '';
  #isLeaving = false;
  /** The oldest first. */
  readonly #asked = new Set<Asked>();
  /** Since the start. */
  commands = 0;
  errors = 0;
  /** ms that all answers took. */
  answerMs = 0;
  answers = 0;
  /** ms that the last answers took, each weighing a tenth. */
  latency = 0;

  constructor(deps: FleetLinkDeps) {
    this.#deps = deps;
    this.#since = deps.clock.now();
    this.#answeredAt = this.#since;
    this.#tickedAt = this.#since;
  }

  get state(): LinkState {
    return this.#state;
  }

  use(client: RedisClient): void {
    this.#client = client;
    this.#waitedMs = 0;
  }

  /** Why there is no connection. */
  noteConnectError(message: string): void {
    this.#connectError = message;
  }

  /** Rejects with what a person has to mend, if that is known, and when there is no answer within `timeout`. */
  call(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    this.commands++;
    return new Promise((resolve, reject) => {
      const asked: Asked = { at: this.#deps.clock.now(), reject };
      this.#asked.add(asked);
      this.#send(command, args).then(
        (answer) => {
          if (!this.#asked.delete(asked)) return;
          this.#noteAnswer(this.#deps.clock.now() - asked.at);
          resolve(answer);
        },
        (error: Error) => {
          if (this.#asked.delete(asked)) this.#fail(asked, error);
        },
      );
    });
  }

  #send(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    if (this.#client === null) return Promise.reject(new Error('no connection'));
    return this.#client.call(command, args);
  }

  #fail({ at, reject }: Asked, error: Error): void {
    // It is run again as a whole: this is an answer, and no failure.
    if (error.message.startsWith('NOSCRIPT')) this.#noteAnswer(this.#deps.clock.now() - at);
    else this.#noteError(error.message);
    reject(error);
  }

  /** The command that shows that Redis takes what is written has succeeded. */
  noteGood(): void {
    this.#good++;
    if (this.#state === 'shared') return;
    if (this.#state === 'lost' && this.#good < this.#needed) return;
    const wasLost = this.#state === 'lost';
    const lostMs = this.#deps.clock.now() - this.#since;
    this.error = '';
    this.#connectError = '';
    this.#enter('shared');
    if (wasLost) this.#deps.observer.event?.({ what: 'shared_recovered', lostMs });
  }

  /** Called in each round, every 50 ms, also while Redis is away. */
  tick(): void {
    const now = this.#deps.clock.now();
    this.#waitedMs += Math.min(now - this.#tickedAt, MOST_TICK_MS);
    this.#tickedAt = now;
    if (this.#state === 'connecting' && this.#waitedMs >= FIRST_ANSWER_MS)
      this.#lose(this.error || this.#connectError || 'no answer');
    this.#failLate();
    if (this.#state === 'lost' && now - this.#answeredAt >= SILENCE_MS) {
      this.#answeredAt = now;
      this.#client?.reconnect();
    }
  }

  /** The node stops: what fails from now on is no loss. */
  leave(): void {
    this.#isLeaving = true;
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  /**
   * A command is late when all that had arrived by the end of its time was read, and its answer was not there. By the clock
   * alone a thread that was busy for longer than `timeout` would take an answer that it had no time to read for a loss.
   */
  #failLate(): void {
    const { wheel, timeout } = this.#deps;
    for (const asked of this.#asked) {
      if (wheel.readUntil - asked.at < timeout) return;
      this.#asked.delete(asked);
      this.#fail(asked, new Error(`timed out: no answer in ${timeout} ms`));
    }
  }

  #noteAnswer(ms: number): void {
    this.answers++;
    this.answerMs += ms;
    this.latency = this.answers === 1 ? ms : this.latency * 0.9 + ms * 0.1;
    this.#answeredAt = this.#deps.clock.now();
  }

  #noteError(message: string): void {
    if (this.#isLeaving) return;
    this.errors++;
    this.#good = 0;
    // Of a connection that is not there, or has ended, the client says only that; its events have said why.
    const isUnsent = /isn't writeable|isn't ready|no connection|Connection is closed|max retries/.test(
      message,
    );
    this.error = isUnsent
      ? this.#connectError || 'no connection'
      : (this.#client?.explain(message) ?? message);
    if (this.#state === 'shared') this.#lose(this.error);
  }

  #lose(detail: string): void {
    this.error = detail;
    this.#good = 0;
    // Each time that sharing begins with a Redis that has forgotten, clients have their burst anew.
    const isSoon = this.#state === 'shared' && this.#deps.clock.now() - this.#since < STEADY_MS;
    this.#needed = isSoon ? Math.min(2 * this.#needed, MOST_GOOD_ANSWERS) : GOOD_ANSWERS;
    this.#enter('lost');
    this.#deps.observer.event?.({ what: 'shared_lost', detail });
  }

  #enter(state: LinkState): void {
    this.#state = state;
    this.#since = this.#deps.clock.now();
    this.#deps.onState(state);
  }
}
