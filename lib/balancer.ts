import type { Address } from './base/address.js';
import type { Observer } from './base/observer.js';
import type { Config } from './config/types.js';

/** A running balancer. */
export interface Balancer {
  /** Where it listens, after `start`: port 0 is resolved to the real one. */
  readonly addresses: readonly Address[];
  /** Binds every listener. Rejects with the system's error (EADDRINUSE, EACCES, …) and then holds nothing open. */
  start(): Promise<void>;
  /**
   * Stops accepting, answers what is in flight with `Connection: close`, and resolves when the last connection is
   * gone or `timeouts.drain` has passed. True if nothing had to be cut.
   */
  drain(): Promise<boolean>;
  /** Cuts everything at once. Safe to call at any time, also during `drain`. */
  stop(): void;
}

/** Builds a balancer from a compiled configuration; `start` opens it. */
export function createBalancer(_config: Config, _observer: Observer = {}): Balancer {
  throw new Error('being built');
}
