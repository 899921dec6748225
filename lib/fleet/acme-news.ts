import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type ChallengeOffer, challengeName } from '../tls/acme-protocol.js';
import type { AcmeStoreUser } from '../tls/acme-store.js';
import type { RedisClient } from './redis-client.js';
import { Script } from './script.js';

/** ms without a look, after which a node counts as gone. */
const GONE_MS = 5000;
/**
 * How long `publish` waits for other nodes, in ms, and how often it looks. Nodes that have ended count as gone before
 * that.
 */
const CONFIRM_MS = 6000;
const CONFIRM_EVERY_MS = 50;
/** How long a challenge that was not withdrawn is kept, in ms: its order has ended long before. */
const CHALLENGE_MS = 600_000;
/** How long all keys but those of certificates are kept when nothing is ordered, in ms: 400 days. */
export const KEEP_MS = 34_560_000_000;

/**
 * What scripts that change something begin with. A version is a time of Redis in ms, or one more than the version before: it
 * grows even if Redis has lost the one before. KEYS: the version first.
 */
export const CHANGE = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function change()
  local version = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, now)
  redis.call('SET', KEYS[1], string.format('%.0f', version), 'PX', ${KEEP_MS})
  return version
end
`;

/** Adds challenges, and returns the version from which on they are there. KEYS: version, challenges. ARGV: node, then name and offer of each. */
const PUBLISH = new Script(`${CHANGE}
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], string.format('%.0f %s %s', now, ARGV[1], ARGV[i + 1]))
end
redis.call('PEXPIRE', KEYS[2], ${KEEP_MS})
return string.format('%.0f', change())
`);

/** KEYS: version, challenges. ARGV: the names of challenges. */
const WITHDRAW = new Script(`${CHANGE}
for i = 1, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
change()
return 1
`);

/**
 * Notes that a node follows since a version, and returns the version, the one that all nodes follow, and, if it has changed,
 * the open challenges of other nodes and what was issued since. KEYS: version, challenges, nodes, what was issued. ARGV: the
 * node, the version that it follows.
 */
const LOOK = new Script(`${CHANGE}
redis.call('HSET', KEYS[3], ARGV[1], string.format('%s %.0f', ARGV[2], now))
redis.call('PEXPIRE', KEYS[3], ${KEEP_MS})
local challenges = redis.call('HGETALL', KEYS[2])
local open = {}
local dropped = false
for i = 1, #challenges, 2 do
  local at, node, offer = string.match(challenges[i + 1], '^(%d+) (%S+) (.*)$')
  if not at or now - at > ${CHALLENGE_MS} then
    redis.call('HDEL', KEYS[2], challenges[i])
    dropped = true
  elseif node ~= ARGV[1] then
    open[#open + 1] = offer
  end
end
if dropped then change() end
local version = tonumber(redis.call('GET', KEYS[1]) or '0')
local least = version
local nodes = redis.call('HGETALL', KEYS[3])
for i = 1, #nodes, 2 do
  local followed, at = string.match(nodes[i + 1], '^(%S+) (%d+)$')
  if now - at > ${GONE_MS} then
    redis.call('HDEL', KEYS[3], nodes[i])
  else
    least = math.min(least, tonumber(followed))
  end
end
local answer = {string.format('%.0f', version), string.format('%.0f', least)}
if version ~= tonumber(ARGV[2]) then
  answer[3] = open
  answer[4] = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[2], '+inf')
