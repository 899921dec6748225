import type { Observer } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import { type Clock, Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { forwardingRoutes } from '../config/every-route.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import type { EngineServer } from '../servers/engine-contract.js';
import type { GroupListener, ServerGroup } from '../servers/server-group.js';

/** The state of a route that forwards. */
export interface RouteState {
  readonly name: string;
  readonly group: ServerGroup;
  /** Wall clock, ms since the epoch, since when no server of the route takes new requests; null while one does. */
  readonly downSince: number | null;
}

interface Entry extends RouteState {
  downSince: number | null;
  /** The `downSince` that was last reported to observers; null when the route was last reported as up. */
  reportedDownSince: number | null;
}

/** The most routes named when many go down or up at once: one server may serve thousands of routes. */
const MOST_NAMED = 20;
/** How often a route is reconsidered while its servers have not been checked. */
const LOOK_AGAIN_MS = 1000;
/** The most servers named as the reason. */
const MOST_REASONS = 5;

/** The routes of one snapshot, updated by its groups, even before it is in force. */
export class RouteTable implements GroupListener {
  readonly entries = new Map<string, Entry>();
  /** Routes without a server for new requests. */
  readonly down = new Set<Entry>();
  readonly #byGroup = new Map<ServerGroup, Entry[]>();
  readonly #clock: Clock;
  /** Called for each route that goes down or up; null before the snapshot is in force. */
  onChange: ((entry: Entry) => void) | null = null;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  static *build(snapshot: RoutingSnapshot, clock: Clock): Steps<RouteTable> {
    const table = new RouteTable(clock);
    for (const { name, group } of forwardingRoutes(snapshot.config)) {
      table.#add(name, snapshot.groupOf(group));
      yield;
    }
    return table;
  }

  #add(name: string, group: ServerGroup): void {
    const entry: Entry = { name, group, downSince: null, reportedDownSince: null };
    this.entries.set(name, entry);
    const others = this.#byGroup.get(group);
    if (others === undefined) {
      this.#byGroup.set(group, [entry]);
      group.listen(this);
    } else {
      others.push(entry);
    }
    this.#follow(entry, group.isUsable);
  }

  onUsability(group: ServerGroup): void {
    for (const entry of this.#byGroup.get(group) ?? []) {
      if (group.isUsable !== (entry.downSince === null)) this.#follow(entry, group.isUsable);
    }
  }

  #follow(entry: Entry, isUp: boolean): void {
    entry.downSince = isUp ? null : this.#clock.wall();
    if (isUp) this.down.delete(entry);
    else this.down.add(entry);
    this.onChange?.(entry);
  }
}

/**
 * Tracks which routes have a usable server. The groups report changes, so that no question needs a pass over all routes.
 * Observers are notified at the end of a change, after the events about servers.
 */
export class RouteStates implements DeadlineOwner {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #deadline: Deadline;
  readonly #wasChecked: (server: EngineServer) => boolean;
  #table: RouteTable;
  /** Routes that were last reported as down. */
  #reported = new Set<Entry>();
  readonly #changed = new Set<Entry>();
  #isScheduled = false;
  #started = false;
  /** A change is in progress that will call `report` at its end. */
  isWaiting = false;
  /** Called when routes may have gone down or up. */
  onChange: () => void = () => {};

  /** `wasChecked`: has a check of the server been completed? */
  constructor(
    clock: Clock,
    wheel: TimerWheel,
    observer: Observer,
    table: RouteTable,
    wasChecked: (server: EngineServer) => boolean,
  ) {
    this.#wasChecked = wasChecked;
    this.#clock = clock;
    this.#observer = observer;
    this.#deadline = new Deadline(wheel, this);
    this.#table = table;
    this.install(table);
  }

  /** Forwarding routes that have a server for new requests. */
  get upCount(): number {
    return this.#table.entries.size - this.#table.down.size;
  }

  /** Forwarding routes. */
  get count(): number {
    return this.#table.entries.size;
  }

