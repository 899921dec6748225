import { SHARDS, shardOf } from './digest-text.js';
import { Script, type ScriptRunner } from './script.js';

/** What a node wants of one key. */
export interface LeaseAsk {
  /** Two words in hexadecimal: the digest of the client in one limit, the same in all nodes. */
  readonly key: string;
  /** ms until the next token flows in, and until an empty bucket is full. */
  readonly interval: number;
  readonly depth: number;
  /** Tokens that were spent already. */
  readonly owed: number;
  /** Tokens to hold; below 0: how many are given back. */
  readonly wanted: number;
  /** Is it used beyond the share of this node, so that all nodes are to lease? */
  readonly isHot: boolean;
}

export interface LeaseAnswer {
  readonly granted: number;
  /** Tokens that are left for everybody. */
  readonly left: number;
}

/** A key that some node uses beyond its share. */
export interface HotKey {
  readonly key: string;
  readonly interval: number;
  readonly depth: number;
}

/** Holds the tokens of all nodes. */
export interface LeaseBank {
  /**
   * Answers in the order of the asks, and the keys that have become hot since the last call; keys that stay hot are told
   * again every few seconds. Rejects when it cannot be reached: nobody knows then what was granted.
   */
  exchange(asks: readonly LeaseAsk[]): Promise<{
    readonly answers: readonly LeaseAnswer[];
    readonly hot: readonly HotKey[];
  }>;
}

/** A key that is still hot is reported again after the first, and forgotten after the second, in ms. */
export const TOLD_AGAIN_MS = 3000;
export const COOL_MS = 10_000;
const ASK_ARGUMENTS = 6;
/** Keys in one call: Redis does nothing else meanwhile, about 2 ms. */
const MOST_KEYS = 250;
const MOST_HOT = 1000;

/**
 * A bucket is the time at which it will be full, in ms of Redis' clock, as in `rate-buckets`; one that was spent on credit
 * may be further ahead than its depth. KEYS: the set of hot keys, then the buckets.
 */
export const LEASE_SCRIPT = new Script(`
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local out = {}
for i = 2, #KEYS do
  local a = (i - 2) * ${ASK_ARGUMENTS} + 2
  local interval = tonumber(ARGV[a])
  local depth = tonumber(ARGV[a + 1])
  local wanted = tonumber(ARGV[a + 3])
  local full = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now) + ARGV[a + 2] * interval
  local granted = 0
  if wanted < 0 then
    full = math.max(now, full + wanted * interval)
  else
    granted = math.max(0, math.min(wanted, math.floor((now + depth - full) / interval + 1e-6)))
    full = full + granted * interval
  end
  redis.call('SET', KEYS[i], string.format('%.3f', full), 'PX', math.ceil(full - now) + 1000)
  out[#out + 1] = granted
  out[#out + 1] = math.max(0, math.floor((now + depth - full) / interval + 1e-6))
  if ARGV[a + 4] == '1' then
    local told = redis.call('ZSCORE', KEYS[1], ARGV[a + 5])
    if not told or tonumber(told) < now - ${TOLD_AGAIN_MS} then
      redis.call('ZADD', KEYS[1], string.format('%.3f', now), ARGV[a + 5])
      redis.call('PEXPIRE', KEYS[1], ${COOL_MS})
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${COOL_MS})
local hot = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ${MOST_HOT})
return {out, hot}
`);

/** The bank in Redis. */
export class RedisLeaseBank implements LeaseBank {
  readonly #scripts: ScriptRunner;
  readonly #prefix: string;
  /** Until when hot keys are known, by shard, as Redis writes it. */
  readonly #known: string[];

  constructor(scripts: ScriptRunner, prefix: string, isCluster: boolean) {
    this.#scripts = scripts;
    this.#prefix = prefix;
    this.#known = new Array<string>(isCluster ? SHARDS : 1).fill('0');
  }

  async exchange(
    asks: readonly LeaseAsk[],
  ): Promise<{ readonly answers: readonly LeaseAnswer[]; readonly hot: readonly HotKey[] }> {
    const answers: LeaseAnswer[] = new Array(asks.length);
    const hot: HotKey[] = [];
    const shards = this.#known.map((): number[] => []);
    for (const [index, { key }] of asks.entries()) shards[shardOf(key) % shards.length]?.push(index);
    const calls = shards.flatMap((indexes, shard) => {
      const parts: Promise<void>[] = [];
      for (let from = 0; from === 0 || from < indexes.length; from += MOST_KEYS)
        parts.push(this.#call(shard, indexes.slice(from, from + MOST_KEYS), asks, answers, hot));
      return parts;
    });
    await Promise.all(calls);
    return { answers, hot };
  }

  async #call(
    shard: number,
    indexes: readonly number[],
    asks: readonly LeaseAsk[],
    answers: LeaseAnswer[],
    hot: HotKey[],
  ): Promise<void> {
    const place = this.#known.length === 1 ? `${this.#prefix}:rate` : `${this.#prefix}:{rate-${shard}}`;
    const args: (string | number)[] = [this.#known[shard] as string];
    for (const index of indexes) {
      const { key, interval, depth, owed, wanted, isHot } = asks[index] as LeaseAsk;
      args.push(interval, depth, owed, wanted, isHot ? 1 : 0, `${key} ${interval} ${depth}`);
    }
    const keys = [`${place}:hot`, ...indexes.map((index) => `${place}:${(asks[index] as LeaseAsk).key}`)];
    const answer = await this.#scripts.run(LEASE_SCRIPT, keys, args);
    const [granted, told] = answer as [readonly number[], readonly string[]];
    for (const [i, index] of indexes.entries())
      answers[index] = { granted: granted[2 * i] as number, left: granted[2 * i + 1] as number };
    for (let i = 0; i + 1 < told.length; i += 2) {
      const [key = '', interval, depth] = (told[i] as string).split(' ');
      hot.push({ key, interval: Number(interval), depth: Number(depth) });
      this.#known[shard] = told[i + 1] as string;
    }
  }
}
