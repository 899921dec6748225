import type { ChallengeOffer } from './acme-protocol.js';
import type { PemPair } from './acme-source.js';

/** Where an authority asks for the answer to http-01 (RFC 8555, 8.3). */
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';

/** The challenges of all orders that are being proved now. */
export class AcmeChallenges {
  readonly #byToken = new Map<string, string>();
  /** By host; the last is the newest. */
  readonly #certificates = new Map<string, PemPair[]>();

  /** Is none open? */
  get isEmpty(): boolean {
    return this.#byToken.size === 0;
  }

  add({ host, token, keyAuthorization, pair }: ChallengeOffer): void {
    this.#byToken.set(token, keyAuthorization);
    if (pair !== null) this.#certificates.set(host, [...(this.#certificates.get(host) ?? []), pair]);
  }

  remove({ host, token, pair }: ChallengeOffer): void {
    this.#byToken.delete(token);
    const left = (this.#certificates.get(host) ?? []).filter((other) => other !== pair);
    if (left.length === 0) this.#certificates.delete(host);
    else this.#certificates.set(host, left);
  }

  /** What a request with this path is answered, whatever it adds to the path after a `?`; null: it is no open challenge. */
  answerFor(target: string): string | null {
    if (!target.startsWith(CHALLENGE_PATH)) return null;
    const end = target.indexOf('?');
    const token = target.slice(CHALLENGE_PATH.length, end === -1 ? undefined : end);
    return this.#byToken.get(token) ?? null;
  }

  certificateFor(host: string): PemPair | null {
    return this.#certificates.get(host)?.at(-1) ?? null;
  }
}