  /** null: there is no such route, or it does not forward. */
  of(route: string): RouteState | null {
    return this.#table.entries.get(route) ?? null;
  }

  /** In the order of the file. */
  all(): Iterable<RouteState> {
    return this.#table.entries.values();
  }

  /** Routes without a server for new requests, in the order of the file. */
  *down(): Generator<RouteState> {
    for (const entry of this.#table.entries.values()) if (entry.downSince !== null) yield entry;
  }

  /** Replaces the routes by those of `table`. The state of a route is kept by its name. */
  install(table: RouteTable): void {
    const before = this.#table.entries;
    this.#table.onChange = null;
    this.#table = table;
    this.#changed.clear();
    for (const entry of table.down) {
      entry.downSince = before.get(entry.name)?.downSince ?? entry.downSince;
      this.#changed.add(entry);
    }
    const told = new Set<Entry>();
    for (const { name, reportedDownSince } of this.#reported) {
      const entry = table.entries.get(name);
      if (entry === undefined) continue;
      entry.reportedDownSince = reportedDownSince;
      told.add(entry);
      this.#changed.add(entry);
    }
    this.#reported = told;
    table.onChange = (entry) => {
      this.#changed.add(entry);
      this.#schedule();
      this.onChange();
    };
    this.#schedule();
    this.onChange();
  }

  /** Requests are accepted: begins to report, including routes that are down from the start. */
  start(): void {
    this.#started = true;
    this.report();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#changed.size === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.isWaiting) this.report();
    });
  }

  /** Reports all changes since the last call to observers. */
  report(): void {
    if (!this.#started) return;
    const named = { down: 0, up: 0 };
    const now = this.#clock.wall();
    for (const entry of this.#changed) {
      const { name, group, downSince, reportedDownSince } = entry;
      // Still unknown: the route may be up after the first check.
      if (downSince !== null && reportedDownSince === null && isUndecided(group, this.#wasChecked)) continue;
      this.#changed.delete(entry);
      if (downSince !== null && reportedDownSince === null) {
        this.#reported.add(entry);
        entry.reportedDownSince = downSince;
        if (named.down++ < MOST_NAMED)
          this.#observer.event?.({ what: 'route_down', route: name, detail: whyDown(group) });
      } else if (downSince === null && reportedDownSince !== null) {
        this.#reported.delete(entry);
        entry.reportedDownSince = null;
        if (named.up++ < MOST_NAMED)
          this.#observer.event?.({ what: 'route_up', route: name, downMs: now - reportedDownSince });
      }
    }
    this.#reportMore(named.down, 'have no server that takes requests either');
    this.#reportMore(named.up, 'have a server that takes requests again too');
    if (this.#changed.size > 0) this.#deadline.arm(LOOK_AGAIN_MS);
  }

  #reportMore(count: number, what: string): void {
    if (count > MOST_NAMED)
      this.#observer.event?.({
        what: 'warning',
        message: `${count - MOST_NAMED} more routes ${what}: lb status lists them`,
      });
  }

  onDeadline(): void {
    this.report();
  }
}

/** Does the route wait for the first check of one of its servers? */
function isUndecided({ servers }: ServerGroup, wasChecked: (server: EngineServer) => boolean): boolean {
  return servers.some((server) => server.obstacle === 'down' && !wasChecked(server));
}

/** What keeps the servers of a group from new requests: `a is down, b is draining and 3 more`. */
export function whyDown({ servers }: ServerGroup): string {
  if (servers.length === 0) return 'no source has reported a server';
  const named = servers.slice(0, MOST_REASONS).map(({ name, obstacle }) => `${name} ${TEXTS[obstacle]}`);
  const more = servers.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const TEXTS = {
  removed: 'is removed',
  down: 'is down',
  ejected: 'is ejected',
  draining: 'is draining',
  maintenance: 'is in maintenance',
  'weight 0': 'has weight 0',
  '': 'takes requests',
} as const;
