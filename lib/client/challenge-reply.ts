import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { ImmediateReply } from './immediate-reply.js';

/** What a request for this path is answered, `/.well-known/acme-challenge/TOKEN`; null: it is no open challenge. */
export type ChallengeAnswer = (path: string) => string | null;

/**
 * Answers a certificate authority that asks whether a host is ours (RFC 8555, 8.3). It comes before firewall, routes and
 * redirects, and is no request to be balanced. There is one while a challenge is open.
 */
export class ChallengeReply extends ImmediateReply {
  readonly #answerFor: ChallengeAnswer;
  /** For the request that `isFor` was asked about last, which is started next. */
  #answer = '';

  constructor(answerFor: ChallengeAnswer) {
    super();
    this.#answerFor = answerFor;
  }

  isFor({ method, originTarget }: RequestHead): boolean {
    if (method !== 'GET' && method !== 'HEAD') return false;
    const end = originTarget.indexOf('?');
    const answer = this.#answerFor(end === -1 ? originTarget : originTarget.slice(0, end));
    if (answer === null) return false;
    this.#answer = answer;
    return true;
  }

  start(client: ClientSide): void {
    this.answer(client, 200, this.#answer);
  }
}
