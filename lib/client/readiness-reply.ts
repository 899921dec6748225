import type { ClientSide, RequestHandler } from '../http/flow.js';
import type { RequestHead } from '../http/head.js';
import { HeadEdit } from '../http/head-edit.js';

/** Does it ask, at `path`, whether the balancer may be sent requests? Whatever host and parameters it names. */
export function asksReadiness({ method, originTarget }: RequestHead, path: string): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || !originTarget.startsWith(path)) return false;
  return originTarget.length === path.length || originTarget[path.length] === '?';
}

/**
 * Tells a load balancer in front whether to send requests here. The question is no request to be balanced: no log, no
 * count and no guard knows of it but those at accept. One is for all, as nothing is kept from one question to the next.
 */
export class ReadinessReply implements RequestHandler {
  readonly droppedTrailers = null;
  readonly #path: string;
  readonly #whyNot: () => string;
  readonly #edit = new HeadEdit();

  /** `whyNot` returns a word for strangers; empty when all is well. */
  constructor(path: string, whyNot: () => string) {
    this.#path = path;
    this.#whyNot = whyNot;
    this.#edit.set('cache-control', 'Cache-Control', 'no-store');
  }

  isFor(head: RequestHead): boolean {
    return asksReadiness(head, this.#path);
  }

  start(client: ClientSide): void {
    const why = this.#whyNot();
    client.replyWith(why === '' ? 200 : 503, why === '' ? 'ready\n' : `not ready: ${why}\n`, this.#edit);
    client.settled();
  }

  // It is settled before anything else could happen to it.
  refuse(): void {}
  onRequestBytes(): void {}
  onRequestTrailers(): void {}
  onRequestEnd(): void {}
  onRequestFailed(): void {}
  onClientBlocked(): void {}
  onClientDrain(): void {}
  onClientTunnelBytes(): void {}
  onClientTunnelEnd(): void {}
  onClientGone(): void {}
}