end
return answer
`);

type LookAnswer = readonly [
  version: string,
  least: string,
  offers?: readonly string[],
  issued?: readonly string[],
];

/** The names of the keys of one authority, all in one slot of a cluster. */
export interface AcmeKeys {
  readonly version: string;
  readonly challenges: string;
  readonly nodes: string;
  readonly issued: string;
}

/**
 * What nodes tell one another about one authority: which challenges are open, so that any of them answers, and which
 * certificates have been issued. Each node looks a few times each second, and says up to which version it follows.
 */
export class AcmeNews {
  readonly #client: Pick<RedisClient, 'call'>;
  readonly #keys: AcmeKeys;
  readonly #user: AcmeStoreUser;
  /** By which the others know of this node. */
  readonly #node = randomBytes(8).toString('hex');
  /** The version that listeners follow; -1: nothing is known. */
  #followed = -1;
  /** That which all nodes followed at the last look. */
  #least = -1;
  #looking: Promise<void> | null = null;

  constructor(client: Pick<RedisClient, 'call'>, keys: AcmeKeys, user: AcmeStoreUser) {
    this.#client = client;
    this.#keys = keys;
    this.#user = user;
  }

  /** Redis has answered again: it may have lost everything. */
  begin(): void {
    this.#followed = -1;
  }

  /** Takes over what others have told. Rejects when Redis cannot be reached. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAll().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Resolves when all nodes that look answer these challenges. Rejects when Redis cannot be reached. */
  async publish(offers: readonly ChallengeOffer[]): Promise<void> {
    const { version, challenges } = this.#keys;
    const args = offers.flatMap((offer) => [challengeName(offer), JSON.stringify(offer)]);
    const since = Number(await PUBLISH.run(this.#client, [version, challenges], [this.#node, ...args]));
    const end = performance.now() + CONFIRM_MS;
    while (performance.now() < end) {
      await this.look();
      if (this.#least >= since) return;
      await wait(CONFIRM_EVERY_MS);
    }
  }

  async withdraw(offers: readonly ChallengeOffer[]): Promise<void> {
    const { version, challenges } = this.#keys;
    await WITHDRAW.run(this.#client, [version, challenges], offers.map(challengeName));
  }

  /** Other nodes no longer wait for this one. */
  async leave(): Promise<void> {
    await this.#client.call('HDEL', [this.#keys.nodes, this.#node]);
  }

  async #lookAll(): Promise<void> {
    // Once more after a change, which says that it is followed.
    do {} while (await this.#lookOnce());
  }

  /** Has anything changed? */
  async #lookOnce(): Promise<boolean> {
    const { version, challenges, nodes, issued } = this.#keys;
    const before = this.#followed;
    const answer = await LOOK.run(
      this.#client,
      [version, challenges, nodes, issued],
      [this.#node, `${before}`],
    );
    const [now, least, offers, changed] = answer as LookAnswer;
    this.#least = Number(least);
    if (offers === undefined) return false;
    await this.#user.onChallenges(this.#read(offers));
    // Redis may have been lost meanwhile.
    if (this.#followed !== before) return true;
    this.#followed = Number(now);
    const names = new Set(changed);
    const isAll = before < 0 || this.#followed < before;
    if (isAll || names.size > 0) this.#user.onNews((hosts) => isAll || names.has(setName(hosts)));
    return true;
  }

  #read(offers: readonly string[]): ChallengeOffer[] {
    return offers.flatMap((text) => {
      try {
        return [readOffer(text)];
      } catch (error) {
        this.#user.warn(`acme: a challenge in Redis cannot be understood: ${(error as Error).message}`);
        return [];
      }
    });
  }
}

/** Throws when the text is no challenge. */
function readOffer(text: string): ChallengeOffer {
  const { host, token, keyAuthorization, pair } = JSON.parse(text) as Partial<ChallengeOffer>;
  if (typeof host !== 'string' || typeof token !== 'string' || typeof keyAuthorization !== 'string')
    throw new Error('it has no host, token or key authorization');
  const isPair = typeof pair?.cert === 'string' && typeof pair.key === 'string';
  return { host, token, keyAuthorization, pair: isPair ? { cert: pair.cert, key: pair.key } : null };
}

/** What a certificate for these names is called in keys, whatever their order: one of them, and a digest of all. */
export function setName(hosts: readonly string[]): string {
  const sorted = [...hosts].sort();
  const digest = createHash('sha256').update(sorted.join(' ')).digest('hex');
  return `${sorted[0]}:${digest.slice(0, 16)}`;
}
