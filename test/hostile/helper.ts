import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const helpers = new Set<Helper>();

/**
 * A program of this comparison that does what it is told and then tells of it: the attacker, and the server of tiny
 * chunks. It ends with this process, however that ends: its channel is cut then.
 */
export class Helper {
  readonly #process: ChildProcess;

  constructor(name: 'attacker' | 'origin', args: readonly string[] = []) {
    const program = fileURLToPath(new URL(`./program/${name}.js`, import.meta.url));
    this.#process = fork(program, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    helpers.add(this);
  }

  /** What it says next. Rejects when it ends without a word. */
  async hear(): Promise<unknown> {
    const silence = new AbortController();
    const { signal } = silence;
    const ended = once(this.#process, 'exit', { signal }).then(() => {
      throw new Error('a program of the comparison ended by itself');
    });
    try {
      const [word] = await Promise.race([once(this.#process, 'message', { signal }), ended]);
      return word;
    } finally {
      silence.abort();
      ended.catch(() => {});
    }
  }

  /** Tells it something, and gives its answer. */
  ask(question: object | string): Promise<unknown> {
    const answer = this.hear();
    this.#process.send(question);
    return answer;
  }

  async stop(): Promise<void> {
    helpers.delete(this);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

export async function stopHelpers(): Promise<void> {
  await Promise.all([...helpers].map((helper) => helper.stop()));
}
