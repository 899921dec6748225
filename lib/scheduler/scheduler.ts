/** What a scheduler may know of a server. */
export interface Candidate {
  /** Requests in flight on it. */
  readonly active: number;
}

/** Chooses one of several servers. Synchronous, allocates nothing, knows nothing of health or sockets. */
export interface Scheduler {
  /** The index of the one to use next. `candidates` is never empty; it may be another list each time. */
  pick(candidates: readonly Candidate[]): number;
}
