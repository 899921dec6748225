import { instanceName } from '../../base/instance-name.js';
import type { Steps } from '../../base/slices.js';
import { VERSION } from '../../base/version.js';
import type { ManagedServer } from '../managed-server.js';
import { refusalOf, type StatusDeps, serverStatus } from './build-status.js';
import { countsOfServers, Histories } from './histories.js';
import { RouteDirectory } from './route-directory.js';
import { serverEvents } from './server-events.js';
import { worseOf } from './server-sums.js';
import type { ServerState } from './status.js';
import type { FocusEvent, RouteRow, ServerRow, View, ViewFacts, ViewFocus, ViewQuery } from './view.js';
import { ViewRows } from './view-rows.js';
import { SectionReader, type Sections } from './view-sections.js';

/** The most routes of a view, and of one route that is looked at alone the most servers. */
export const PAGE_ROWS = 50;
/** The most servers of a view, and of one of its routes. */
const MOST_SERVERS = 100;
const MOST_OF_ROUTE = 20;
/** Routes are shown with their servers where there is one page of routes with at most this many. */
const FEW_SERVERS = 60;
/** If more than one in this many requests of the last minute failed, something is wrong with the server. */
const ONE_IN = 100;
/** The most events of what is looked at alone, and the most servers of a route whose events are read. */
const MOST_EVENTS = 60;
const MOST_HEARD = 200;

/** The views that people look at and that are asked for again and again: what one view has found, the next one uses. */
export interface StatusView {
  readSteps(query: ViewQuery): Steps<View>;
}

/** Views of a running balancer, for many who look: each costs what is shown in it, and one pass over all servers. */
export interface StatusViews {
  open(): StatusView;
  /** Takes a sample of what is counted for each route and server; to be called every ten seconds. */
  sampleSteps(): Steps<void>;
  /** Remembers who changed a server, for people. */
  noteChange(server: string, by: string): void;
}

/** What goes through all servers finds. */
interface Survey {
  readonly byState: { [state in ServerState]?: number };
  readonly wrong: ReadonlySet<string>;
  readonly usable: number;
  readonly count: number;
  readonly active: number;
}

/** Which routes suit a question, and which of their servers. */
interface Suitable {
  /** Positions in the directory, ascending. */
  readonly places: readonly number[];
  /** Routes that suit by their own text: with all of their servers. */
  readonly byText: ReadonlySet<number> | null;
  /** Names of servers; null: any. */
  readonly names: ReadonlySet<string> | null;
}

/** What a search has found. */
interface Found {
  readonly byText: ReadonlySet<number>;
  readonly names: ReadonlySet<string>;
  /** The routes that have either, once they were asked for. */
  places: readonly number[] | null;
}

/** The routes with something wrong, and what they follow from. */
interface WrongPlaces {
  /** The number of the directory. */
  readonly directory: number;
  readonly version: number;
  readonly wrong: ReadonlySet<string>;
  readonly down: ReadonlySet<number>;
  readonly places: readonly number[];
}

/** The views of one balancer, over what the control plane has. */
export class BalancerViews implements StatusViews {
  readonly #deps: () => StatusDeps;
  readonly #histories: Histories;
  readonly #sections = new SectionReader();
  readonly #changedBy = new Map<string, string>();
  #directory: RouteDirectory | null = null;

  constructor(deps: () => StatusDeps) {
    this.#deps = deps;
    this.#histories = new Histories(deps().clock);
  }

