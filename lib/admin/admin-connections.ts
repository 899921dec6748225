import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../base/timer-wheel.js';

/** A connection. */
export type AdminConnection = IncomingMessage['socket'];

/** People with browsers, a scraper or two, a health check in front: more connections are a mistake. */
const MAX_CONNECTIONS = 128;
/** How long a connection may be silent before its first request. */
const SILENCE_MS = 5000;
/** How long a connection may take to close after its last response. */
const FAREWELL_MS = 1000;
const LOOK_EVERY_MS = 500;

/**
 * The connections to the admin listener. A connection without a request is closed soon, and when there are too many the
 * one that has been idle longest is closed: idle connections cannot keep a health check out.
 */
export class AdminConnections {
  readonly #clock: Clock;
  /** Connections without a request, and since when; the longest idle one first. */
  readonly #idle = new Map<AdminConnection, number>();
  /** Those of which nothing has come in time. What has may not have been read yet: they are closed at the next look. */
  readonly #silent = new Set<AdminConnection>();
  readonly #busy = new Set<AdminConnection>();
  /** Until when the client may take its last response. */
  readonly #leaving = new Map<AdminConnection, number>();
  #stop: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Tracks the connections of `server` until `close`. */
  watch(server: Server): void {
    server.on('connection', (socket) => this.#come(socket));
    this.#stop = this.#clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Connections with a request that is being answered. */
  get busyCount(): number {
    return this.#busy.size;
  }

  /** A complete request has arrived and is being answered. */
  noteRequest(socket: AdminConnection, response: ServerResponse): void {
    if (socket.destroyed) return;
    this.#idle.delete(socket);
    this.#silent.delete(socket);
    this.#busy.add(socket);
    response.on('close', () => {
      if (this.#busy.delete(socket) && !socket.destroyed) this.#idle.set(socket, this.#clock.now());
    });
  }

  /** `socket` was sent its last response: it is closed soon, whatever the client does. */
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
    this.#silent.delete(socket);
    this.#busy.delete(socket);
    this.#leaving.delete(socket);
  }

  #look(): void {
    const now = this.#clock.now();
    for (const [socket, since] of this.#idle) {
      if (now - since < SILENCE_MS) break;
      if (socket.bytesRead > 0) continue;
      if (this.#silent.has(socket)) socket.destroy();
      else this.#silent.add(socket);
    }
    for (const [socket, until] of this.#leaving) if (now >= until) socket.destroy();
  }
}
