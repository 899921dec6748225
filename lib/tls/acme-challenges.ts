import type { ChallengeOffer } from './acme-protocol.js';
import type { PemPair } from './acme-source.js';
import { CHALLENGE_PATH, type ChallengeToken } from './published-certificates.js';

/** The answer to a token of http-01, and how often it was added: a manager and its successor add the same ones. */
interface OpenToken {
  readonly answer: string;
  readonly adds: number;
}

/** The challenges of all orders that are being proved now: of http-01 by their token, of tls-alpn-01 by their host. */
export class AcmeChallenges {
  readonly #byToken = new Map<string, OpenToken>();
  readonly #onTokens: (tokens: readonly ChallengeToken[]) => Promise<void>;
  /** By host; the last is the newest. */
  readonly #certificates = new Map<string, PemPair[]>();

  /** `onTokens` is called with all open ones of http-01 after each change, and resolves when they are answered. */
  constructor(onTokens: (tokens: readonly ChallengeToken[]) => Promise<void> = async () => {}) {
    this.#onTokens = onTokens;
  }

  /** Is none open? */
  get isEmpty(): boolean {
    return this.#byToken.size === 0 && this.#certificates.size === 0;
  }

  /** Resolves when the challenge is answered, if it is one of http-01. It is to be removed as often as it was added. */
  async add({ host, token, keyAuthorization, pair }: ChallengeOffer): Promise<void> {
    if (pair !== null) {
      this.#certificates.set(host, [...(this.#certificates.get(host) ?? []), pair]);
      return;
    }
    const adds = (this.#byToken.get(token)?.adds ?? 0) + 1;
    this.#byToken.set(token, { answer: keyAuthorization, adds });
    await this.#tokensChanged();
  }

  remove({ host, token, pair }: ChallengeOffer): void {
    if (pair === null) {
      this.#removeToken(token);
      return;
    }
    const left = (this.#certificates.get(host) ?? []).filter((other) => other !== pair);
    if (left.length === 0) this.#certificates.delete(host);
    else this.#certificates.set(host, left);
  }

  #removeToken(token: string): void {
    const open = this.#byToken.get(token);
    if (open === undefined) return;
    if (open.adds > 1) {
      this.#byToken.set(token, { ...open, adds: open.adds - 1 });
      return;
    }
    this.#byToken.delete(token);
    void this.#tokensChanged();
  }

  #tokensChanged(): Promise<void> {
    return this.#onTokens([...this.#byToken].map(([token, { answer }]) => ({ token, answer })));
  }

  /** The answer to a request for this path; null: it is no open challenge. */
  answerFor(path: string): string | null {
    return path.startsWith(CHALLENGE_PATH)
      ? (this.#byToken.get(path.slice(CHALLENGE_PATH.length))?.answer ?? null)
      : null;
  }

  certificateFor(host: string): PemPair | null {
    return this.#certificates.get(host)?.at(-1) ?? null;
  }
}
