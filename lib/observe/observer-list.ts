import { maskedClient } from '../base/masked-address.js';
import type { BalancerEvent, Observer, RequestRecord } from '../base/observer.js';
import { CallbackFailures } from './callback-failures.js';
import type { LineTerms } from './line-format.js';
import { type RequestSummary, readingOf, type ThreadReader, type ThreadReading } from './thread-reader.js';

/**
 * An observer that passes on every call to several, in order. What one of them throws reaches neither the others nor
 * the caller, which may be ending a request or changing servers.
 */
export class ObserverList implements Observer {
  /** Members of lists in the list become members of this one. */
  readonly members: readonly Observer[];
  readonly readsServerHeads: boolean;
  /** The members that observe requests, and those added: the others cost nothing on the path of a request. */
  #readers: readonly Observer[];
  readonly #failures: CallbackFailures;

  constructor(observers: readonly Observer[], failures?: CallbackFailures) {
    this.members = observers.flatMap((observer) =>
      observer instanceof ObserverList ? observer.members : [observer],
    );
    this.readsServerHeads = this.members.some((observer) => observer.readsServerHeads === true);
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

  // For requests that other threads serve.

  /** Does one of the observers read this? */
  anyReads(what: ThreadReading): boolean {
    return this.#readers.some((observer) => readingOf(observer) === what);
  }

  /** The lines that the first observer of lines wants; null: none. */
  get lineTerms(): LineTerms | null {
    return this.#readersOf('lines')[0]?.lineTerms ?? null;
  }

  /** A function that passes on records to those that read records now. */
  recordReader(): (record: RequestRecord) => void {
    const readers = new ObserverList(this.#readersOf('records'), this.#failures);
    return (record) => readers.requestSettled(record);
  }

  requestsSummed(summary: RequestSummary): void {
    for (const observer of [...this.#readersOf('summaries'), ...this.#readersOf('failures')])
      this.#failures.guard(observer, 'observer: requestsSummed', () => observer.requestsSummed?.(summary));
  }

  linesSettled(lines: Buffer, count: number): void {
    for (const observer of this.#readersOf('lines'))
      this.#failures.guard(observer, 'observer: linesSettled', () => observer.linesSettled?.(lines, count));
  }

  linesDropped(count: number): void {
    for (const observer of this.#readersOf('lines'))
      this.#failures.guard(observer, 'observer: linesDropped', () => observer.linesDropped?.(count));
  }

  #readersOf(what: ThreadReading): readonly Partial<ThreadReader>[] {
    return this.#readers.filter(
      (observer) => readingOf(observer) === what,
    ) as readonly Partial<ThreadReader>[];
  }

  /** Do events have the networks of clients in place of their addresses? */
  masksAddresses = false;
  /** The member that gets events with whole addresses, because it acts on them; null: none. */
  addressReader: Observer | null = null;

  event(told: BalancerEvent): void {
    const event = this.masksAddresses ? masked(told) : told;
    for (const observer of this.members) {
      const shown = observer === this.addressReader ? told : event;
      this.#failures.guard(observer, `observer: ${event.what}`, () => observer.event?.(shown));
    }
  }
}

function masked(event: BalancerEvent): BalancerEvent {
  if (event.what !== 'banned' && event.what !== 'unbanned') return event;
  return { ...event, client: maskedClient(event.client) };
}
