/** What a listener asks of the certificates of clients. */
export interface ClientPolicies {
  /** The policy for a host name (lower case) at this moment; null when it is the same for all names and will not change. */
  readonly policyOf: ((name: string) => string) | null;
}

/** The open connections of one listener in all threads of a balancer. */
export interface OpenCount {
  readonly total: number;
  /** The connections of this thread have become more, or less. */
  add(count: number): void;
}

/** One listener, as its connections see it. A reload may change what it asks of them. */
export class ListenerState {
  /** Every request over plain HTTP is redirected to the same URL with https, on this port; 0: none is. */
  httpsPort = 0;
  /** null: connections are not encrypted. */
  policies: ClientPolicies | null = null;
  /** How many may be open at once; 0: as many as in all. */
  most = 0;
  /** null: this thread alone listens. */
  readonly #inAll: OpenCount | null;
  #open = 0;
  /** How many were turned away as `most` were open. */
  turnedAway = 0;

  constructor(inAll: OpenCount | null = null) {
    this.#inAll = inAll;
  }

  /** How many are open in this thread. */
  get open(): number {
    return this.#open;
  }

  set open(count: number) {
    this.#inAll?.add(count - this.#open);
    this.#open = count;
  }

  get isFull(): boolean {
    return this.most > 0 && (this.#inAll?.total ?? this.#open) >= this.most;
  }
}

/** Of connections that come from no listener of ours. */
export const NO_LISTENER = new ListenerState();
