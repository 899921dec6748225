import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A step takes this long at most, ms. */
const LIMIT = 30_000;

/** A shell that runs one command after the other, as a person at a terminal would. */
export class ShellSession {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #cwd: string;
  #output = '';
  #count = 0;
  #wake: () => void = () => {};

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#cwd = cwd;
    this.#shell = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true });
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#wake();
      });
    this.#shell.on('error', () => this.#wake());
    // Job control makes %1 and the like work as they do at a prompt.
    this.#shell.stdin.write('set -m; exec 2>&1\n');
  }

  /** Runs a command and resolves with what was printed until it was done; waits on until `settle` agrees with it. */
  async run(command: string, settle: (output: string) => boolean): Promise<string> {
    const mark = `--done-${++this.#count}--`;
    const own = `background-${this.#count}.out`;
    // A program in the background must not read the commands that follow, nor print between their answers.
    const isBackground = command.endsWith(' &');
    const apart = isBackground ? `${command.slice(0, -2)} </dev/null >${own} 2>&1 &` : command;
    this.#output = '';
    this.#shell.stdin.write(`${apart}\nprintf '%s\\n' '${mark}'\n`);
    const limit = Date.now() + LIMIT;
    const read = (): string =>
      isBackground ? textOf(join(this.#cwd, own)) : this.#output.replace(`${mark}\n`, '');
    while (!(this.#output.includes(`${mark}\n`) && settle(read())) && Date.now() < limit) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return read();
  }

  /** Ends the shell and all that it started. */
  close(): void {
    this.#shell.stdin.write('kill $(jobs -p) 2>/dev/null; exit\n');
    this.#shell.stdin.end();
    const { pid } = this.#shell;
    setTimeout(() => {
      try {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }, 2000).unref();
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Does the output look as a page shows it? A line `…` stands for any lines, none included. */
export function looksAsShown(output: string, shown: string): boolean {
  const parts = shown.split('\n').map((line) => (line.trim() === '…' ? null : line));
  const pattern = parts
    .map((line) =>
      line === null ? '(?:[^\\n]*\\n)*?' : `${line.split('…').map(escaped).join('[^\\n]*')}\\n`,
    )
    .join('');
  return new RegExp(`^${pattern}$`).test(output === '' || output.endsWith('\n') ? output : `${output}\n`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
