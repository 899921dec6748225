import type { Address } from '../../base/address.js';
import type { Availability, Observer } from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { CallbackFailures } from '../../observe/callback-failures.js';
import type { EventKind, StatusEvent } from './status.js';

const RECENT = 200;
const RECENT_OF_SERVER = 100;

/** Remembers the latest events, and tells them on. Nothing in it grows with the requests. */
export class Journal implements Observer {
  readonly #clock: Clock;
  readonly #events: StatusEvent[] = [];
  readonly #ofServers = new Map<string, StatusEvent[]>();
  readonly #listeners = new Set<(event: StatusEvent) => void>();
  readonly #failures: CallbackFailures;
  #lastId = 0;

  constructor(clock: Clock, failures: CallbackFailures) {
    this.#clock = clock;
    this.#failures = failures;
  }

  /** The events behind number `since`, oldest first: of the last 200. */
  eventsSince(since: number): readonly StatusEvent[] {
    return this.#events.filter(({ id }) => id > since);
  }

  /** The last 100 of one server, oldest first. */
  eventsOf(server: string): readonly StatusEvent[] {
    return [...(this.#ofServers.get(server) ?? [])];
  }

  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void {
    // A function of its own, so that one who subscribes twice is told twice and leaves twice.
    const tell = (event: StatusEvent): void =>
      this.#failures.guard(listener, 'listener to events:', () => listener(event));
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  /** Forgets the servers that are none of these. */
  keep(servers: ReadonlyMap<string, unknown>): void {
    for (const name of this.#ofServers.keys()) if (!servers.has(name)) this.#ofServers.delete(name);
  }

  note(what: EventKind, server: string, reason: string, route = ''): void {
    this.#lastId++;
    const concerned = route === '' ? { server } : { server, route };
    const event = Object.freeze({ id: this.#lastId, at: this.#clock.wall(), what, ...concerned, reason });
    append(this.#events, event, RECENT);
    if (server !== '') {
      const events = this.#ofServers.get(server) ?? [];
      append(events, event, RECENT_OF_SERVER);
      this.#ofServers.set(server, events);
    }
    for (const tell of this.#listeners) tell(event);
  }

  // What observers are told.

  listening(address: Address): void {
    this.note('listening', '', address.text);
  }

  closed(address: Address): void {
    this.note('closed', '', address.text);
  }

  warning(message: string): void {
    this.note('warning', '', message);
  }

  reloaded(ok: boolean, detail: string): void {
    this.note(ok ? 'reloaded' : 'reload_refused', '', detail);
  }

  serverDown(server: string, reason: string): void {
    this.note('down', server, reason);
  }

  serverUp(server: string, downMs: number): void {
    this.note('up', server, `after ${seconds(downMs)}`);
  }

  serverEjected(server: string, reason: string, forMs: number): void {
    this.note('ejected', server, `${reason}, for ${seconds(forMs)}`);
  }

  serverSpared(server: string, reason: string): void {
    this.note('spared', server, reason);
  }

  serverReturned(server: string): void {
    this.note('returned', server, '');
  }

  routeDown(route: string, detail: string): void {
    this.note('route_down', '', detail, route);
  }

  routeUp(route: string, downMs: number): void {
    this.note('route_up', '', `after ${seconds(downMs)}`, route);
  }

  availabilityChanged(server: string, to: Availability, from: Availability): void {
    this.note('availability', server, `${from} -> ${to}`);
  }

  weightChanged(server: string, to: number, from: number): void {
    this.note('weight', server, `${from} -> ${to}`);
  }

  serverAdded(server: string, route: string): void {
    this.note('added', server, `to ${route}`);
  }

  serverRemoved(server: string): void {
    this.note('removed', server, '');
  }

  serverDrained(server: string): void {
    this.note('drained', server, '');
  }

  queueFull(server: string): void {
    this.note('queue_full', server, '');
  }

  banned(client: string, firewall: string, forMs: number): void {
    this.note('banned', '', `${client} by ${firewall}, for ${seconds(forMs)}`);
  }

  unbanned(client: string, firewall: string): void {
    this.note('unbanned', '', `${client} by ${firewall}`);
  }

  resolved(host: string, addresses: readonly string[], isFirst = false): void {
    if (!isFirst) this.note('resolved', '', `${host} to ${addresses.join(', ')}`);
  }

  resolveFailed(host: string, detail: string): void {
    this.note('resolve_failed', '', `${host}: ${detail}`);
  }
}

function append(events: StatusEvent[], event: StatusEvent, most: number): void {
  events.push(event);
  if (events.length > most) events.shift();
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
