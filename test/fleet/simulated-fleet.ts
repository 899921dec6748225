import {
  COOL_MS,
  type HotKey,
  type LeaseAnswer,
  type LeaseAsk,
  type LeaseBank,
  TOLD_AGAIN_MS,
} from '../../lib/fleet/lease-bank.js';
import { LeaseKeeper } from '../../lib/fleet/lease-keeper.js';
import type { RandomSource } from '../../lib/servers/scheduler/scheduler.js';
import type { Digest } from '../../lib/shared/keyed-hash.js';
import { type BucketTerms, RateBuckets } from '../../lib/shared/rate-buckets.js';
import { RateLeases } from '../../lib/shared/rate-leases.js';

const ROUND_MS = 50;
/** So long a node keeps to its share after a command has failed: two good answers, a try apart. */
const LOST_MS = 500;
/** As in the script: keys of one call. */
const MOST_KEYS = 250;

interface Waiting {
  readonly at: number;
  readonly go: () => void;
}

export interface SimulatedNetwork {
  /** ms from a question to its answer. */
  readonly latency: number;
  /** The share of questions that fail, from 0 to 1. */
  readonly loss: number;
}

/** What the script does in Redis, on simulated time. */
export class SimulatedBank {
  now = 0;
  calls = 0;
  keys = 0;
  readonly #buckets = new Map<string, number>();
  readonly #hot = new Map<string, { readonly key: HotKey; at: number; told: number }>();
  #waiting: Waiting[] = [];
  #told = 0;

  /** The way of one node to it. */
  of(random: RandomSource, { latency, loss }: SimulatedNetwork): LeaseBank {
    let known = 0;
    return {
      exchange: (asks) =>
        new Promise((resolve, reject) => {
          this.calls += Math.max(1, Math.ceil(asks.length / MOST_KEYS));
          this.keys += asks.length;
          const isLost = random() < loss;
          this.#at(this.now + latency / 2, () => {
            if (isLost) return reject(new Error('lost'));
            const answers = asks.map((ask) => this.answer(ask));
            const hot = [...this.#hot.values()].filter(({ told }) => told > known).map(({ key }) => key);
            known = this.#told;
            this.#at(this.now + latency / 2, () => resolve({ answers, hot }));
          });
        }),
    };
  }

  /** Time passes. */
  advance(to: number): void {
    while (this.#waiting.length > 0 && (this.#waiting[0] as Waiting).at <= to) {
      const { at, go } = this.#waiting.shift() as Waiting;
      this.now = at;
      go();
    }
    this.now = to;
  }

  answer({ key, interval, depth, owed, wanted, isHot }: LeaseAsk): LeaseAnswer {
    let full = Math.max(this.#buckets.get(key) ?? 0, this.now) + owed * interval;
    let granted = 0;
    if (wanted < 0) full = Math.max(this.now, full + wanted * interval);
    else {
      granted = Math.max(0, Math.min(wanted, Math.floor((this.now + depth - full) / interval + 1e-6)));
      full += granted * interval;
    }
    this.#buckets.set(key, full);
    if (isHot) this.#tell({ key, interval, depth });
    return { granted, left: Math.max(0, Math.floor((this.now + depth - full) / interval + 1e-6)) };
  }

  #tell(key: HotKey): void {
    const known = this.#hot.get(key.key);
    if (known !== undefined && known.at >= this.now - TOLD_AGAIN_MS) return;
    // In the order in which they were told.
    this.#hot.delete(key.key);
    this.#hot.set(key.key, { key, at: this.now, told: ++this.#told });
    for (const [name, { at }] of this.#hot) {
      if (at >= this.now - COOL_MS) break;
      this.#hot.delete(name);
    }
  }

  /** The order of those with one latency is that of their times; others are put in their place. */
  #at(at: number, go: () => void): void {
    let place = this.#waiting.length;
    while (place > 0 && (this.#waiting[place - 1] as Waiting).at > at) place--;
    this.#waiting.splice(place, 0, { at, go });
  }
}

/** A node with the real limiter. */
export class SimulatedNode {
  readonly #leases = new RateLeases(null);
  readonly #buckets = new RateBuckets(null, 0, this.#leases);
  readonly keeper: LeaseKeeper;
  readonly #nodes: number;
  #roundAt: number;
  #lostUntil = 0;

  constructor(bank: LeaseBank, nodes: number, random: RandomSource) {
    this.keeper = new LeaseKeeper(this.#buckets, this.#leases, bank);
    this.#nodes = nodes;
    this.#leases.setMode('shared', nodes);
    this.#roundAt = random() * ROUND_MS;
  }

  take(client: Digest, terms: BucketTerms, now: number): boolean {
    return this.#buckets.take(client, terms, now) === 0;
  }

  advance(now: number): void {
    if (now < this.#roundAt) return;
    this.#roundAt += ROUND_MS;
    if (now < this.#lostUntil) return;
    if (this.#leases.mode === 'apart') this.#leases.setMode('shared', this.#nodes);
    this.keeper.round(now).catch(() => this.lose(now + LOST_MS, now));
  }

  /** It keeps to its share from `now` until then. */
  lose(until: number, now: number): void {
    if (this.#leases.mode === 'apart') return;
    this.#lostUntil = until;
    this.#leases.setMode('apart', this.#nodes);
    this.keeper.end(now);
  }
}
