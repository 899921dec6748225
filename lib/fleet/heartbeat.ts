import type { RedisClient } from './redis-client.js';
import { Script } from './script.js';

/** A node that has not been heard of for so long is gone. */
const GONE_MS = 5000;

/**
 * Notes that this node is there, and returns who else is. Times are those of Redis, so that the clocks of nodes do not
 * matter. It writes, so it fails where nothing can be written: when memory is used up, or on a replica.
 */
const BEAT = new Script(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {tostring(now), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
`);

/** A node that shares, as this one has heard. */
export interface FleetNode {
  readonly name: string;
  /** ms since it was last heard of. */
  readonly seenMs: number;
  /** Is it this one? */
  readonly isSelf: boolean;
}

/** Which nodes there are. Each says so every second, and is gone five seconds after it did so for the last time. */
export class Heartbeat {
  readonly #key: string;
  readonly #member: string;
  /** As of the last beat, by name. */
  nodes: readonly FleetNode[] = [];

  /** `instance` tells apart two programs with one name. */
  constructor(prefix: string, name: string, instance: string) {
    this.#key = `${prefix}:nodes`;
    this.#member = `${instance} ${name}`;
  }

  async beat(client: Pick<RedisClient, 'call'>): Promise<void> {
    const answer = await BEAT.run(client, [this.#key], [this.#member, GONE_MS]);
    const [now, members] = answer as [string, readonly string[]];
    const nodes: FleetNode[] = [];
    for (let i = 0; i + 1 < members.length; i += 2) {
      const member = members[i] as string;
      nodes.push({
        name: member.slice(member.indexOf(' ') + 1),
        seenMs: Math.max(0, Number(now) - Number(members[i + 1])),
        isSelf: member === this.#member,
      });
    }
    this.nodes = nodes.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Says that this node is gone. */
  async leave(client: Pick<RedisClient, 'call'>): Promise<void> {
    await client.call('ZREM', [this.#key, this.#member]);
  }
}
