import { spawn } from 'node:child_process';

/** How long one message may take, in ms: systemd-notify waits up to 5 s until systemd has read it. */
const MESSAGE_MS = 10_000;
/** Shorter intervals of the watchdog are not kept: each sign of life starts a process. */
const SHORTEST_WATCHDOG_MS = 1000;

/** How a message is sent; resolves with null, or with why it was not. */
export type Send = (words: readonly string[], env: NodeJS.ProcessEnv) => Promise<string | null>;

/**
 * Tells systemd what the service is doing, by the protocol of sd_notify(3). Node has no Unix datagrams, so each message is
 * sent by the program systemd-notify, which has to be allowed (`NotifyAccess=all`). Messages are few and in order; none is
 * sent for a request.
 */
export class ServiceManager {
  readonly #env: NodeJS.ProcessEnv;
  readonly #watchdogMs: number;
  readonly #send: Send;
  readonly #warn: (message: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #watchdog: NodeJS.Timeout | null = null;
  #hasWarned = false;

  private constructor(
    env: NodeJS.ProcessEnv,
    watchdogMs: number,
    warn: (message: string) => void,
    send: Send,
  ) {
    this.#env = env;
    this.#watchdogMs = watchdogMs;
    this.#warn = warn;
    this.#send = send;
  }

  /**
   * null: no service manager asks for messages. Removes the variables, which are for no process that this one starts.
   * `pid`: WATCHDOG_PID must name it, if it is given; null for a program that takes over from the one that it names.
   */
  static find(
    env: NodeJS.ProcessEnv,
    pid: number | null,
    warn: (message: string) => void,
    send: Send = sendMessage,
  ): ServiceManager | null {
    const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC: usec = '', WATCHDOG_PID: watched = '' } = env;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
    if (socket === '') return null;
    const isWatched = /^\d{1,15}$/.test(usec) && (pid === null || watched === '' || watched === String(pid));
    const watchdogMs = isWatched ? Number(usec) / 1000 : 0;
    return new ServiceManager({ NOTIFY_SOCKET: socket, PATH: env.PATH }, watchdogMs, warn, send);
  }

  /** The service serves, and this is its main process. Resolves with false when systemd was not told. */
  ready(status: string): Promise<boolean> {
    return this.#tell(`MAINPID=${process.pid}`, 'READY=1', `STATUS=${status}`);
  }

  /** Settings are being read again. `reloaded` must follow. */
  reloading(): void {
    const now = process.hrtime.bigint() / 1000n;
    void this.#tell('RELOADING=1', `MONOTONIC_USEC=${now}`);
  }

  reloaded(): void {
    void this.#tell('READY=1');
  }

  stopping(status: string): void {
    void this.#tell('STOPPING=1', `STATUS=${status}`);
  }

  /** Gives a sign of life twice in each interval of the watchdog, if `isAlive` resolves: then nothing hangs. */
  watch(isAlive: () => Promise<void>): void {
    if (this.#watchdogMs === 0) return;
    const every = Math.max(SHORTEST_WATCHDOG_MS, this.#watchdogMs) / 2;
    this.#watchdog = setInterval(() => {
      void isAlive().then(() => this.#watchdog !== null && this.#tell('WATCHDOG=1'));
    }, every).unref();
  }

  /** Another process gives signs of life from now on, or none is needed any more. */
  unwatch(): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#watchdog = null;
  }

  /** Resolves when every message is sent, or cannot be sent. */
  async close(): Promise<void> {
    this.unwatch();
    await this.#last;
  }

  #tell(...words: readonly string[]): Promise<boolean> {
    const told = this.#last.then(async () => {
      const fault = await this.#send(words, this.#env);
      if (fault !== null && !this.#hasWarned) {
        this.#hasWarned = true;
        this.#warn(`systemd cannot be told what this service does: ${fault}`);
      }
      return fault === null;
    });
    this.#last = told;
    return told;
  }
}

/** Never rejects. */
function sendMessage(words: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn('systemd-notify', [...words], { env, stdio: 'ignore', timeout: MESSAGE_MS });
    child.on('error', ({ message }) => resolve(message));
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? null : `systemd-notify ended with ${signal ?? `exit code ${code}`}`),
    );
  });
}
