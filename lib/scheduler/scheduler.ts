import type { LatencyEstimate } from './latency-estimate.js';

/** What a scheduler may know of a server. */
export interface Candidate {
  /** Requests in flight on it. */
  readonly active: number;
  /** Its share of the work as against the others', now: more than 0. */
  readonly effectiveWeight: number;
  /** Requests it takes at once, now; infinite when it has no limit. */
  readonly capacity: number;
  /** 31 bits that stand for its name: the same in every process. */
  readonly hash: number;
  readonly latency: LatencyEstimate;
}

/** 31 bits that stand for what a request is told apart by (its client, its path, one of its fields); or `NO_KEY`. */
export type PickKey = number;

/** The request has nothing of the kind, or nobody asked for it. */
export const NO_KEY: PickKey = -1;

/** A number from 0 up to 1, never 1, evenly: `Math.random`, or one with a seed. */
export type RandomSource = () => number;

/** Chooses one of several servers. Synchronous, allocates nothing, knows nothing of health or sockets. */
export interface Scheduler {
  /** Does it go by the latency of candidates? What nobody goes by is not estimated. */
  readonly readsLatency?: boolean;
  /**
   * The index of the one to use next. `candidates` is never empty. It is another list when servers come, go or change
   * their weight, and for a further attempt of one request; the same list always has the same servers.
   */
  pick(candidates: readonly Candidate[], key: PickKey): number;
}
