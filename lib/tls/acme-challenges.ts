import type { ChallengeOffer } from './acme-protocol.js';
import type { PemPair } from './acme-source.js';
import { CHALLENGE_PATH, type ChallengeToken } from './published-certificates.js';

/** The challenges of all orders that are being proved now: of http-01 by their token, of tls-alpn-01 by their host. */
export class AcmeChallenges {
  readonly #byToken = new Map<string, string>();
  readonly #onTokens: (tokens: readonly ChallengeToken[]) => Promise<void>;
  /** By host; the last is the newest. */
  readonly #certificates = new Map<string, PemPair[]>();

  /** `onTokens` is told of all open ones of http-01 after each change, and resolves when they are answered. */
  constructor(onTokens: (tokens: readonly ChallengeToken[]) => Promise<void> = async () => {}) {
    this.#onTokens = onTokens;
  }

  /** Is none open? */
  get isEmpty(): boolean {
    return this.#byToken.size === 0 && this.#certificates.size === 0;
  }

  /** Resolves when the challenge is answered, if it is one of http-01. */
  async add({ host, token, keyAuthorization, pair }: ChallengeOffer): Promise<void> {
    if (pair !== null) {
      this.#certificates.set(host, [...(this.#certificates.get(host) ?? []), pair]);
      return;
    }
    this.#byToken.set(token, keyAuthorization);
    await this.#tokensChanged();
  }

  remove({ host, token, pair }: ChallengeOffer): void {
    if (this.#byToken.delete(token)) void this.#tokensChanged();
    const left = (this.#certificates.get(host) ?? []).filter((other) => other !== pair);
    if (left.length === 0) this.#certificates.delete(host);
    else this.#certificates.set(host, left);
  }

  #tokensChanged(): Promise<void> {
    return this.#onTokens([...this.#byToken].map(([token, answer]) => ({ token, answer })));
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
