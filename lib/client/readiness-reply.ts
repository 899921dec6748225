import type { ClientSide } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { ImmediateReply } from './immediate-reply.js';

/** Is this a readiness request, a GET or HEAD of `path`? Its host and parameters do not matter. */
export function asksReadiness({ method, originTarget }: RequestHead, path: string): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || !originTarget.startsWith(path)) return false;
  return originTarget.length === path.length || originTarget[path.length] === '?';
}

/**
 * Answers a load balancer in front that asks whether to send requests here. Such a request is not forwarded, logged or
 * counted, and only the guards at accept apply. One object serves all, as it has no state.
 */
export class ReadinessReply extends ImmediateReply {
  readonly #path: string;
  readonly #whyNot: () => string;

  /** `whyNot` returns a word for callers without a token; empty when the balancer is ready. */
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
