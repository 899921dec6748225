import type { ClientSide, RequestHandler } from '../http/flow.js';
import { HeadEdit } from '../http/head-edit.js';

/** Answers a request itself as soon as its head is complete. */
export abstract class ImmediateReply implements RequestHandler {
  readonly droppedTrailers = null;
  readonly #edit = new HeadEdit();

  constructor() {
    this.#edit.set('cache-control', 'Cache-Control', 'no-store');
  }

  abstract start(client: ClientSide): void;

  protected answer(client: ClientSide, status: number, body: string): void {
    client.replyWith(status, body, this.#edit);
    client.settled();
  }

  // Never called: `start` settles the request.
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
