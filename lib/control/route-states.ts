import type { Observer } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import { type Clock, Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { forwardingRoutes } from '../config/every-route.js';
import type { RoutingSnapshot } from '../routing/routing-snapshot.js';
import type { EngineServer } from '../servers/engine-contract.js';
import type { GroupListener, ServerGroup } from '../servers/server-group.js';

/** What is known of a route that forwards. */
export interface RouteState {
  readonly name: string;
  readonly group: ServerGroup;
  /** Wall clock, ms since the epoch: since when none of its servers takes new requests; null while one does. */
  readonly downSince: number | null;
}

interface Entry extends RouteState {
  downSince: number | null;
  /** Since when it was down as observers were told; null when they believe it to be up. */
  toldDownSince: number | null;
}

/** One server may be the last of thousands of routes: of those that go or come at once so many are named. */
const MOST_NAMED = 20;
/** How often a route is looked at again while its servers are not checked yet. */
const LOOK_AGAIN_MS = 1000;
/** Servers that are named as the reason. */
const MOST_REASONS = 5;

/** The routes of one snapshot, kept up by its groups from before it is in force. */
export class RouteTable implements GroupListener {
  readonly entries = new Map<string, Entry>();
  /** Those that can't be served. */
  readonly down = new Set<Entry>();
  readonly #byGroup = new Map<ServerGroup, Entry[]>();
  readonly #clock: Clock;
  /** Told of each route that is down or up now; null before it is in force. */
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
    const entry: Entry = { name, group, downSince: null, toldDownSince: null };
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
 * Which routes can be served. Kept up by the groups as they change, so that no question goes through all routes;
 * observers are told at the end of what is being done, after they were told of the servers.
 */
export class RouteStates implements DeadlineOwner {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #deadline: Deadline;
  readonly #wasChecked: (server: EngineServer) => boolean;
  #table: RouteTable;
  /** Of which observers were told that they are down. */
  #told = new Set<Entry>();
  readonly #changed = new Set<Entry>();
  #isScheduled = false;
  #started = false;
  /** Something is being changed, and `tell` will be called at its end. */
  isWaiting = false;

  /** `wasChecked`: is a check of the server over? */
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

  /** Routes that have a server for a new request. */
  get upCount(): number {
    return this.#table.entries.size - this.#table.down.size;
  }

  /** Routes that forward. */
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

  /** Those that can't be served, in the order of the file. */
  *down(): Generator<RouteState> {
    for (const entry of this.#table.entries.values()) if (entry.downSince !== null) yield entry;
  }

  /** The routes are those of `table` from now on. What is known of a name stays known. */
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
    for (const { name, toldDownSince } of this.#told) {
      const entry = table.entries.get(name);
      if (entry === undefined) continue;
      entry.toldDownSince = toldDownSince;
      told.add(entry);
      this.#changed.add(entry);
    }
    this.#told = told;
    table.onChange = (entry) => {
      this.#changed.add(entry);
      this.#schedule();
    };
    this.#schedule();
  }

  /** Requests are let in: from now on observers are told, of routes that can't be served yet too. */
  start(): void {
    this.#started = true;
    this.tell();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#changed.size === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.isWaiting) this.tell();
    });
  }

  /** Tells observers what has changed since they were told. */
  tell(): void {
    if (!this.#started) return;
    const named = { down: 0, up: 0 };
    const now = this.#clock.wall();
    for (const entry of this.#changed) {
      const { name, group, downSince, toldDownSince } = entry;
      // Nobody knows yet: it may be up after the first check.
      if (downSince !== null && toldDownSince === null && isUndecided(group, this.#wasChecked)) continue;
      this.#changed.delete(entry);
      if (downSince !== null && toldDownSince === null) {
        this.#told.add(entry);
        entry.toldDownSince = downSince;
        if (named.down++ < MOST_NAMED)
          this.#observer.event?.({ what: 'route_down', route: name, detail: whyDown(group) });
      } else if (downSince === null && toldDownSince !== null) {
        this.#told.delete(entry);
        entry.toldDownSince = null;
        if (named.up++ < MOST_NAMED)
          this.#observer.event?.({ what: 'route_up', route: name, downMs: now - toldDownSince });
      }
    }
    this.#tellOfMore(named.down, 'have no server that takes requests either');
    this.#tellOfMore(named.up, 'have a server that takes requests again too');
    if (this.#changed.size > 0) this.#deadline.arm(LOOK_AGAIN_MS);
  }

  #tellOfMore(count: number, what: string): void {
    if (count > MOST_NAMED)
      this.#observer.event?.({
        what: 'warning',
        message: `${count - MOST_NAMED} more routes ${what}: lb status lists them`,
      });
  }

  onDeadline(): void {
    this.tell();
  }
}

/** Does it wait for the first check of one of its servers? */
function isUndecided({ servers }: ServerGroup, wasChecked: (server: EngineServer) => boolean): boolean {
  return servers.some((server) => server.obstacle === 'down' && !wasChecked(server));
}

/** What keeps its servers from new requests: `a is down, b is draining and 3 more`. */
export function whyDown({ servers }: ServerGroup): string {
  const named = servers.slice(0, MOST_REASONS).map(({ name, obstacle }) => `${name} ${SPOKEN[obstacle]}`);
  const more = servers.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const SPOKEN = {
  removed: 'is removed',
  down: 'is down',
  ejected: 'is ejected',
  draining: 'is draining',
  maintenance: 'is in maintenance',
  'weight 0': 'has weight 0',
  '': 'takes requests',
} as const;
