import type { Digest } from './keyed-hash.js';
import { NewsRing, RING_HEAD } from './news-ring.js';

/** Keys whose limit is shared by leases at the same time. */
export const LEASES = 16_384;
/** Keys that ask for a lease between two rounds of the control plane; others ask again. */
const REQUESTS = 1024;

/** Words of the whole table. */
const MODE = 0;
const NODES = 1;
const HEAD_WORDS = 16;
/** A request for a lease: the digest, and the terms as floats. The ring begins at an even word, as its head has two. */
const REQUEST_WORDS = 8;
/** A lease: tokens held, requests since the last round, and how far below none tokens may go. */
const LEASE_WORDS = 4;
const HELD = 0;
const DEMAND = 1;
const CREDIT = 2;
const LEASES_AT = HEAD_WORDS + RING_HEAD + REQUESTS * REQUEST_WORDS;
const WORDS = LEASES_AT + LEASES * LEASE_WORDS;

/** alone: no other node has a part in a limit. apart: each has its share. shared: by leases. */
export type LimitMode = 'alone' | 'apart' | 'shared';
const MODES: readonly LimitMode[] = ['alone', 'apart', 'shared'];

/** A key that is used beyond the share of this node. */
export interface LeaseRequest {
  readonly low: number;
  readonly high: number;
  readonly interval: number;
  readonly depth: number;
}

/**
 * What other nodes have to do with the rate limits of this one, for all threads: which part of a limit is this node's, and
 * the tokens that it holds of keys whose limit is shared. Requests spend them here; the control plane tops them up.
 */
export class RateLeases {
  /** Only the head, as long as a thread is alone and nothing was shared. */
  words: Int32Array;
  floats: Float64Array;
  #requests: NewsRing;

  constructor(memory: SharedArrayBuffer | null) {
    const own = memory ?? new SharedArrayBuffer(4 * HEAD_WORDS);
    this.words = new Int32Array(own);
    this.floats = new Float64Array(own);
    this.#requests = ringIn(this.words);
  }

  /** The system commits a page of it when it is first written. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * WORDS);
  }

  get mode(): LimitMode {
    return MODES[this.words[MODE] as number] as LimitMode;
  }

  /** Has no other node a part in the limits? Asked for each decision. */
  get isAlone(): boolean {
    return this.words[MODE] === 0;
  }

  get isShared(): boolean {
    return this.words[MODE] === 2;
  }

  /** A limit divided by this is the share of this node. */
  get nodes(): number {
    return this.words[NODES] as number;
  }

  /** In force for all threads with the next decision; called by the control plane. */
  setMode(mode: LimitMode, nodes: number): void {
    if (this.words.length < WORDS) {
      const memory = RateLeases.memory();
      this.words = new Int32Array(memory);
      this.floats = new Float64Array(memory);
      this.#requests = ringIn(this.words);
    }
    Atomics.store(this.words, NODES, Math.max(1, nodes));
    Atomics.store(this.words, MODE, MODES.indexOf(mode));
  }

  /** Spends a token that is held, if there is one. */
  spend(lease: number): boolean {
    const { words } = this;
    const at = LEASES_AT + lease * LEASE_WORDS;
    Atomics.add(words, at + DEMAND, 1);
    if (Atomics.sub(words, at + HELD, 1) > -(words[at + CREDIT] as number)) return true;
    Atomics.add(words, at + HELD, 1);
    return false;
  }

  /** Asks the control plane for a lease; false if too many have asked since its last round. */
  request(client: Digest, interval: number, depth: number): boolean {
    const { words, floats } = this;
    const number = this.#requests.claim();
    if (number === -1) return false;
    const at = this.#requests.at(number);
    words[at + 1] = client[0] as number;
    words[at + 2] = client[1] as number;
    floats[(at + 4) >> 1] = interval;
    floats[(at + 6) >> 1] = depth;
    this.#requests.publish(number);
    return true;
  }

  /** The keys for which a lease was asked since the last call; for the control plane, as all that follows. */
  takeRequests(): LeaseRequest[] {
    const { words, floats } = this;
    const requests: LeaseRequest[] = [];
    for (const at of this.#requests.read())
      requests.push({
        low: words[at + 1] as number,
        high: words[at + 2] as number,
        interval: floats[(at + 4) >> 1] as number,
        depth: floats[(at + 6) >> 1] as number,
      });
    return requests;
  }

  /** A lease begins, before a bucket refers to it. */
  begin(lease: number, held: number, credit: number): void {
    const at = LEASES_AT + lease * LEASE_WORDS;
    Atomics.store(this.words, at + HELD, held);
    Atomics.store(this.words, at + DEMAND, 0);
    Atomics.store(this.words, at + CREDIT, credit);
  }

  /** Requests since the last call, refused ones included. */
  takeDemand(lease: number): number {
    const at = LEASES_AT + lease * LEASE_WORDS + DEMAND;
    return Atomics.load(this.words, at) === 0 ? 0 : Atomics.exchange(this.words, at, 0);
  }

  /** Tokens that are held; below 0 those that were spent on credit. */
  held(lease: number): number {
    return Atomics.load(this.words, LEASES_AT + lease * LEASE_WORDS + HELD);
  }

  /** Adds tokens, or takes them away. */
  add(lease: number, tokens: number): void {
    if (tokens !== 0) Atomics.add(this.words, LEASES_AT + lease * LEASE_WORDS + HELD, tokens);
  }

  setCredit(lease: number, credit: number): void {
    Atomics.store(this.words, LEASES_AT + lease * LEASE_WORDS + CREDIT, credit);
  }
}

function ringIn(words: Int32Array): NewsRing {
  return new NewsRing(words, HEAD_WORDS, REQUESTS, REQUEST_WORDS);
}
