import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis-client.js';

/** A script that Redis runs. Redis keeps it by its digest, until it restarts. */
export class Script {
  readonly text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.text = text;
    this.#digest = createHash('sha1').update(text).digest('hex');
  }

  /** Rejects as `RedisClient.call` does. All keys of one call have to be in the same slot of a cluster. */
  async run(
    client: Pick<RedisClient, 'call'>,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await client.call('EVALSHA', [this.#digest, ...rest]);
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      return client.call('EVAL', [this.text, ...rest]);
    }
  }
}

/** Runs scripts in Redis. */
export interface ScriptRunner {
  /** Resolves with the answer of the script. Rejects as `RedisClient.call` does. */
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}
