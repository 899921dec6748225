import type { ClientSide } from '../http/flow.js';
import type { Channel } from '../net/channel.js';

/**
 * Two sockets after a 101: bytes both ways, and a half-close of one side passed on to the other. When both have ended
 * it is over.
 */
export class Tunnel {
  #client: ClientSide | null = null;
  #server: Channel | null = null;
  #clientEnded = false;
  #serverEnded = false;

  open(client: ClientSide, server: Channel): void {
    this.#client = client;
    this.#server = server;
    this.#clientEnded = false;
    this.#serverEnded = false;
    server.probePeer();
  }

  close(): void {
    this.#client = null;
    this.#server = null;
  }

  /** False asks to wait until the client has taken it. */
  toClient(buffer: Buffer, start: number, end: number): boolean {
    return this.#client?.sendTunnel(buffer, start, end) ?? true;
  }

  /** False asks to wait until the server has taken it. */
  toServer(buffer: Buffer, start: number, end: number): boolean {
    return this.#server?.write(buffer, start, end) ?? true;
  }

  /** True when the tunnel is over. */
  clientEnded(): boolean {
    this.#clientEnded = true;
    this.#server?.end();
    return this.#serverEnded;
  }

  /** True when the tunnel is over. */
  serverEnded(): boolean {
    this.#serverEnded = true;
    this.#client?.endTunnel();
    return this.#clientEnded;
  }
}
