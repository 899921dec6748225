import type { RedisArgument, RedisClient } from './redis-client.js';
import { Script, type ScriptRunner } from './script.js';

/**
 * Redis does nothing else while a script runs: with more keys than this together, about 2 ms, each script has a call of its
 * own.
 */
const MOST_KEYS = 250;

/** A script that waits for the call which it shares with others. */
interface Waiting {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs scripts that are asked for in the same turn in one call. A call costs a node more than what a script does: a command,
 * a promise, a write and a read. If one of them fails, all of them have failed. The keys of all scripts have to be on one
 * server, so a cluster has no use for it.
 */
export class JointScripts implements ScriptRunner {
  readonly #client: Pick<RedisClient, 'call'>;
  readonly #numbers: ReadonlyMap<Script, number>;
  readonly #joint: Script;
  #isOpen = false;
  #waiting: Waiting[] = [];
  #keys = 0;

  /** `scripts`: those that are joined; others have a call of their own. */
  constructor(client: Pick<RedisClient, 'call'>, scripts: readonly Script[]) {
    this.#client = client;
    this.#numbers = new Map(scripts.map((script, index) => [script, index + 1]));
    this.#joint = new Script(jointText(scripts));
  }

  /** Does a call wait to be sent? Then another script costs little. */
  get isAsked(): boolean {
    return this.#waiting.length > 0;
  }

  /** What is asked for from now on waits for `send`, which has to follow in the same turn of the event loop. */
  collect(): void {
    this.#isOpen = true;
  }

  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    if (!this.#isOpen || !this.#numbers.has(script) || this.#keys + keys.length > MOST_KEYS)
      return script.run(this.#client, keys, args);
    this.#keys += keys.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ script, keys, args, resolve, reject });
    });
  }

  /** Sends what was asked for since `collect`. */
  send(): void {
    const waiting = this.#waiting;
    this.#isOpen = false;
    this.#keys = 0;
    if (waiting.length === 0) return;
    this.#waiting = [];
    const [first] = waiting as [Waiting];
    if (waiting.length === 1)
      first.script.run(this.#client, first.keys, first.args).then(first.resolve, first.reject);
    else this.#sendTogether(waiting);
  }

  #sendTogether(waiting: readonly Waiting[]): void {
    const keys = waiting.flatMap((one) => one.keys);
    const args = waiting.flatMap((one) => one.args);
    const head = waiting.flatMap((one) => [
      this.#numbers.get(one.script) as number,
      one.keys.length,
      one.args.length,
    ]);
    this.#joint.run(this.#client, keys, [waiting.length, ...head, ...args]).then(
      (answers) => {
        for (const [index, { resolve }] of waiting.entries()) resolve((answers as unknown[])[index]);
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}

/**
 * Each script becomes a function with its own KEYS and ARGV. ARGV: how many are run; for each of them its number, how many
 * keys and how many arguments it has; then the arguments of all.
 */
function jointText(scripts: readonly Script[]): string {
  const functions = scripts.map(({ text }) => `function(KEYS, ARGV)\n${text}\nend`);
  return `
local scripts = {
${functions.join(',\n')}
}
local count = tonumber(ARGV[1])
local key, arg = 0, 1 + 3 * count
local answers = {}
for i = 1, count do
  local keys, args = {}, {}
  for k = 1, tonumber(ARGV[3 * i]) do keys[k] = KEYS[key + k] end
  for a = 1, tonumber(ARGV[3 * i + 1]) do args[a] = ARGV[arg + a] end
  key, arg = key + #keys, arg + #args
  answers[i] = scripts[tonumber(ARGV[3 * i - 1])](keys, args)
end
return answers
`;
}
