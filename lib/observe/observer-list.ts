import type { BalancerEvent, Observer, RequestRecord } from '../base/observer.js';
import { CallbackFailures } from './callback-failures.js';

/**
 * An observer that passes on every call to several, in order. What one of them throws reaches neither the others nor
 * the caller, which may be ending a request or changing servers.
 */
export class ObserverList implements Observer {
  /** Members of lists in the list become members of this one. */
  readonly members: readonly Observer[];
  /** The members that observe requests, and those added: the others cost nothing on the path of a request. */
  #readers: readonly Observer[];
  readonly #failures: CallbackFailures;

  constructor(observers: readonly Observer[], failures?: CallbackFailures) {
    this.members = observers.flatMap((observer) =>
      observer instanceof ObserverList ? observer.members : [observer],
    );
    this.#readers = this.members.filter((observer) => observer.requestSettled !== undefined);
    this.#failures =
      failures ?? new CallbackFailures((line) => this.event({ what: 'warning', message: line }));
  }

  /** Tells `observer` of requests too, after all others; does nothing when it is told already. */
  addReader(observer: Observer): void {
    if (!this.#readers.includes(observer)) this.#readers = [...this.#readers, observer];
  }

  removeReader(observer: Observer): void {
    if (this.#readers.includes(observer)) this.#readers = this.#readers.filter((other) => other !== observer);
  }

  requestSettled(record: RequestRecord): void {
    const readers = this.#readers;
    for (let i = 0; i < readers.length; i++) {
      const observer = readers[i] as Observer;
      try {
        const returned: unknown = observer.requestSettled?.(record);
        if (returned !== undefined) this.#failures.watch(observer, 'observer: requestSettled', returned);
      } catch (error) {
        this.#failures.note(observer, 'observer: requestSettled', error);
      }
    }
  }

  event(event: BalancerEvent): void {
    for (const observer of this.members)
      this.#failures.guard(observer, `observer: ${event.what}`, () => observer.event?.(event));
  }
}
