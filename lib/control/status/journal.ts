import type { BalancerEvent, Observer } from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';
import type { CallbackFailures } from '../../observe/callback-failures.js';
import type { Names } from '../../observe/metrics.js';
import { serverChanges } from '../../observe/server-changes.js';
import type { EventKind, StatusEvent } from './status.js';

const RECENT = 200;
const RECENT_OF_SERVER = 100;

/** Keeps the latest events, and passes them on. Its size does not depend on the number of requests. */
export class Journal implements Observer {
  readonly #clock: Clock;
  readonly #events: StatusEvent[] = [];
  readonly #ofServers = new Map<string, StatusEvent[]>();
  /** When and why settings were refused, until others are in force. */
  #refusal: StatusEvent | null = null;
  readonly #listeners = new Set<(event: StatusEvent) => void>();
  readonly #failures: CallbackFailures;
  #lastId = 0;

  constructor(clock: Clock, failures: CallbackFailures) {
    this.#clock = clock;
    this.#failures = failures;
  }

  /** Of the last 200 events, those after number `since`, oldest first. */
  eventsSince(since: number): readonly StatusEvent[] {
    return this.#events.filter(({ id }) => id > since);
  }

  /** The last 100 events of one server, oldest first. */
  eventsOf(server: string): readonly StatusEvent[] {
    return [...(this.#ofServers.get(server) ?? [])];
  }

  /** The event of the last reload, while it is one that was refused. */
  get refusal(): StatusEvent | null {
    return this.#refusal;
  }

  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void {
    // A new function each time, so that a listener that subscribes twice is called twice and unsubscribes twice.
    const notify = (event: StatusEvent): void =>
      this.#failures.guard(listener, 'listener to events:', () => listener(event));
    this.#listeners.add(notify);
    return () => void this.#listeners.delete(notify);
  }

  /** Forgets all servers except these. */
  keep(servers: Names): void {
    for (const name of this.#ofServers.keys()) if (!servers.has(name)) this.#ofServers.delete(name);
  }

  forget(server: string): void {
    this.#ofServers.delete(server);
  }

  event(event: BalancerEvent): void {
    if (event.what === 'checked' || (event.what === 'resolved' && event.isFirst)) return;
    if (event.what === 'route_down' || event.what === 'route_up')
      this.note(event.what, '', detailOf(event), event.route);
    else this.note(event.what, 'server' in event ? event.server : '', detailOf(event));
  }

  note(what: EventKind, server: string, reason: string, route = ''): void {
    this.#lastId++;
    const concerned = route === '' ? { server } : { server, route };
    const event = Object.freeze({ id: this.#lastId, at: this.#clock.wall(), what, ...concerned, reason });
    append(this.#events, event, RECENT);
    if (what === 'reloaded') this.#refusal = null;
    else if (what === 'reload_refused') this.#refusal = event;
    if (server !== '') {
      const events = this.#ofServers.get(server) ?? [];
      append(events, event, RECENT_OF_SERVER);
      this.#ofServers.set(server, events);
    }
    for (const notify of this.#listeners) notify(event);
  }
}

/** The details of an event besides its server or route, in one line. */
function detailOf(event: BalancerEvent): string {
  switch (event.what) {
    case 'up':
    case 'route_up':
      return `after ${seconds(event.downMs)}`;
    case 'ejected':
      return `${event.reason}, for ${seconds(event.forMs)}`;
    case 'down':
    case 'spared':
      return event.reason;
    case 'availability':
    case 'weight':
      return `${event.from} -> ${event.to}`;
    case 'host_maintenance':
      return maintenanceDetail(event);
    case 'added':
      return `to ${event.route}`;
    case 'upgraded':
      return `process ${event.pid}, lb ${event.version}`;
    case 'listening':
    case 'closed':
      return event.address.text;
    case 'warning':
      return event.message;
    case 'reloaded':
    case 'reload_refused':
    case 'upgrade_failed':
    case 'route_down':
      return event.detail;
    case 'banned':
      return `${event.client} by ${event.firewall}, for ${seconds(event.forMs)}`;
    case 'unbanned':
      return `${event.client} by ${event.firewall}`;
    case 'resolved':
      return `${event.host} to ${event.addresses.join(', ')}`;
    case 'resolve_failed':
      return `${event.host}: ${event.detail}`;
    case 'discovered':
      return `${event.source}: ${serverChanges(event.came, event.left)}`;
    case 'source_failed':
      return `${event.source}: ${event.detail}`;
    case 'source_recovered':
      return `${event.source}, after ${seconds(event.failedMs)}`;
    case 'export_failed':
      return `${event.signal}: ${event.detail}`;
    case 'export_recovered':
      return `${event.signal}, after ${seconds(event.failedMs)}${event.dropped === 0 ? '' : `; ${event.dropped} spans were dropped`}`;
    case 'shared_lost':
      return event.detail;
    case 'shared_recovered':
      return `after ${seconds(event.lostMs)}`;
    case 'certificates_reloaded':
      return event.detail;
    case 'certificate_refused':
      return `${event.file}: ${event.detail}`;
    case 'certificate_expiring':
    case 'certificate_expired':
      return `${event.certificate}, ${new Date(event.notAfter).toISOString().slice(0, 10)}${event.file === '' ? '' : `, ${event.file}`}`;
    case 'certificate_ordered':
      return `${event.hosts.join(', ')}, until ${new Date(event.notAfter).toISOString().slice(0, 10)}`;
    case 'certificate_failed':
      return `${event.hosts.join(', ')}: ${event.reason}; tried again in ${seconds(event.retryMs)}`;
    default:
      return '';
  }
}

function maintenanceDetail({
  host,
  on,
  until,
}: Extract<BalancerEvent, { what: 'host_maintenance' }>): string {
  if (!on) return `${host} is served again`;
  return until === null ? host : `${host} until ${new Date(until).toISOString()}`;
}

function append(events: StatusEvent[], event: StatusEvent, most: number): void {
  events.push(event);
  if (events.length > most) events.shift();
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
