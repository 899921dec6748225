import type { RenewalWindow } from './acme-schedule.js';
import type { PemPair } from './acme-source.js';

/** What the thread that speaks ACME is started with. */
export interface AcmeThreadSettings {
  /** The URL of the directory. */
  readonly directory: string;
  /** PEM of the authorities that may have signed the directory's own certificate; null: those of the system. */
  readonly ca: string | null;
  readonly userAgent: string;
}

/** The account at an authority; `url` is null before it was registered. */
export interface AccountKey {
  readonly key: string;
  readonly url: string | null;
}

export interface RegisterWork {
  readonly kind: 'register';
  /** The key that it has already; null: a new one is made. */
  readonly key: string | null;
  readonly email: string | null;
  readonly externalAccount: { readonly kid: string; readonly hmacKey: string } | null;
}

export interface OrderWork {
  readonly kind: 'order';
  readonly account: AccountKey;
  readonly names: readonly string[];
  readonly challenge: 'http-01' | 'tls-alpn-01';
  /** PEM of the certificate that the new one replaces (RFC 9773, 5); null: it is the first. */
  readonly replaces: string | null;
}

export interface SelfSignWork {
  readonly kind: 'self_sign';
  readonly names: readonly string[];
}

/** Asks when the authority suggests renewing this certificate. */
export interface WindowWork {
  readonly kind: 'window';
  readonly cert: string;
}

export type AcmeWork = RegisterWork | OrderWork | SelfSignWork | WindowWork;

/** What the answer to a work is. */
export interface AcmeAnswers {
  readonly register: { readonly key: string; readonly url: string };
  readonly order: PemPair;
  readonly self_sign: PemPair;
  /** `window` is null when the directory does not offer this. */
  readonly window: { readonly window: RenewalWindow | null; readonly retryAfterMs: number };
}

/** An answer that the authority is about to ask for. */
export interface ChallengeOffer {
  readonly host: string;
  readonly token: string;
  readonly keyAuthorization: string;
  /** For tls-alpn-01: the certificate that answers it (RFC 8737, 3). */
  readonly pair: PemPair | null;
}

/** What a challenge is called, among those of all orders. */
export function challengeName({ host, token }: ChallengeOffer): string {
  return `${host} ${token}`;
}

/** Why something failed, as plain data that threads can hand over. */
export interface AcmeProblem {
  /** The last part of the type (RFC 8555, 6.7): `rateLimited`, `connection`. Of our own: `unreachable`, `timeout`, `bad_answer`. */
  readonly type: string;
  /** One line for people. */
  readonly message: string;
  /** As Retry-After has it; 0: nothing was said. */
  readonly retryAfterMs: number;
}

/** From the balancer to the thread. */
export type ToThread =
  | { readonly kind: 'work'; readonly id: number; readonly work: AcmeWork }
  /** All offers of this order can be asked for. */
  | { readonly kind: 'offered'; readonly id: number };

/** From the thread to the balancer. */
export type FromThread =
  | { readonly kind: 'offers'; readonly id: number; readonly offers: readonly ChallengeOffer[] }
  | { readonly kind: 'done'; readonly id: number; readonly answer: AcmeAnswers[keyof AcmeAnswers] }
  | { readonly kind: 'failed'; readonly id: number; readonly problem: AcmeProblem };

/** Thrown for a problem; the message is that of the problem. */
export class AcmeError extends Error {
  readonly problem: AcmeProblem;

  constructor(problem: AcmeProblem) {
    super(problem.message);
    this.name = 'AcmeError';
    this.problem = problem;
  }
}
