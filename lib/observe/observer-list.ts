import type { Address } from '../base/address.js';
import type { Availability, CheckRecord, Observer, RequestRecord } from '../base/observer.js';
import { CallbackFailures } from './callback-failures.js';

type Call = keyof Observer;
type Facts<C extends Call> = Parameters<Required<Observer>[C]>;

/**
 * One observer that tells several, in the order given. What one of them throws reaches neither the others nor whoever
 * told it: the end of a request, a change of servers, a health check.
 */
export class ObserverList implements Observer {
  /** Those of lists in it are its own. */
  readonly members: readonly Observer[];
  /** Those that want to know of every request: the others cost nothing then. */
  readonly #readers: readonly Observer[];
  readonly #failures: CallbackFailures;

  constructor(observers: readonly Observer[], failures?: CallbackFailures) {
    this.members = observers.flatMap((observer) =>
      observer instanceof ObserverList ? observer.members : [observer],
    );
    this.#readers = this.members.filter((observer) => observer.requestSettled !== undefined);
    this.#failures = failures ?? new CallbackFailures((line) => this.warning(line));
  }

  requestSettled(record: RequestRecord): void {
    for (const observer of this.#readers) {
      try {
        const returned: unknown = observer.requestSettled?.(record);
        if (returned !== undefined) this.#failures.watch(observer, nameOf('requestSettled'), returned);
      } catch (error) {
        this.#failures.note(observer, nameOf('requestSettled'), error);
      }
    }
  }

  #tell<C extends Call>(call: C, ...facts: Facts<C>): void {
    for (const observer of this.members) {
      this.#failures.guard(observer, nameOf(call), () =>
        (observer[call] as ((...facts: Facts<C>) => unknown) | undefined)?.apply(observer, facts),
      );
    }
  }

  checked(check: CheckRecord): void {
    this.#tell('checked', check);
  }

  serverDown(server: string, reason: string): void {
    this.#tell('serverDown', server, reason);
  }

  serverUp(server: string, downMs: number): void {
    this.#tell('serverUp', server, downMs);
  }

  serverEjected(server: string, reason: string, forMs: number): void {
    this.#tell('serverEjected', server, reason, forMs);
  }

  serverSpared(server: string, reason: string): void {
    this.#tell('serverSpared', server, reason);
  }

  serverReturned(server: string): void {
    this.#tell('serverReturned', server);
  }

  routeDown(route: string, detail: string): void {
    this.#tell('routeDown', route, detail);
  }

  routeUp(route: string, downMs: number): void {
    this.#tell('routeUp', route, downMs);
  }

  availabilityChanged(server: string, to: Availability, from: Availability): void {
    this.#tell('availabilityChanged', server, to, from);
  }

  serverAdded(server: string, route: string): void {
    this.#tell('serverAdded', server, route);
  }

  serverRemoved(server: string): void {
    this.#tell('serverRemoved', server);
  }

  weightChanged(server: string, to: number, from: number): void {
    this.#tell('weightChanged', server, to, from);
  }

  serverDrained(server: string): void {
    this.#tell('serverDrained', server);
  }

  queueFull(server: string): void {
    this.#tell('queueFull', server);
  }

  banned(client: string, firewall: string, forMs: number): void {
    this.#tell('banned', client, firewall, forMs);
  }

  unbanned(client: string, firewall: string): void {
    this.#tell('unbanned', client, firewall);
  }

  reloaded(ok: boolean, detail: string): void {
    this.#tell('reloaded', ok, detail);
  }

  resolved(host: string, addresses: readonly string[], isFirst: boolean): void {
    this.#tell('resolved', host, addresses, isFirst);
  }

  resolveFailed(host: string, detail: string): void {
    this.#tell('resolveFailed', host, detail);
  }

  listening(address: Address): void {
    this.#tell('listening', address);
  }

  closed(address: Address): void {
    this.#tell('closed', address);
  }

  warning(message: string): void {
    this.#tell('warning', message);
  }
}

function nameOf(call: Call): string {
  return `observer: ${call}`;
}
