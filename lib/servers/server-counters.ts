/** What a server has done since it was added; the counters only grow. */
export class ServerCounters {
  /** Attempts that got a connection. */
  requests = 0;
  /** Answers by the first digit of their status, up to 9; `[0]` counts nothing. */
  readonly responses: number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** Attempts that ended without a complete answer, not caused by the client. */
  failures = 0;
  connectFailures = 0;
  /** Connections that were cut during a request. */
  resets = 0;
  /** Attempts made here because another server had failed. */
  retries = 0;
  /** Body bytes sent to the server. */
  bytesIn = 0;
  /** Body bytes received from the server. */
  bytesOut = 0;
}

/** A server whose latest change is not known to all of its groups yet. */
export interface PendingChange {
  /** Gives the change to this group now, if it has the server. */
  notify(group: object): void;
}

/** The number of entries kept: a group that has missed more looks at all servers again. */
const KEPT = 8192;

/**
 * The servers on which requests have begun or ended, in order. A group that uses the load of many servers reads new
 * entries when it picks, so that a request costs one entry however many groups share its server, and an unused group
 * costs nothing. There is one log for all servers of a balancer.
 */
export class LoadLog {
  readonly #ids = new Int32Array(KEPT);
  #nextId = 0;
  /** A group that picks asks these for their changes. */
  readonly pending: PendingChange[] = [];
  /** Groups that read the log. */
  readers = 0;
  /** Entries written so far. */
  end = 0;

  /** A number for one more server. */
  newId(): number {
    return this.#nextId++;
  }

  write(id: number): void {
    this.#ids[this.end % KEPT] = id;
    this.end++;
  }

  /** The number of the server in an entry. */
  at(entry: number): number {
    return this.#ids[entry % KEPT] as number;
  }

  /** Are this entry and all later ones still kept? */
  has(entry: number): boolean {
    return this.end - entry <= KEPT;
  }
}
