import { type ChildProcess, spawn } from 'node:child_process';
import { treeOf } from './measure.js';

const started = new Set<Child>();
let ending = false;
const KEPT_OUTPUT = 4096;

/** A program the benchmark started. Whatever happens, `stopAll` or `killAll` ends it and what it started. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<void>;
  #process: ChildProcess;
  #output = '';

  /** Throws once `stopAll` was called: what starts then would never be stopped. */
  constructor(name: string, command: readonly string[]) {
    if (ending) throw new Error(`${name} not started: the benchmark ends`);
    const [program = '', ...rest] = command;
    this.name = name;
    this.#process = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    this.pid = this.#process.pid ?? 0;
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#process.on('error', (error) => {
        this.#output += error.message;
        started.delete(this);
        resolve();
      });
      this.#process.on('close', () => {
        started.delete(this);
        resolve();
      });
    });
    started.add(this);
  }

  get running(): boolean {
    return started.has(this);
  }

  /** The end of what it wrote. */
  get output(): string {
    return this.#output;
  }

  /** The same in a line: the reason, when it would not start. */
  get complaint(): string {
    return this.#output.trim().split('\n').slice(-3).join(' / ') || 'it said nothing';
  }

  /** Asks politely, and after `patienceMs` no longer. */
  async stop(patienceMs = 3000): Promise<void> {
    if (!this.running) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), patienceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** At once, with all it started: a killed master would leave its workers behind. */
  kill(): void {
    if (!this.running || this.pid === 0) return;
    for (const pid of treeOf(this.pid).reverse()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone in the meantime.
      }
    }
  }
}

/** Stops everything still running, for good. */
export async function stopAll(): Promise<void> {
  ending = true;
  await Promise.all([...started].map((child) => child.stop()));
}

/** The last resort of a process that exits now. */
export function killAll(): void {
  for (const child of started) child.kill();
}
