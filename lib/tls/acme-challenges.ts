import type { ChallengeOffer } from './acme-protocol.js';
import type { PemPair } from './acme-source.js';

/** Where an authority asks for the answer to http-01 (RFC 8555, 8.3). */
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';

/** The challenges of all orders that are being proved now: of http-01 by their token, of tls-alpn-01 by their host. */
export class AcmeChallenges {
  readonly #byToken = new Map<string, string>();
  readonly #onChange: (areOpen: boolean) => void;
  /** By host; the last is the newest. */
  readonly #certificates = new Map<string, PemPair[]>();

  /** `onChange` is told when there is a first of http-01, and when there is none any more. */
  constructor(onChange: (areOpen: boolean) => void = () => {}) {
    this.#onChange = onChange;
  }

  /** Is none open? */
  get isEmpty(): boolean {
    return this.#byToken.size === 0 && this.#certificates.size === 0;
  }

  add({ host, token, keyAuthorization, pair }: ChallengeOffer): void {
    if (pair !== null) {
      this.#certificates.set(host, [...(this.#certificates.get(host) ?? []), pair]);
      return;
    }
    this.#byToken.set(token, keyAuthorization);
    if (this.#byToken.size === 1) this.#onChange(true);
  }

  remove({ host, token, pair }: ChallengeOffer): void {
    if (this.#byToken.delete(token) && this.#byToken.size === 0) this.#onChange(false);
    const left = (this.#certificates.get(host) ?? []).filter((other) => other !== pair);
    if (left.length === 0) this.#certificates.delete(host);
    else this.#certificates.set(host, left);
  }

  /** What a request for this path is answered; null: it is no open challenge. */
  answerFor(path: string): string | null {
    return path.startsWith(CHALLENGE_PATH)
      ? (this.#byToken.get(path.slice(CHALLENGE_PATH.length)) ?? null)
      : null;
  }

  certificateFor(host: string): PemPair | null {
    return this.#certificates.get(host)?.at(-1) ?? null;
  }
}
