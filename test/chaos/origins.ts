import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./origin.js', import.meta.url));

/** What a server was asked, as it wrote it down. */
export interface Hit {
  /** ms since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly id: string;
}

/** One server, and all that may befall it. */
export class Origin {
  readonly port: number;
  readonly #file: string;
  #process: ChildProcess | null = null;

  constructor(port: number, folder: string, index: number) {
    this.port = port;
    this.#file = join(folder, `origin-${index}.log`);
  }

  async start(): Promise<void> {
    const child = fork(PROGRAM, [String(this.port), this.#file], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process = child;
    await once(child, 'message');
  }

  /** Ends it with a signal, and resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Its connections stay, and nobody answers. */
  hang(): void {
    this.#process?.kill('SIGSTOP');
  }

  wake(): void {
    this.#process?.kill('SIGCONT');
  }

  tell(order: 'break' | 'mend'): void {
    this.#process?.send(order);
  }

  /** Everything it was asked so far. */
  hits(): readonly Hit[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'latin1').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [at = '', method = '', id = ''] = line.split(' ');
      return { at: Number(at), method, id };
    });
  }
}
