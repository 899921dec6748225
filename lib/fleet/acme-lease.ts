import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/timer-wheel.js';
import type { RedisClient } from './redis-client.js';
import { Script } from './script.js';

/** Takes the lease, or extends it. KEYS: the lease. ARGV: who holds it, for how many ms. Returns 0 when another holds it. */
const TAKE = new Script(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** Gives the lease back if it is that of this holder, and not already that of another one. */
const GIVE_BACK = new Script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

export interface AcmeLeaseTerms {
  readonly clock: Clock;
  readonly key: string;
  /** Of this node, for people who read the key. */
  readonly node: string;
  /** How long it lasts without being extended, in ms. */
  readonly leaseMs: number;
}

/**
 * Which node orders certificates: a key in Redis that expires. The holder extends it at a third of its time; a node that ends
 * without giving it back is followed by another one when it has expired.
 */
export class AcmeLease {
  readonly #client: Pick<RedisClient, 'call'>;
  readonly #terms: AcmeLeaseTerms;
  readonly #holder: string;
  /** By the clock of this node, counted from before Redis was asked: it never lasts longer here than there. */
  #until = Number.NEGATIVE_INFINITY;
  #extendAt = Number.POSITIVE_INFINITY;
  /** How often it was given back or lost: an answer to a question from before says nothing. */
  #round = 0;

  constructor(client: Pick<RedisClient, 'call'>, terms: AcmeLeaseTerms) {
    this.#client = client;
    this.#terms = terms;
    this.#holder = `${randomBytes(12).toString('hex')} ${terms.node}`;
  }

  get isHeld(): boolean {
    return this.#terms.clock.now() < this.#until;
  }

  /** Is it held now? Rejects when Redis cannot be reached. */
  async take(): Promise<boolean> {
    const { clock, key, leaseMs } = this.#terms;
    const from = clock.now();
    const round = this.#round;
    this.#extendAt = from + leaseMs / 3;
    const taken = await TAKE.run(this.#client, [key], [this.#holder, leaseMs]);
    if (round !== this.#round) return false;
    if (taken === 1) this.#until = from + leaseMs;
    else this.#forget();
    return this.isHeld;
  }

  /** Extends it when it is time to, or `atOnce`. What fails is tried again at the next time. */
  extend(atOnce = false): void {
    if (this.#extendAt === Number.POSITIVE_INFINITY) return;
    if (atOnce || this.#terms.clock.now() >= this.#extendAt) this.take().catch(() => {});
  }

  async giveBack(): Promise<void> {
    if (this.#extendAt === Number.POSITIVE_INFINITY) return;
    this.#forget();
    await GIVE_BACK.run(this.#client, [this.#terms.key], [this.#holder]);
  }

  #forget(): void {
    this.#round++;
    this.#until = Number.NEGATIVE_INFINITY;
    this.#extendAt = Number.POSITIVE_INFINITY;
  }
}
