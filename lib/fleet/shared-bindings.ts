import { randomBytes } from 'node:crypto';
import type { BindingChange, BindingNews } from '../shared/binding-news.js';
import type { StickyBindings } from '../shared/sticky-bindings.js';
import { digestOf, keyOf, SHARDS, shardOf } from './digest-text.js';
import { Script, type ScriptRunner } from './script.js';

/** Changes in one call. */
const MOST_WRITTEN = 250;
const MOST_READ = 1000;
/** A node that reads too late learns of older ones when it first has the value itself. */
const MOST_KEPT = 20_000;
const STREAM_MS = 60_000;
const ARGUMENTS = 4;
/**
 * ms. A request that was under way when another node's server was adopted still names the former server: for this long
 * that does not move the value for all nodes.
 */
const UNDER_WAY_MS = 2000;
const MOST_FOLLOWED = 10_000;

/**
 * What was bound first stands, unless the node that is told moves it. Returns for each change the server that stands if it is
 * another one, and what has changed since the last call. KEYS: the stream, then a key for each value. ARGV: the last entry
 * that is known, this node, then server, ms, whether it is moved, and the name of each value.
 */
export const BINDINGS_SCRIPT = new Script(`
local out = {}
for i = 2, #KEYS do
  local a = (i - 2) * ${ARGUMENTS} + 3
  local bound = redis.call('GET', KEYS[i])
  if bound and bound ~= ARGV[a] and ARGV[a + 2] == '0' then
    redis.call('PEXPIRE', KEYS[i], ARGV[a + 1])
    out[#out + 1] = bound
  else
    redis.call('SET', KEYS[i], ARGV[a], 'PX', ARGV[a + 1])
    out[#out + 1] = ''
    if bound ~= ARGV[a] then
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${MOST_KEPT}, '*', 'n', ARGV[2], 'k', ARGV[a + 3], 's', ARGV[a])
      redis.call('PEXPIRE', KEYS[1], ${STREAM_MS})
    end
  end
end
local read = redis.call('XREAD', 'COUNT', ${MOST_READ}, 'STREAMS', KEYS[1], ARGV[1])
local entries = {}
if read then entries = read[1][2] end
return {out, entries}
`);

type Entry = readonly [id: string, fields: readonly string[]];

interface Shard {
  readonly place: string;
  known: string;
}

/**
 * Which server a sticky value is bound to, in all nodes: a key with expiry for each value, and a stream of the new
 * ones. A node binds a value that it has never seen by itself; where another node was first, it adopts that node's
 * server as soon as Redis reports it.
 */
export class SharedBindings {
  readonly #scripts: ScriptRunner;
  readonly #bindings: StickyBindings;
  readonly #news: BindingNews;
  readonly #shards: readonly Shard[];
  /** Identifies this node in the stream. */
  readonly #node = randomBytes(4).toString('hex');
  /** By value: the server that was adopted from another node, and when; the latest last. */
  readonly #followed = new Map<string, { readonly server: number; readonly at: number }>();
  #isBusy = false;

  constructor(
    scripts: ScriptRunner,
    prefix: string,
    isCluster: boolean,
    bindings: StickyBindings,
    news: BindingNews,
  ) {
    this.#scripts = scripts;
    this.#bindings = bindings;
    this.#news = news;
    this.#shards = isCluster
      ? Array.from({ length: SHARDS }, (_, shard) => ({ place: `${prefix}:{sticky-${shard}}`, known: '0' }))
      : [{ place: `${prefix}:sticky`, known: '0' }];
    news.begin();
  }

  /**
   * Reports what was bound here, and adopts what was bound elsewhere. `now`: of the clock, in ms. Rejects when Redis
   * cannot be reached.
   */
  async round(now: number): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const byShard = this.#shards.map((): Map<string, BindingChange> => new Map());
      for (const change of this.#news.take()) {
        const key = keyOf(Int32Array.of(change.low, change.high));
        const changes = byShard[shardOf(key) % this.#shards.length];
        // The last of several, which may have been moved by one before.
        const isMoved =
          changes?.get(key)?.isMoved === true ||
          (change.isMoved && now - (this.#followed.get(key)?.at ?? Number.NEGATIVE_INFINITY) >= UNDER_WAY_MS);
        changes?.set(key, { ...change, isMoved });
      }
      await Promise.all(byShard.map((changes, index) => this.#exchangeAll(index, [...changes], now)));
    } finally {
      this.#isBusy = false;
    }
  }

  async #exchangeAll(
    shard: number,
    changes: readonly (readonly [string, BindingChange])[],
    now: number,
  ): Promise<void> {
    for (let from = 0; from === 0 || from < changes.length; from += MOST_WRITTEN)
      await this.#exchange(this.#shards[shard] as Shard, changes.slice(from, from + MOST_WRITTEN), now);
  }

  async #exchange(
    shard: Shard,
    changes: readonly (readonly [string, BindingChange])[],
    now: number,
  ): Promise<void> {
    const { place, known } = shard;
    const keys = [place, ...changes.map(([key]) => `${place}:${key}`)];
    const args = changes.flatMap(([key, { server, expire, isMoved }]) => [
      server,
      expire * 1000,
      isMoved ? 1 : 0,
      key,
    ]);
    const answer = await this.#scripts.run(BINDINGS_SCRIPT, keys, [known, this.#node, ...args]);
    const [standing, entries] = answer as [readonly string[], readonly Entry[]];
    // What this node has told itself comes after what the stream has before it, and may have changed here since.
    const told = new Map<string, readonly string[]>();
    for (const [id, fields] of entries) {
      told.set(fields[3] as string, fields);
      shard.known = id;
    }
    for (const [key, [, node, , , , server]] of told)
      if (node !== this.#node) this.#follow(key, Number(server), now);
    // The stream may be older than what stands.
    for (const [index, server] of standing.entries())
      if (server !== '') this.#follow((changes[index] as [string, BindingChange])[0], Number(server), now);
  }

  #follow(key: string, server: number, now: number): void {
    this.#bindings.adopt(digestOf(key), server, Math.floor(now / 1000));
    const before = this.#followed.get(key);
    // A value in constant use comes back too early each time. Its time runs on from the first, or it would never move.
    if (before?.server === server && now - before.at < UNDER_WAY_MS) return;
    this.#followed.delete(key);
    this.#followed.set(key, { server, at: now });
    for (const [oldest, { at }] of this.#followed) {
      if (now - at < UNDER_WAY_MS && this.#followed.size <= MOST_FOLLOWED) break;
      this.#followed.delete(oldest);
    }
  }
}
