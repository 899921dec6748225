import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../base/timer-wheel.js';

/** A connection. */
export type AdminConnection = IncomingMessage['socket'];

/** People with browsers, a scraper or two, a health check in front: all else is a mistake. */
const MAX_CONNECTIONS = 128;
/** Who has said nothing for so long is not about to. */
const SILENCE_MS = 5000;
/** A connection that was sent its last word has so long to close its side. */
const FAREWELL_MS = 1000;
const LOOK_EVERY_MS = 500;

/**
 * The connections to the admin listener. Who connects and says nothing is let go soon, and where there are too many the
 * longest idle one makes room: nobody can keep a health check out by being there.
 */
export class AdminConnections {
  readonly #clock: Clock;
  /** Without a request, since when; who has waited longest comes first. */
  readonly #idle = new Map<AdminConnection, number>();
  readonly #busy = new Set<AdminConnection>();
  /** Until when they may take their last answer. */
  readonly #leaving = new Map<AdminConnection, number>();
  #stop: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Follows the connections of `server` until `close`. */
  watch(server: Server): void {
    server.on('connection', (socket) => this.#come(socket));
    this.#stop = this.#clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** A request has come whole, and is being answered. */
  noteRequest(socket: AdminConnection, response: ServerResponse): void {
    if (socket.destroyed) return;
    this.#idle.delete(socket);
    this.#busy.add(socket);
    response.on('close', () => {
      if (this.#busy.delete(socket) && !socket.destroyed) this.#idle.set(socket, this.#clock.now());
    });
  }

  /** `socket` was sent its last word: it is closed soon, whatever the other side does. */
  noteFarewell(socket: AdminConnection): void {
    if (!socket.destroyed) this.#leaving.set(socket, this.#clock.now() + FAREWELL_MS);
  }

  #come(socket: AdminConnection): void {
    if (this.#idle.size + this.#busy.size >= MAX_CONNECTIONS) {
      const [longest] = this.#idle.keys();
      if (longest === undefined) {
        socket.destroy();
        return;
      }
      this.#forget(longest);
      longest.destroy();
    }
    this.#idle.set(socket, this.#clock.now());
    socket.on('close', () => this.#forget(socket));
  }

  #forget(socket: AdminConnection): void {
    this.#idle.delete(socket);
    this.#busy.delete(socket);
    this.#leaving.delete(socket);
  }

  #look(): void {
    const now = this.#clock.now();
    for (const [socket, since] of this.#idle) {
      if (now - since < SILENCE_MS) break;
      if (socket.bytesRead === 0) socket.destroy();
    }
    for (const [socket, until] of this.#leaving) if (now >= until) socket.destroy();
  }
}
