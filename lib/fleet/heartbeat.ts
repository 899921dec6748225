import type { RedisClient } from './redis-client.js';
import { Script, type ScriptRunner } from './script.js';

/** How long after its last beat a node counts as gone, in ms. */
const GONE_MS = 5000;

/**
 * Notes that this node is there and how many requests it gets, and returns all nodes with theirs. Times are those of
 * Redis, so that the clocks of nodes do not matter. It writes, so it fails where nothing can be written: when memory is
 * used up, or on a replica. KEYS: a hash of all nodes. ARGV: this node, ms after which one is gone, and requests per
 * second.
 */
export const BEAT_SCRIPT = new Script(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local out = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, rate = string.match(all[i + 1], '^(%d+) ([%d.]+)$')
  if not at or now - at > tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], all[i])
  else
    out[#out + 1] = all[i]
    out[#out + 1] = string.format('%.0f', now - at)
    out[#out + 1] = rate
  end
end
return out
`);

/** A node that shares, as of the last beat. */
export interface FleetNode {
  readonly name: string;
  /** ms since it was last heard of. */
  readonly seenMs: number;
  /** Is it this one? */
  readonly isSelf: boolean;
  /** Requests per second, over the last seconds. */
  readonly rate: number;
}

/** Which nodes there are. Each writes a beat every second, and is gone five seconds after its last one. */
export class Heartbeat {
  readonly #key: string;
  readonly #member: string;
  /** As of the last beat, by name. */
  nodes: readonly FleetNode[] = [];

  /** `instance` tells apart two programs with one name. */
  constructor(prefix: string, name: string, instance: string) {
    // Not `nodes`: that was a sorted set in an earlier version, and another type needs another name.
    this.#key = `${prefix}:members`;
    this.#member = `${instance} ${name}`;
  }

  /** `rate`: requests per second to this node. */
  async beat(scripts: ScriptRunner, rate: number): Promise<void> {
    const answer = await scripts.run(BEAT_SCRIPT, [this.#key], [this.#member, GONE_MS, rate.toFixed(1)]);
    const told = answer as readonly string[];
    const nodes: FleetNode[] = [];
    for (let i = 0; i + 2 < told.length; i += 3) {
      const member = told[i] as string;
      nodes.push({
        name: member.slice(member.indexOf(' ') + 1),
        seenMs: Math.max(0, Number(told[i + 1])),
        isSelf: member === this.#member,
        rate: Number(told[i + 2]),
      });
    }
    this.nodes = nodes.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Says that this node is gone. */
  async leave(client: Pick<RedisClient, 'call'>): Promise<void> {
    await client.call('HDEL', [this.#key, this.#member]);
  }
}
