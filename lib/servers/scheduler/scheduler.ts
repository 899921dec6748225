import type { LatencyEstimate } from './latency-estimate.js';

/** What a scheduler may know of a server. */
export interface Candidate {
  /** Requests in flight on it. */
  readonly active: number;
  /** Its share of the work as against the others', now: more than 0 while it may be picked. */
  readonly effectiveWeight: number;
  /** Requests it takes at once, now; infinite when it has no limit. */
  readonly capacity: number;
  /** 31 bits that stand for its name: the same in every process. */
  readonly hash: number;
  readonly latency: LatencyEstimate;
}

/** 31 bits that stand for what a request is told apart by (its client, its path, one of its fields); or `NO_KEY`. */
export type PickKey = number;

/** The request has no such value, or no algorithm asks for one. */
export const NO_KEY: PickKey = -1;

/** What `pick` returns when there is no candidate that was not tried. */
export const NOBODY = -1;

/** 31 random bits as a number, each as likely as any other: `randomBits()`, or with a seed. */
export type RandomSource = () => number;

/**
 * Above so many candidates, a scheduler that goes by the load of each is told of every request that begins or ends on
 * one (`noteLoad`), and keeps them sorted. Up to so many it looks at each of them, which takes 0.1 µs: then a server
 * that thousands of groups share does not have to tell each of them of each request.
 */
export const SCAN_LIMIT = 32;

/**
 * Chooses one of several servers. It is made for a list of candidates, which it calls by their indexes, and told of each
 * change of one. The list may become longer, and the place of one that has left may go to another one. A pick is
 * synchronous, allocates nothing, and takes no longer the more candidates there are: what it needs to know of them is
 * kept up by the changes. It knows nothing of health or sockets.
 */
export interface Scheduler {
  /** Must `noteLoad` be called? */
  readonly followsLoad: boolean;
  /** The candidate may be picked from now on; at first none may. */
  include(index: number): void;
  /** It may not be picked any more. */
  exclude(index: number): void;
  /** The weight or the capacity of one that may be picked is another one. */
  reweigh(index: number): void;
  /** One that may be picked has more or fewer requests in flight. */
  noteLoad(index: number): void;
  /** The list of candidates has become longer. Those that are new may not be picked yet. */
  grow(): void;
  /** One that may not be picked has left for good: the next candidate with its index is another one. */
  forget(index: number): void;
  /** The index of the one to use next, none of `tried`; `NOBODY` when there is none left. */
  pick(key: PickKey, tried: readonly number[]): number;
}

/** How long arrays have to be for `length` candidates, where they have been `before`: they grow in few steps. */
export function roomFor(length: number, before: number): number {
  return length <= before ? before : Math.max(length, 2 * before);
}

/** The same numbers, and room for more of them. */
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

/** A way to choose, from which each group of servers gets schedulers of its own. */
export interface Algorithm {
  readonly create: (candidates: readonly Candidate[]) => Scheduler;
  /**
   * Is a server that is at its limit passed over while another one has room? Not where a key or the order of the list
   * says who serves.
   */
  readonly avoidsFull: boolean;
  /** Does the order of the list say who serves? Then indexes are in that order. */
  readonly followsOrder: boolean;
  /** Does it go by the latency of candidates? If no algorithm does, nothing is estimated. */
  readonly readsLatency: boolean;
}