  open(): StatusView {
    const reader = new ViewReader(this.#histories, this.#sections, this.#changedBy);
    return {
      readSteps: (query) => this.#readSteps(reader, query),
    };
  }

  *#readSteps(reader: ViewReader, query: ViewQuery): Steps<View> {
    const deps = this.#deps();
    const { config } = deps.registry.snapshot;
    if (this.#directory?.config !== config) this.#directory = yield* RouteDirectory.build(config);
    const view = yield* reader.readSteps(deps, this.#directory, query);
    // A reload has replaced the groups meanwhile: starts again.
    if (this.#deps().registry.snapshot.config !== config) return yield* this.#readSteps(reader, query);
    return view;
  }

  sampleSteps(): Steps<void> {
    const { registry, telemetry } = this.#deps();
    return this.#histories.sampleSteps(telemetry.metrics, registry.servers);
  }

  noteChange(server: string, by: string): void {
    const { servers } = this.#deps().registry;
    this.#changedBy.set(server, by);
    for (const name of this.#changedBy.keys())
      if (servers.named(name).length === 0) this.#changedBy.delete(name);
  }
}

/** Reads views for one person. */
class ViewReader {
  readonly #histories: Histories;
  readonly #sections: SectionReader;
  readonly #changedBy: ReadonlyMap<string, string>;
  /** The search that `#found` is of, and where it was made. */
  #searched = '';
  /** The number of the directory that it was made in; 0: none yet. */
  #directory = 0;
  #found: Found | null = null;
  #wrong: WrongPlaces | null = null;
  /** Are routes shown with their servers, for the question that this is of? It stays so while people look. */
  #asked = '';
  #unfolds = true;

  constructor(histories: Histories, sections: SectionReader, changedBy: ReadonlyMap<string, string>) {
    this.#histories = histories;
    this.#sections = sections;
    this.#changedBy = changedBy;
  }

  *readSteps(deps: StatusDeps, directory: RouteDirectory, query: ViewQuery): Steps<View> {
    const { registry } = deps;
    const survey = yield* this.#surveySteps(deps);
    const suitable = yield* this.#suitableSteps(deps, directory, query, survey);
    const sections = yield* this.#sections.read(deps, query);
    const rows = new ViewRows(deps, this.#histories, this.#changedBy);
    const routes: RouteRow[] = [];
    const servers: ServerRow[] = [];
    const isAlone = query.route !== null;
    const start = isAlone ? 0 : query.offset;
    const lists = new Map<number, readonly ManagedServer[]>();
    for (const place of suitable.places.slice(start, start + PAGE_ROWS)) {
      const { group } = directory.routes[place]!;
      const all = group === null ? [] : registry.servers.membersOf(group);
      lists.set(place, fitting(all, place, suitable, survey, query));
      yield;
    }
    const unfolds =
      isAlone ||
      query.server !== null ||
      this.#decideUnfolding(directory, query, suitable.places.length, lists);
    for (const [place, list] of lists) {
      const listed = directory.routes[place]!;
      const { name, group } = listed;
      const isFolded = query.folded.has(name) || !(unfolds || query.unfolded.has(name));
      routes.push(rows.route(listed, list.length, isFolded));
      yield;
      if (isFolded || group === null || list.length === 0) continue;
      const most = isAlone ? PAGE_ROWS : Math.min(MOST_OF_ROUTE, MOST_SERVERS - servers.length);
      const from = isAlone ? query.offset : 0;
      let ofRoute = 0;
      for (const { server } of registry.servers.membersOf(group)) ofRoute += rows.requestsTo(server.name);
      for (const member of list.slice(from, from + most)) {
        servers.push(rows.server(name, member, ofRoute));
        yield;
      }
    }
    const focus = this.#focusOf(deps, directory, query);
    return {
      facts: factsOf(deps, directory, survey, sections, focus),
      tables: {
        routes: { total: suitable.places.length, rows: routes },
        servers: { total: servers.length, rows: servers },
        ...sections.tables,
      },
    };
  }

  /** One pass over the servers: a name counts once, in its worst state. */
  *#surveySteps({ registry }: StatusDeps): Steps<Survey> {
    const byState: { [state in ServerState]?: number } = {};
    const wrong = new Set<string>();
    let [usable, count, active, seen] = [0, 0, 0, 0];
    for (const name of registry.servers.names) {
      const members = registry.servers.named(name);
      // A reload between two steps has removed it: the names are those of before.
      if (members.length === 0) continue;
      const { state } = members.length === 1 ? members[0]! : members.reduce(worseOf);
      byState[state] = (byState[state] ?? 0) + 1;
      count++;
      const isUsable = members.every(({ server }) => server.isUsable);
      if (isUsable) usable++;
      if (!isUsable || this.#failsOften(name, members)) wrong.add(name);
      for (const { server } of members) active += server.active;
      if (++seen % 32 === 0) yield;
    }
    return { byState, wrong, usable, count, active };
  }

  #failsOften(name: string, members: readonly ManagedServer[]): boolean {
    let errors = 0;
    for (const { health } of members) errors += health.record.recentErrors;
    if (errors === 0) return false;
    return errors * ONE_IN > this.#histories.recentOfServer(name, countsOfServers(members)).requests;
  }

  *#suitableSteps(
    deps: StatusDeps,
    directory: RouteDirectory,
    query: ViewQuery,
    survey: Survey,
  ): Steps<Suitable> {
    const { route, server, search, onlyWrong } = query;
    if (route !== null) {
      const place = directory.placeOf(route);
      const found = search === '' ? null : yield* this.#search(deps, directory, search);
      return { places: place === undefined ? [] : [place], byText: new Set(), names: found?.names ?? null };
    }
    if (server !== null) {
      const names = new Set([server]);
      return { places: ascending(yield* routesOf(deps, directory, names)), byText: new Set(), names };
    }
    const found = search === '' ? null : yield* this.#search(deps, directory, search);
    if (!onlyWrong) {
      if (found === null) return { places: directory.places, byText: null, names: null };
      found.places ??= ascending(yield* routesOf(deps, directory, found.names, new Set(found.byText)));
      return { places: found.places, byText: found.byText, names: found.names };
    }
    const down = new Set<number>();
    for (const { name } of deps.registry.routes.down()) {
      const place = directory.placeOf(name);
      if (place !== undefined) down.add(place);
    }
    yield;
    const places = yield* this.#wrongPlaces(deps, directory, survey.wrong, down);
    if (found === null) return { places, byText: null, names: null };
    const named = yield* routesOf(deps, directory, intersection(found.names, survey.wrong));
    const both = places.filter((place) => found.byText.has(place) || named.has(place));
    return { places: both, byText: found.byText, names: found.names };
  }

  /** The routes that are down or have a server with something wrong: found again when it is with others than before. */
  *#wrongPlaces(
    deps: StatusDeps,
    directory: RouteDirectory,
    wrong: ReadonlySet<string>,
    down: ReadonlySet<number>,
  ): Steps<readonly number[]> {
    const { version } = deps.registry.servers;
    const known = this.#wrong;
    const isKnown =
      known !== null &&
      known.directory === directory.number &&
      known.version === version &&
      isSame(known.wrong, wrong) &&
      isSame(known.down, down);
    if (isKnown) return known.places;
    const places = ascending(yield* routesOf(deps, directory, wrong, new Set(down)));
    this.#wrong = { directory: directory.number, version, wrong, down, places };
    return places;
  }

  /** Looked for again when servers have come or gone. */
  *#search({ registry }: StatusDeps, directory: RouteDirectory, search: string): Steps<Found> {
    const searched = `${registry.servers.version} ${search}`;
    if (this.#found !== null && this.#searched === searched && this.#directory === directory.number)
      return this.#found;
    const names = new Set<string>();
    let seen = 0;
    for (const { server } of registry.servers.each) {
      if (server.name.toLowerCase().includes(search) || server.address.text.includes(search))
        names.add(server.name);
      if (++seen % 64 === 0) yield;
    }
    this.#found = { byText: yield* directory.matching(search), names, places: null };
    this.#searched = searched;
    this.#directory = directory.number;
    return this.#found;
  }

  #decideUnfolding(
    directory: RouteDirectory,
    { search, onlyWrong }: ViewQuery,
    routes: number,
    lists: ReadonlyMap<number, readonly ManagedServer[]>,
  ): boolean {
    const asked = `${directory.routes.length} ${onlyWrong} ${search}`;
    if (asked !== this.#asked) {
      let sum = 0;
      for (const list of lists.values()) sum += list.length;
      this.#unfolds = routes <= PAGE_ROWS && sum <= FEW_SERVERS;
      this.#asked = asked;
    }
    return this.#unfolds;
  }

  #focusOf(deps: StatusDeps, directory: RouteDirectory, { route, server }: ViewQuery): ViewFocus | null {
    if (server !== null) {
      const status =
        deps.registry.servers.named(server).length === 0 ? undefined : serverStatus(deps, server);
      if (status === undefined) return null;
      const history = this.#histories.of('server', server);
      const events = status.events.slice(-MOST_EVENTS);
      return { kind: 'server', name: server, history, events, totals: status.totals };
    }
    const place = route === null ? undefined : directory.placeOf(route);
    if (route === null || place === undefined) return null;
    const events = eventsOfRoute(deps, route, directory.routes[place]!.group);
    return { kind: 'route', name: route, history: this.#histories.of('route', route), events, totals: null };
  }
}

function fitting(
  all: readonly ManagedServer[],
  place: number,
  { byText, names }: Suitable,
  { wrong }: Survey,
  { onlyWrong }: ViewQuery,
): readonly ManagedServer[] {
  const looksAtNames = names !== null && byText?.has(place) !== true;
  if (!looksAtNames && !onlyWrong) return all;
  return all.filter(
    ({ server: { name } }) => (!looksAtNames || names.has(name)) && (!onlyWrong || wrong.has(name)),
  );
}

/** The positions of all routes that have one of these servers, added to `places`. */
function* routesOf(
  { registry }: StatusDeps,
  directory: RouteDirectory,
  names: ReadonlySet<string>,
  places = new Set<number>(),
): Steps<Set<number>> {
  const seen = new Set<unknown>();
  for (const name of names) {
    for (const { group } of registry.desired.layers.serversNamed(name)) {
      if (seen.has(group)) continue;
      seen.add(group);
      for (const place of directory.placesOf(group)) places.add(place);
    }
    yield;
  }
  return places;
}

/** Of the route itself, and of its servers. */
function eventsOfRoute(
  { registry, telemetry }: StatusDeps,
  route: string,
  group: RouteDirectory['routes'][number]['group'],
): readonly FocusEvent[] {
  const { journal } = telemetry;
  const members = group === null ? [] : registry.servers.membersOf(group).slice(0, MOST_HEARD);
  const own = journal.eventsSince(0).filter((event) => event.route === route);
  const events: FocusEvent[] = own.map(({ at, what, reason }) => ({ at, what, reason, times: 1, route }));
  for (const { server, health } of members) {
    const { name } = server;
    for (const event of serverEvents(journal.eventsOf(name), health.record.history.events))
      events.push({ ...event, server: name });
  }
  return events.sort((one, other) => one.at - other.at).slice(-MOST_EVENTS);
}

function factsOf(
  deps: StatusDeps,
  directory: RouteDirectory,
  survey: Survey,
  { counts, certificatesWrong, providersFailing }: Sections,
  focus: ViewFocus | null,
): ViewFacts {
  const { registry, telemetry, state, readyReasons, startedAt, listeners, clients } = deps;
  const { total, byStatus, byReason } = telemetry.metrics.requestCounts;
  const { configPath: path, loadedAt } = deps;
  return {
    version: VERSION,
    instance: instanceName(registry.snapshot.config.instance),
    pid: process.pid,
    startedAt,
    state,
    ready: readyReasons.length === 0,
    readyReasons,
    listeners: listeners.map(({ address, scheme, redirect, proxyProtocol }) => ({
      address,
      scheme,
      redirect,
      proxyProtocol,
    })),
    clients,
    requests: total,
    inFlight: survey.active,
    byStatus,
    byReason: Object.entries(byReason).map(([reason, count]) => ({ reason, count })),
    config: { path, loadedAt, refused: refusalOf(telemetry), drift: briefly(registry.desired.drift) },
    routes: directory.routes.length,
    routesDown: registry.routes.count - registry.routes.upCount,
    servers: survey.count,
    usable: survey.usable,
    byState: survey.byState,
    wrong: survey.wrong.size,
    sections: counts,
    certificatesWrong,
    providersFailing,
    shared: deps.shared === null ? null : { state: deps.shared.state, error: deps.shared.error },
    focus,
  };
}

/** The most changes that are listed. */
const MOST_DRIFT = 20;

function briefly(drift: readonly string[]): readonly string[] {
  const more = drift.length - MOST_DRIFT;
  return more <= 0 ? drift : [...drift.slice(0, MOST_DRIFT), `and ${more} more changes`];
}

function ascending(places: Iterable<number>): readonly number[] {
  return [...places].sort((one, other) => one - other);
}

function isSame<T>(one: ReadonlySet<T>, other: ReadonlySet<T>): boolean {
  if (one.size !== other.size) return false;
  for (const item of one) if (!other.has(item)) return false;
  return true;
}

function intersection(one: ReadonlySet<string>, other: ReadonlySet<string>): Set<string> {
  return new Set([...one].filter((name) => other.has(name)));
}
