import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { ImmediateReply } from './immediate-reply.js';

/** The answer for this path, `/.well-known/acme-challenge/TOKEN`; null: there is no such open challenge. */
export type ChallengeAnswer = (path: string) => string | null;

/**
 * Answers a certificate authority that checks that a host is ours (RFC 8555, 8.3), before firewall, routes and redirects.
 * Such a request is not forwarded. The object exists while a challenge is open.
 */
export class ChallengeReply extends ImmediateReply {
  readonly #answerFor: ChallengeAnswer;
  /** For the last request that was passed to `isFor`, which is started next. */
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
