import type { Address } from '../base/address.js';
import type { Availability, CheckRecord, Observer, RequestRecord } from '../base/observer.js';

/** One observer that tells several, in the order given. */
export class ObserverList implements Observer {
  readonly #observers: readonly Observer[];
  /** Those that want to know of every request: the others cost nothing then. */
  readonly #readers: readonly Observer[];

  constructor(observers: readonly Observer[]) {
    this.#observers = observers;
    this.#readers = observers.filter((observer) => observer.requestSettled !== undefined);
  }

  requestSettled(record: RequestRecord): void {
    for (const observer of this.#readers) observer.requestSettled?.(record);
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

  serverEjected(server: string, reason: string, forMs: number): void {
    for (const observer of this.#observers) observer.serverEjected?.(server, reason, forMs);
  }

  serverSpared(server: string, reason: string): void {
    for (const observer of this.#observers) observer.serverSpared?.(server, reason);
  }

  serverReturned(server: string): void {
    for (const observer of this.#observers) observer.serverReturned?.(server);
  }

  availabilityChanged(server: string, to: Availability, from: Availability): void {
    for (const observer of this.#observers) observer.availabilityChanged?.(server, to, from);
  }

  serverAdded(server: string, route: string): void {
    for (const observer of this.#observers) observer.serverAdded?.(server, route);
  }

  serverRemoved(server: string): void {
    for (const observer of this.#observers) observer.serverRemoved?.(server);
  }

  weightChanged(server: string, to: number, from: number): void {
    for (const observer of this.#observers) observer.weightChanged?.(server, to, from);
  }

  serverDrained(server: string): void {
    for (const observer of this.#observers) observer.serverDrained?.(server);
  }

  queueFull(server: string): void {
    for (const observer of this.#observers) observer.queueFull?.(server);
  }

  banned(client: string, firewall: string, forMs: number): void {
    for (const observer of this.#observers) observer.banned?.(client, firewall, forMs);
  }

  reloaded(ok: boolean, detail: string): void {
    for (const observer of this.#observers) observer.reloaded?.(ok, detail);
  }

  resolved(host: string, addresses: readonly string[]): void {
    for (const observer of this.#observers) observer.resolved?.(host, addresses);
  }

  resolveFailed(host: string, detail: string): void {
    for (const observer of this.#observers) observer.resolveFailed?.(host, detail);
  }

  listening(address: Address): void {
    for (const observer of this.#observers) observer.listening?.(address);
  }

  warning(message: string): void {
    for (const observer of this.#observers) observer.warning?.(message);
  }
}
