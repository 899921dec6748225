import type { Clock } from '../base/timer-wheel.js';
import type { OpenAcmeStore } from '../tls/acme-store.js';
import type { FleetLink, LinkState } from './fleet-link.js';
import { RedisAcmeStore } from './redis-acme-store.js';

/** How long a start waits for the first answer of Redis, in ms. */
const FIRST_ANSWER_MS = 2500;

export interface SharedAcmeTerms {
  readonly clock: Clock;
  readonly prefix: string;
  readonly node: string;
}

/** What this node shares of ACME with others: a store for each authority that it orders from. */
export class SharedAcme {
  readonly #link: FleetLink;
  readonly #terms: SharedAcmeTerms;
  readonly #stores = new Set<RedisAcmeStore>();
  readonly #waiting = new Set<() => void>();
  #wasLost = false;

  constructor(link: FleetLink, terms: SharedAcmeTerms) {
    this.#link = link;
    this.#terms = terms;
  }

  /** Opens a store, which is followed until it is closed. */
  readonly open: OpenAcmeStore = ({ store, directory }, user) => {
    const opened = new RedisAcmeStore(
      this.#link,
      {
        ...this.#terms,
        store,
        directory,
        untilKnown: () => this.#untilKnown(),
        onClose: (closed) => this.#stores.delete(closed),
      },
      user,
    );
    this.#stores.add(opened);
    return opened;
  };

  /** Called a few times each second while Redis answers. Rejects when it does not any more. */
  async round(): Promise<void> {
    await Promise.all([...this.#stores].map((store) => store.look()));
  }

  /** Whether Redis answers has changed. */
  noteState(state: LinkState): void {
    for (const resolve of this.#waiting) resolve();
    if (state === 'lost') this.#wasLost = true;
    if (state === 'shared') for (const store of this.#stores) store.begin(this.#wasLost);
  }

  /** Resolves when Redis has answered or failed to, and after 2.5 seconds in any case. */
  #untilKnown(): Promise<void> {
    if (this.#link.state !== 'connecting') return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, FIRST_ANSWER_MS);
      this.#waiting.add(end);
    });
  }
}
