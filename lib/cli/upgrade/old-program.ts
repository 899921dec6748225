import { type Handover, isHandover, type Report, UPGRADE_VARIABLE } from './messages.js';

/** How long the old program may take to say what it hands over. It has sent it before this program runs. */
const HANDOVER_MS = 10_000;

/** The part of `process` that speaks with the process that started this one. */
export interface ParentChannel {
  send?: ((message: object, done: (error: Error | null) => void) => unknown) | undefined;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

/** The program that this one was started by to take over from, as the new one sees it. */
export class OldProgram {
  readonly #channel: ParentChannel;
  #isReady = false;

  private constructor(channel: ParentChannel) {
    this.#channel = channel;
  }

  /** null: this program was not started for an upgrade. Removes the variable that says so. */
  static find(env: NodeJS.ProcessEnv, channel: ParentChannel): OldProgram | null {
    const isUpgrade = env[UPGRADE_VARIABLE] !== undefined && channel.send !== undefined;
    delete env[UPGRADE_VARIABLE];
    return isUpgrade ? new OldProgram(channel) : null;
  }

  /**
   * Passes on what is written to stderr, until this program is ready: the old one reports it to the caller of the
   * upgrade.
   */
  note(text: string): void {
    if (!this.#isReady) this.#send({ what: 'said', text });
  }

  /** What is handed over. Rejects when nothing comes. */
  handover(): Promise<Handover> {
    const channel = this.#channel;
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown): void => {
        if (!isHandover(message)) return;
        clearTimeout(timer);
        channel.off('message', onMessage);
        resolve(message);
      };
      const timer = setTimeout(() => {
        channel.off('message', onMessage);
        reject(new Error('the old program has not said what it hands over'));
      }, HANDOVER_MS);
      channel.on('message', onMessage);
    });
  }

  /** This program serves: the old one may end. */
  ready(version: string): void {
    this.#send({ what: 'ready', version });
    this.#isReady = true;
  }

  /** Calls `then` when the old program has ended. */
  onEnd(then: () => void): void {
    this.#channel.once('disconnect', then);
  }

  #send(report: Report): void {
    // A program that has ended meanwhile needs no answer.
    this.#channel.send?.(report, () => {});
  }
}
