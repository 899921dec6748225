import type { Address } from '../base/address.js';
import { FAILURES, type Failure } from '../base/failure.js';
import { Ring } from '../base/ring.js';
import { BackendConnection, type ConnectionSupplies } from './connection.js';
import type { LeaseRequester } from './lease.js';

/** What a pool may hold. */
export interface PoolLimits {
  /** Unused connections kept. */
  readonly maxIdle: number;
  /** Connections open at once; 0 is no limit. */
  readonly maxConnections: number;
  /** Requests that may wait for a connection. */
  readonly maxWaiting: number;
}

/**
 * The sockets to one server. What was used last is used next, so that those not needed grow old and are closed. A
 * request that finds none waits in line; whichever comes first, a new connection or one given back, serves the first
 * in line.
 */
export class Pool {
  readonly address: Address;
  #limits: PoolLimits;
  readonly #supplies: ConnectionSupplies;
  readonly #idle: BackendConnection[] = [];
  readonly #waiting = new Ring<LeaseRequester>();
  readonly #open = new Set<BackendConnection>();
  #dialling = 0;
  #closed = false;
  #retired = false;

  constructor(address: Address, limits: PoolLimits, supplies: ConnectionSupplies) {
    this.address = address;
    this.#limits = limits;
    this.#supplies = supplies;
  }

  /** From now on; what is open or waits already stays. */
  setLimits(limits: PoolLimits): void {
    this.#limits = limits;
    this.#dialForWaiting();
  }

  /** 0 is no limit. */
  get maxConnections(): number {
    return this.#limits.maxConnections;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Do more requests wait than connections are being opened? Then the last in line waits for one to be given back. */
  get isFull(): boolean {
    return this.#waiting.length > this.#dialling;
  }

  /** A connection at once if there is one, else null, and the requester is told later. */
  lease(requester: LeaseRequester): BackendConnection | null {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (!this.#mayOpen() && this.#waiting.length - this.#dialling >= this.#limits.maxWaiting) {
      requester.onLeaseFailed(FAILURES.queue_full, '');
      return null;
    }
    this.#waiting.push(requester);
    this.#dialForWaiting();
    return null;
  }

  /** The requester left the line; it hears nothing more. */
  cancel(requester: LeaseRequester): void {
    this.#waiting.remove(requester);
  }

  /** Closes the connections nobody uses: the server is down, or about to be left alone. */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.discard();
  }

  /** Nobody will ask for it any more: what is in use is used to the end, then closed. */
  retire(): void {
    this.#retired = true;
    this.closeIdle();
  }

  /** Closes everything, now and whatever is given back later. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.discard();
  }

  /** Cuts every connection, those in use too: what is on them fails as if the server had cut it. */
  cut(): void {
    for (const connection of this.#open) connection.channel.destroy();
  }

  // Called by its connections.

  onConnected(connection: BackendConnection): void {
    this.#dialling--;
    connection.idle();
    this.takeBack(connection);
  }

  /** A connection is free: for the first in line, else to be kept. */
  takeBack(connection: BackendConnection): void {
    if (this.#closed) {
      connection.discard();
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.onLease(connection);
      return;
    }
    if (this.#retired) {
      connection.discard();
      return;
    }
    // Also one that has carried no request yet: the server may close it as well as any other.
    connection.pooled = true;
    this.#idle.push(connection);
    if (this.#idle.length > this.#limits.maxIdle) this.#idle.shift()?.discard();
  }

  onDialFailed(connection: BackendConnection, failure: Failure, detail: string): void {
    this.#dialling--;
    this.#open.delete(connection);
    this.#waiting.shift()?.onLeaseFailed(failure, detail);
    this.#dialForWaiting();
  }

  /** It is about to close, and must not be lent any more. */
  forget(connection: BackendConnection): void {
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  onClosed(connection: BackendConnection): void {
    this.forget(connection);
    this.#open.delete(connection);
    this.#dialForWaiting();
  }

  #mayOpen(): boolean {
    return this.#limits.maxConnections === 0 || this.#open.size < this.#limits.maxConnections;
  }

  #dialForWaiting(): void {
    while (this.#waiting.length > this.#dialling && this.#mayOpen() && !this.#closed) {
      this.#dialling++;
      this.#open.add(new BackendConnection(this, this.#supplies));
    }
  }
}
