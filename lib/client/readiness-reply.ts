import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { ImmediateReply } from './immediate-reply.js';

/** Does it ask, at `path`, whether the balancer may be sent requests? Whatever host and parameters it names. */
export function asksReadiness({ method, originTarget }: RequestHead, path: string): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || !originTarget.startsWith(path)) return false;
  return originTarget.length === path.length || originTarget[path.length] === '?';
}

/**
 * Tells a load balancer in front whether to send requests here. The question is no request to be balanced: no log, no
 * count and no guard knows of it but those at accept. One is for all, as nothing is kept from one question to the next.
 */
export class ReadinessReply extends ImmediateReply {
  readonly #path: string;
  readonly #whyNot: () => string;

  /** `whyNot` returns a word for strangers; empty when all is well. */
  constructor(path: string, whyNot: () => string) {
    super();
    this.#path = path;
    this.#whyNot = whyNot;
  }

  isFor(head: RequestHead): boolean {
    return asksReadiness(head, this.#path);
  }

  start(client: ClientSide): void {
    const why = this.#whyNot();
    this.answer(client, why === '' ? 200 : 503, why === '' ? 'ready\n' : `not ready: ${why}\n`);
  }
}
