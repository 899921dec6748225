import type { CheckRecord, Observer, RequestRecord } from '../base/observer.js';
import { escapeForScreen } from '../observe/escape.js';
import { clockTime, isoTime } from '../observe/timestamps.js';
import type { RunOptions } from './args.js';
import { renderHead } from './heads.js';
import type { Terminal } from './terminal.js';
import { humanDuration } from './wording.js';

export interface NarratorOptions {
  readonly terminal: Terminal;
  /** How many servers there are, for "2 of 3 left". */
  readonly servers: number;
  /** `quiet`: problems only; `verbose`: also every check and the heads of every request. */
  readonly volume: RunOptions['volume'];
}

/** Tells on stderr what happens beside the requests: servers that go and come, warnings and, if asked, every detail. */
export class Narrator implements Observer {
  readonly #terminal: Terminal;
  #servers: number;
  readonly #volume: RunOptions['volume'];
  readonly #down = new Set<string>();
  readonly #ejected = new Set<string>();
  #requests = 0;

  constructor(options: NarratorOptions) {
    this.#terminal = options.terminal;
    this.#servers = options.servers;
    this.#volume = options.volume;
  }

  /** There are so many servers from now on. */
  expect(servers: number): void {
    this.#servers = servers;
  }

  /** Requests settled so far. */
  get requests(): number {
    return this.#requests;
  }

  requestSettled(record: RequestRecord): void {
    this.#requests++;
    if (this.#volume !== 'verbose') return;
    const { cyan, green } = this.#terminal.paint;
    const request = record.requestHeadText === '' ? '' : cyan(renderHead(record.requestHeadText, '>'));
    const response = record.responseHeadText === '' ? '' : green(renderHead(record.responseHeadText, '<'));
    this.#terminal.write(`\n${request}${response}`);
  }

  checked(check: CheckRecord): void {
    if (this.#volume !== 'verbose') return;
    const { dim, yellow } = this.#terminal.paint;
    const text = `check ${check.server}: ${escapeForScreen(check.result)} in ${check.durationMs.toFixed(1)} ms`;
    this.say(check.ok ? dim(text) : yellow(text));
  }

  serverDown(server: string, reason: string): void {
    const { bold, red } = this.#terminal.paint;
    this.#down.add(server);
    this.say(`${red(`${bold(server)} is down: ${escapeForScreen(reason)}`)}${this.#remaining()}`);
  }

  serverUp(server: string, downMs: number): void {
    const { bold, green } = this.#terminal.paint;
    // One that was not believed to be up in the first place was never told to be down.
    const wasDown = this.#down.delete(server);
    const text = wasDown ? `is back after ${humanDuration(downMs)}` : 'is up';
    this.say(`${green(`${bold(server)} ${text}`)}${this.#remaining()}`);
  }

  serverEjected(server: string, reason: string, forMs: number): void {
    const { bold, yellow } = this.#terminal.paint;
    this.#ejected.add(server);
    const text = `${bold(server)} is left out for ${humanDuration(forMs)}: ${escapeForScreen(reason)}`;
    this.say(`${yellow(text)}${this.#remaining()}`);
  }

  serverReturned(server: string): void {
    const { bold, green } = this.#terminal.paint;
    this.#ejected.delete(server);
    this.say(`${green(`${bold(server)} is tried again`)}${this.#remaining()}`);
  }

  warning(message: string): void {
    this.say(`${this.#terminal.paint.yellow('warning:')} ${escapeForScreen(message)}`);
  }

  /** Something that is no problem: not said with -q. */
  mention(text: string): void {
    if (this.#volume !== 'quiet') this.say(text);
  }

  /** Takes back the `^C` that a terminal has just put at the start of the line. */
  eraseInterrupt(): void {
    if (this.#terminal.isTty && this.#volume !== 'quiet') this.#terminal.write('\r');
  }

  /** One line with the time before it: short for a person, complete for a file. */
  say(text: string): void {
    const now = Date.now();
    const time = this.#terminal.isTty ? clockTime(now) : isoTime(now);
    this.#terminal.write(`${this.#terminal.paint.dim(time)}  ${text}\n`);
  }

  #remaining(): string {
    const left = this.#servers - new Set([...this.#down, ...this.#ejected]).size;
    if (left === this.#servers) return '';
    const text = left === 0 ? 'no server left, requests get 503' : `${left} of ${this.#servers} left`;
    return this.#terminal.paint.dim(` (${text})`);
  }
}
