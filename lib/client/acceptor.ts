import type * as net from 'node:net';
import type { AddressSet } from '../base/address-set.js';
import type { LimitsConfig } from '../config/types.js';
import { ForwardedClient } from '../http/request-encoder.js';
import { acceptChannel, type Reading } from '../net/accept.js';
import type { Acceptor } from '../net/listener.js';
import { resetSocket } from '../net/reset.js';
import { ClientConnection, type ClientServices } from './connection.js';

/** Lets clients in, as many as the limits allow, and knows those that are there. */
export class ClientAcceptor implements Acceptor {
  readonly #services: ClientServices;
  readonly #limits: LimitsConfig;
  readonly #trusted: AddressSet;
  readonly #reading: Reading;
  readonly #connections = new Set<ClientConnection>();
  readonly #perAddress = new Map<string, number>();
  #draining: (() => void) | null = null;

  /** `trusted`: the peers whose X-Forwarded-* is believed. */
  constructor(services: Omit<ClientServices, 'onClosed'>, trusted: AddressSet, reading: Reading) {
    this.#services = { ...services, onClosed: (connection) => this.#onClosed(connection) };
    this.#limits = services.limits;
    this.#trusted = trusted;
    this.#reading = reading;
  }

  get count(): number {
    return this.#connections.size;
  }

  onAccept(socket: net.Socket): void {
    const address = plainAddress(socket.remoteAddress);
    if (this.#isFull(address)) {
      socket.on('error', () => {});
      resetSocket(socket);
      return;
    }
    const forwarded = new ForwardedClient(address, this.#trusted.has(address));
    const connection = new ClientConnection(this.#services, forwarded, (owner) =>
      acceptChannel(socket, owner, this.#reading),
    );
    this.#connections.add(connection);
    if (this.#limits.connectionsPerIp > 0)
      this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    if (this.#draining !== null) connection.drain();
  }

  /** Asks every connection to end after what it is doing; `done` is called when the last one is gone. */
  drain(done: () => void): void {
    this.#draining = done;
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) done();
  }

  /** Cuts all connections off. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #isFull(address: string): boolean {
    if (this.#connections.size >= this.#limits.connections) return true;
    const perIp = this.#limits.connectionsPerIp;
    return perIp > 0 && (this.#perAddress.get(address) ?? 0) >= perIp;
  }

  #onClosed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    if (this.#limits.connectionsPerIp > 0) {
      const { address } = connection.forwarded;
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    }
    if (this.#draining !== null && this.#connections.size === 0) this.#draining();
  }
}

/** An IPv4 client of a dual-stack listener shows up as `::ffff:192.0.2.1`; a unix socket has no address. */
function plainAddress(address: string | undefined): string {
  if (address === undefined || address === '') return 'unix';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
