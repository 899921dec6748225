/** What a server has done since it is known: only ever more. */
export class ServerCounters {
  /** Attempts that got a connection. */
  requests = 0;
  /** Answers by the first digit of their status, up to 9; `[0]` counts nothing. */
  readonly responses: number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** Attempts that ended without a whole answer and by no fault of the client. */
  failures = 0;
  connectFailures = 0;
  /** Connections that were cut in mid-request. */
  resets = 0;
  /** Attempts made here because another server had failed. */
  retries = 0;
  /** Body bytes sent to it. */
  bytesIn = 0;
  /** Body bytes it sent. */
  bytesOut = 0;
}

/** A server that has changed, and has not told all of its groups yet. */
export interface PendingChange {
  /** Tells this one now, if it has the server. */
  notify(group: object): void;
}

/** Changes that are kept: a group that has missed more of them looks at all servers anew. */
const KEPT = 8192;

/**
 * Which servers a request has begun or ended on, in order. Groups that go by the load of many servers read on from where
 * they were when they pick, so that a request costs one entry however many groups have its server, and a group that
 * is not asked costs nothing. One for all servers of a balancer.
 */
export class LoadLog {
  readonly #ids = new Int32Array(KEPT);
  #nextId = 0;
  /** A group that picks asks for these. */
  readonly pending: PendingChange[] = [];
  /** Groups that read it. */
  readers = 0;
  /** Entries written so far. */
  end = 0;

  /** The number of one more server. */
  newId(): number {
    return this.#nextId++;
  }

  write(id: number): void {
    this.#ids[this.end % KEPT] = id;
    this.end++;
  }

  /** The number of the server of an entry. */
  at(entry: number): number {
    return this.#ids[entry % KEPT] as number;
  }

  /** Is an entry still there, and all after it? */
  has(entry: number): boolean {
    return this.end - entry <= KEPT;
  }
}
