import { Worker } from 'node:worker_threads';
import type { Clock } from '../base/timer-wheel.js';
import { titleOf } from './certificate.js';
import type { KeyPair } from './key-pair.js';

/** What the thread is started with; certificates as DER. */
export interface OcspFetch {
  readonly leaf: Uint8Array;
  readonly issuer: Uint8Array;
  readonly url: string;
  /** Unix time in ms. */
  readonly now: number;
}

/** What the thread answers. */
export type OcspFetched =
  | {
      readonly kind: 'fetched';
      readonly response: Uint8Array;
      readonly status: 'good' | 'revoked' | 'unknown';
      readonly thisUpdate: number;
      readonly nextUpdate: number | null;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** The response of an OCSP responder, which is replaced from time to time. */
export interface Staple {
  readonly response: Buffer | null;
}

export interface StaplerDeps {
  readonly clock: Clock;
  readonly warning: (line: string) => void;
  /** Called with each response, by the fingerprint of the certificate; null: there is none any more. */
  readonly onResponse?: (fingerprint: string, response: Buffer | null) => void;
  /** By default in a thread: the library takes 200 ms to load. Must not reject. */
  readonly fetch?: (what: OcspFetch) => Promise<OcspFetched>;
}

/** How often the ages of responses are looked at, in ms. */
const LOOK_EVERY = 60_000;
/** Without a time for the next update, and at most, a response is fetched anew after an hour, in ms. */
const REFRESH_MOST = 3_600_000;
/** After a failure, in ms: doubled each time. */
const FIRST_RETRY = 60_000;
const LAST_RETRY = 3_600_000;

/** The response for one certificate. */
class KeptResponse implements Staple {
  readonly pair: KeyPair;
  #response: Buffer | null = null;
  readonly #onResponse: (fingerprint: string, response: Buffer | null) => void;
  /** Unix time in ms, as `refreshAt`; null: it does not age. */
  validUntil: number | null = null;
  refreshAt = 0;
  failures = 0;
  fetching: Promise<void> | null = null;

  constructor(pair: KeyPair, onResponse: (fingerprint: string, response: Buffer | null) => void) {
    this.pair = pair;
    this.#onResponse = onResponse;
  }

  get response(): Buffer | null {
    return this.#response;
  }

  set response(response: Buffer | null) {
    if (response === this.#response) return;
    this.#response = response;
    this.#onResponse(this.pair.leaf.facts.fingerprint, response);
  }
}

/**
 * Keeps the responses of OCSP responders for the certificates that ask to be stapled (RFC 7633). Nothing of a handshake
 * waits for it: a response is fetched when half of its time is over, and dropped when it is too old.
 */
export class OcspStapler {
  readonly #clock: Clock;
  readonly #warning: (line: string) => void;
  readonly #fetch: (what: OcspFetch) => Promise<OcspFetched>;
  readonly #onResponse: (fingerprint: string, response: Buffer | null) => void;
  readonly #kept = new Map<string, KeptResponse>();
  readonly #stop: () => void;
  #isStopped = false;

  constructor({ clock, warning, onResponse = () => {}, fetch = fetchInThread }: StaplerDeps) {
    this.#onResponse = onResponse;
    this.#clock = clock;
    this.#warning = warning;
    this.#fetch = fetch;
    this.#stop = clock.every(LOOK_EVERY, () => this.#look());
  }

  /** Where the response for a certificate is, and will be; null when it asks for none, or none can be had. */
  readonly stapleFor = (pair: KeyPair): Staple | null => {
    const { mustStaple, ocspUrl, facts } = pair.leaf;
    if (!mustStaple || ocspUrl === null || pair.chain.length === 0) return null;
    const known = this.#kept.get(facts.fingerprint);
    if (known !== undefined) return known;
    const kept = new KeptResponse(pair, this.#onResponse);
    this.#kept.set(facts.fingerprint, kept);
    void this.#refresh(kept);
    return kept;
  };

  /** Forgets the certificates that are none of these. */
  keep(pairs: Iterable<KeyPair>): void {
    const left = new Set<string>();
    for (const { leaf } of pairs) left.add(leaf.facts.fingerprint);
    for (const [key, kept] of this.#kept) {
      if (left.has(key)) continue;
      this.#kept.delete(key);
      kept.response = null;
    }
  }

  /** Resolves when each response was fetched once, or the fetching has failed. */
  async settled(): Promise<void> {
    for (const { fetching } of [...this.#kept.values()]) await fetching;
  }

  stop(): void {
    this.#isStopped = true;
    this.#stop();
  }

  #look(): void {
    const now = this.#clock.wall();
    for (const kept of this.#kept.values()) {
      if (kept.validUntil !== null && kept.validUntil <= now) kept.response = null;
      if (kept.refreshAt <= now) void this.#refresh(kept);
    }
  }

  #refresh(kept: KeptResponse): Promise<void> {
    kept.fetching ??= this.#fetchNow(kept).finally(() => {
      kept.fetching = null;
    });
    return kept.fetching;
  }

  async #fetchNow(kept: KeptResponse): Promise<void> {
    const { leaf, chain } = kept.pair;
    const fetched = await this.#fetch({
      leaf: leaf.x509.raw,
      issuer: (chain[0] as KeyPair['leaf']).x509.raw,
      url: leaf.ocspUrl as string,
      now: this.#clock.wall(),
    });
    // It may have been dropped meanwhile.
    if (this.#isStopped || this.#kept.get(leaf.facts.fingerprint) !== kept) return;
    const now = this.#clock.wall();
    if (fetched.kind === 'failed') {
      this.#failed(kept, fetched.reason, now);
      return;
    }
    const { response, status, thisUpdate, nextUpdate } = fetched;
    if (status !== 'good') this.#warning(`the OCSP responder says that ${nameOf(kept)} is ${status}`);
    // A response that says "unknown" is worth less than none.
    kept.response = status === 'unknown' ? null : Buffer.from(response);
    kept.validUntil = nextUpdate;
    const half = nextUpdate === null ? now + REFRESH_MOST : (thisUpdate + nextUpdate) / 2;
    kept.refreshAt = Math.max(now + FIRST_RETRY, Math.min(half, now + REFRESH_MOST));
    kept.failures = 0;
  }

  #failed(kept: KeptResponse, reason: string, now: number): void {
    kept.refreshAt = now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** kept.failures);
    kept.failures++;
    // Told once, not at every try.
    if (kept.failures === 1)
      this.#warning(
        `no OCSP response for ${nameOf(kept)} from ${kept.pair.leaf.ocspUrl}: ${reason}; it is tried again`,
      );
  }
}

function nameOf({ pair }: KeptResponse): string {
  return titleOf(pair.leaf.facts);
}

function fetchInThread(what: OcspFetch): Promise<OcspFetched> {
  return new Promise((resolve) => {
    const fail = (reason: string): void => resolve({ kind: 'failed', reason });
    try {
      const worker = new Worker(new URL('./ocsp-worker.js', import.meta.url), {
        workerData: what,
        execArgv: [],
      });
      worker.once('message', (fetched: OcspFetched) => resolve(fetched));
      worker.once('error', (error: Error) => fail(error.message));
      worker.once('exit', () => fail('its thread has ended'));
      // The program may end while it waits for a responder.
      worker.unref();
    } catch (error) {
      fail((error as Error).message);
    }
  });
}
