import type { Address } from '../base/address.js';
import type { CheckRecord, Observer, RequestRecord } from '../base/observer.js';

/** One observer that tells several, in the order given. */
export class ObserverList implements Observer {
  readonly #observers: readonly Observer[];

  constructor(observers: readonly Observer[]) {
    this.#observers = observers;
  }

  requestSettled(record: RequestRecord): void {
    for (const observer of this.#observers) observer.requestSettled?.(record);
  }

  checked(check: CheckRecord): void {
    for (const observer of this.#observers) observer.checked?.(check);
  }

  serverDown(server: string, reason: string): void {
    for (const observer of this.#observers) observer.serverDown?.(server, reason);
  }

  serverUp(server: string, downMs: number): void {
    for (const observer of this.#observers) observer.serverUp?.(server, downMs);
  }

  listening(address: Address): void {
    for (const observer of this.#observers) observer.listening?.(address);
  }

  warning(message: string): void {
    for (const observer of this.#observers) observer.warning?.(message);
  }
}
