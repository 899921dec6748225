import { type ChildProcess, spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { type Handover, isReport, UPGRADE_VARIABLE } from './messages.js';

/** The most ms that the new program may take to say its version: it only loads for that. */
const VERSION_MS = 10_000;
/** ms from being told to end until it is killed. */
const END_MS = 5000;
/** The most lines of its stderr that are reported to the caller of the upgrade. */
const MOST_LINES = 20;
const MOST_CHARACTERS = 16 * 1024;

/** The first descriptor of a socket in the new program: after those of stdio, twice, and the channel. */
export const FIRST_SOCKET = 7;
/**
 * libuv makes standard streams blocking that a child inherits, for all processes that have them: a reader who does not read
 * would hold up this program. So they are passed under other numbers, and moved by a shell that becomes the program.
 */
const MOVE_STREAMS = 'exec "$@" <&3 >&4 2>&5 3<&- 4>&- 5>&-';

/** How the program was started, and can be again. */
export interface Relaunch {
  /** The program, with the options of Node. */
  readonly program: readonly string[];
  /** What follows. */
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** The new program did not become ready. The message is a clause; `report` has the last lines of its stderr. */
export class UpgradeError extends Error {
  readonly report: string;

  constructor(message: string, report = '') {
    super(message);
    this.report = report;
  }
}

/** Asks the program on the disk for its version, which shows that it can be loaded. Rejects with an UpgradeError. */
export function versionOnDisk({ program, env }: Relaunch): Promise<string> {
  const [file = '', ...options] = program;
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...options, '--version'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = new LastLines();
    let answer = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      answer = (answer + text).slice(0, MOST_CHARACTERS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.add(text));
    const timer = setTimeout(() => child.kill('SIGKILL'), VERSION_MS);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new UpgradeError(`${file} cannot be run: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const [, version] = /^lb (\S+)/.exec(answer) ?? [];
      if (code === 0 && version !== undefined) resolve(version);
      else reject(new UpgradeError(`it cannot be loaded: ${howItEnded(code, signal)}`, said.text));
    });
  });
}

/** A program that was started to take over from this one. */
export class NewProgram {
  readonly #child: ChildProcess;
  readonly #said = new LastLines();
  readonly #ended: Promise<void>;
  #settle: (error: UpgradeError | null, version: string) => void = () => {};

  /** `descriptors`: of the sockets that `handover` names. */
  constructor({ program, words, env }: Relaunch, descriptors: readonly number[], handover: Handover) {
    this.#child = spawn('/bin/sh', ['-c', MOVE_STREAMS, 'sh', ...program, ...words], {
      env: { ...env, [UPGRADE_VARIABLE]: '1' },
      stdio: ['ignore', 'ignore', 'ignore', 0, 1, 2, 'ipc', ...descriptors],
    });
    this.#child.on('error', (error) => this.#fail(error.message));
    this.#child.on('message', (message) => this.#onMessage(message));
    this.#ended = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        resolve();
        this.#fail(howItEnded(code, signal));
      });
      this.#child.on('error', () => this.#child.pid === undefined && resolve());
    });
    this.#child.send(handover, () => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with its version when it serves; rejects with an UpgradeError when it ends before, or is not ready within `ms`. */
  ready(ms: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`it was not ready within ${ms / 1000} s`), ms);
      this.#settle = (error, version) => {
        clearTimeout(timer);
        this.#settle = () => {};
        if (error === null) resolve(version);
        else reject(error);
      };
    });
  }

  /** Ends it: politely, since it may serve requests already, then at once. Resolves when it is gone. */
  async end(why: string): Promise<void> {
    this.#fail(why);
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /**
   * This process may end before it. The channel stays open until then: its end shows the new program that this one is
   * gone.
   */
  release(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }

  #onMessage(message: unknown): void {
    if (!isReport(message)) return;
    if (message.what === 'said') this.#said.add(message.text);
    else this.#settle(null, message.version);
  }

  #fail(why: string): void {
    this.#settle(new UpgradeError(why, this.#said.text), '');
  }
}

/** The end of what a program has written. */
class LastLines {
  #text = '';

  add(text: string): void {
    this.#text = (this.#text + text).slice(-MOST_CHARACTERS);
  }

  get text(): string {
    const lines = stripVTControlCharacters(this.#text).trimEnd().split('\n');
    return lines.slice(-MOST_LINES).join('\n').trim();
  }
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
}
