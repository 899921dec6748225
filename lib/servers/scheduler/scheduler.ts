import type { LatencyEstimate } from './latency-estimate.js';

/** What a scheduler knows of a server. */
export interface Candidate {
  /** Requests in flight on it, in all threads. */
  readonly active: number;
  /** Its present weight relative to the others': more than 0 while it may be picked. */
  readonly effectiveWeight: number;
  /** Requests that it may have at once; infinite without a limit. */
  readonly capacity: number;
  /** 31 bits that stand for its name: the same in every process. */
  readonly hash: number;
  readonly latency: LatencyEstimate;
}

/** 31 bits that stand for the value requests are distributed by (client, path, a field); or `NO_KEY`. */
export type PickKey = number;

/** The request has no such value, or the algorithm needs none. */
export const NO_KEY: PickKey = -1;

/** Returned by `pick` when all candidates were tried. */
export const NO_CANDIDATE = -1;

/** Returns 31 random bits as a number, uniformly distributed: `randomBits()`, or with a seed. */
export type RandomSource = () => number;

/**
 * Above this many candidates, a scheduler that uses loads is called for every request that begins or ends (`noteLoad`),
 * and keeps the candidates sorted. Up to this many, it compares all of them, which takes 0.1 µs: then a server shared by
 * thousands of groups need not call each of them for each request.
 */
export const SCAN_LIMIT = 32;

/** The most candidates whose load is looked at in one pick from a heap, because other threads may have changed it. */
export const TRIES = 8;

/**
 * Chooses one of several servers. It is made for a list of candidates, uses their indexes, and is called for each change
 * of a candidate. The list may grow, and the index of a candidate that has left may be reused. A pick is synchronous,
 * allocates nothing, and its cost does not grow with the number of candidates: changes keep up what it needs. It knows
 * nothing of health or sockets.
 */
export interface Scheduler {
  /** Must `noteLoad` be called? */
  readonly followsLoad: boolean;
  /** The candidate may be picked from now on; at first none may be. */
  include(index: number): void;
  /** The candidate may not be picked any more. */
  exclude(index: number): void;
  /** The weight or the capacity of an included candidate has changed. */
  reweigh(index: number): void;
  /** The number of requests in flight of an included candidate has changed. */
  noteLoad(index: number): void;
  /** The list of candidates has grown. New ones are not included yet. */
  grow(): void;
  /** An excluded candidate has left for good: its index may be reused. */
  forget(index: number): void;
  /** The index of the candidate to use next, not one of `tried`; `NO_CANDIDATE` when there is none left. */
  pick(key: PickKey, tried: readonly number[]): number;
}

/** The length of arrays for `length` candidates, given their present length: they grow in few steps. */
export function roomFor(length: number, before: number): number {
  return length <= before ? before : Math.max(length, 2 * before);
}

/** A copy of the numbers, with room for more. */
export function withRoom<T extends Float64Array | Int32Array | Uint8Array>(
  numbers: T,
  room: number,
  rest = 0,
): T {
  const Kind = numbers.constructor as new (length: number) => T;
  const grown = new Kind(room);
  grown.set(numbers);
  if (rest !== 0) grown.fill(rest, numbers.length);
  return grown;
}

/** A balancing algorithm, which makes schedulers for groups of servers. */
export interface Algorithm {
  readonly create: (candidates: readonly Candidate[]) => Scheduler;
  /** Are servers at their limit skipped while another one has room? Not when a key or the order of the list decides. */
  readonly avoidsFull: boolean;
  /** Does the order of the list decide? Then indexes are in that order. */
  readonly followsOrder: boolean;
  /** Does it use latencies? If no algorithm does, they are not estimated. */
  readonly readsLatency: boolean;
}
