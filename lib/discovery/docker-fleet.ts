import type { ContainerChoice, ContainerLabel, ContainerRoute } from '../config/types.js';
import { addressText } from './addresses.js';
import type { DiscoveredServer } from './contract.js';
import { findAddress, type Viewpoint } from './docker-address.js';
import type { Container } from './docker-containers.js';
import { type LabelSet, type LbLabels, readLabels } from './docker-labels.js';

/** What a source asks of all containers. */
export interface FleetQuestion {
  readonly choice: ContainerChoice;
  readonly port: number | null;
  readonly network: string | null;
}

export interface FleetAnswer {
  readonly servers: readonly DiscoveredServer[];
  /** What is wrong with containers, a line each, with their names. */
  readonly problems: readonly string[];
}

interface Member {
  readonly container: Container;
  readonly labels: LbLabels;
  /** `mango-1`, or the name of the container. */
  readonly title: string;
  /** May it get requests? */
  readonly isReady: boolean;
}

/** What is known besides the list of containers. */
export interface FleetTerms {
  /** The ids of those that were told to stop. */
  readonly leaving: ReadonlySet<string>;
  /** The beginning of the id of the container that this process is in; null: in none. */
  readonly self: string | null;
  /** The machine of the engine, as it is reached from here. */
  readonly machine: string;
  /** What is wrong with routes beyond the labels, a line each. */
  readonly objections: readonly string[];
}

const NOTHING: FleetAnswer = { servers: [], problems: [] };

/** All containers of an engine at one moment, as servers and routes. */
export class DockerFleet {
  readonly #members: readonly Member[];
  readonly #view: Viewpoint;
  readonly #objections: readonly string[];
  /** By their routes. */
  readonly #byRoute = new Map<string, [member: Member, set: LabelSet][]>();

  /** By the ids of containers, whose labels never change. */
  readonly #labels = new Map<string, LbLabels>();

  /** `before`: the fleet of a moment ago, whose labels need not be read again. */
  constructor(
    containers: readonly Container[],
    { leaving, self, machine, objections }: FleetTerms,
    before: DockerFleet | null = null,
  ) {
    this.#objections = objections;
    const byId = new Map(containers.map((container) => [container.id, container]));
    const own = self === null ? undefined : containers.find(({ id }) => id.startsWith(self));
    this.#view = { self: own ?? null, machine, byId };
    for (const { id, labels } of containers)
      this.#labels.set(id, (before === null ? undefined : before.#labels.get(id)) ?? readLabels(labels));
    this.#members = containers.filter(isService).map((container) => ({
      container,
      labels: this.#labels.get(container.id) as LbLabels,
      title: titleOf(container),
      isReady: isReady(container) && !leaving.has(container.id),
    }));
    for (const member of this.#members) {
      if (!member.labels.isEnabled) continue;
      for (const set of member.labels.sets)
        for (const { route } of set.claims) {
          const known = this.#byRoute.get(route);
          if (known === undefined) this.#byRoute.set(route, [[member, set]]);
          else known.push([member, set]);
        }
    }
  }

  /** The servers that a source asks for. */
  answer({ choice, port, network }: FleetQuestion): FleetAnswer {
    switch (choice.kind) {
      case 'labels':
        return this.#byLabels(choice.labels, port, network);
      case 'route':
        return this.#ofRoute(choice, port, network);
      case 'routes':
        return this.#ofAllRoutes(choice.labels, port, network);
    }
  }

  /**
   * The routes that containers ask for, by name; they stay while a container that asks for them exists, running or not. What
   * the oldest one that runs says of a route counts.
   */
  routes(labels: readonly ContainerLabel[]): readonly ContainerRoute[] {
    const routes: ContainerRoute[] = [];
    for (const [route, all] of this.#byRoute) {
      const asking = all.filter(([{ container }]) => hasLabels(container, labels));
      const [first] = runningFirst(asking);
      if (first === undefined) continue;
      const [member, { claims, terms }] = first;
      const { host, path } = claims.find((claim) => claim.route === route) ?? { host: null, path: null };
      routes.push({ route, host, path, by: member.title, terms });
    }
    return routes.sort((a, b) => (a.route < b.route ? -1 : 1));
  }

  #byLabels(labels: readonly ContainerLabel[], port: number | null, network: string | null): FleetAnswer {
    const servers: DiscoveredServer[] = [];
    const problems: string[] = [];
    for (const member of this.#members) {
      if (!hasLabels(member.container, labels)) continue;
      const own = member.labels.sets.find(({ name }) => name === '');
      this.#addLabelProblems(member, problems);
      if (!member.labels.isEnabled || !member.isReady || own === undefined) continue;
      this.#add(member, own, port, network, servers, problems);
    }
    return { servers, problems };
  }

  #ofRoute(
    { route, labels }: Extract<ContainerChoice, { readonly kind: 'route' }>,
    port: number | null,
    network: string | null,
  ): FleetAnswer {
    const asking = this.#byRoute.get(route);
    if (asking === undefined) return NOTHING;
    const servers: DiscoveredServer[] = [];
    for (const [member, set] of asking)
      if (member.isReady && hasLabels(member.container, labels))
        this.#add(member, set, port, network, servers, []);
    // What is wrong is told by the source that has all routes.
    return { servers, problems: [] };
  }

  #ofAllRoutes(labels: readonly ContainerLabel[], port: number | null, network: string | null): FleetAnswer {
    const servers: DiscoveredServer[] = [];
    const problems: string[] = [];
    for (const member of this.#members) {
      if (!hasLabels(member.container, labels)) continue;
      this.#addLabelProblems(member, problems);
      if (!member.isReady || !member.labels.isEnabled) continue;
      for (const set of member.labels.sets)
        if (set.claims.length > 0) this.#add(member, set, port, network, servers, problems);
    }
    return { servers, problems: [...problems, ...this.#contradictions(labels), ...this.#objections] };
  }

  /** Problems of containers that do not run are of no interest. */
  #addLabelProblems({ container, labels, title }: Member, problems: string[]): void {
    if (container.state !== 'running') return;
    for (const problem of labels.problems) problems.push(`${title}: ${problem}`);
  }

  /** Containers of one route that say different things of it. */
  #contradictions(labels: readonly ContainerLabel[]): string[] {
    const found = new Set<string>();
    for (const [route, all] of this.#byRoute) {
      const running = all.filter(
        ([{ container }]) => container.state === 'running' && hasLabels(container, labels),
      );
      const [first, ...others] = running;
      if (first === undefined) continue;
      const wanted = JSON.stringify(first[1].terms);
      for (const [member, { terms }] of others)
        if (JSON.stringify(terms) !== wanted)
          found.add(
            `${member.title}: its labels say other things of ${route} than those of ${first[0].title}, which count`,
          );
    }
    return [...found];
  }

  #add(
    member: Member,
    { name: setName, server }: LabelSet,
    port: number | null,
    network: string | null,
    servers: DiscoveredServer[],
    problems: string[],
  ): void {
    const { container, title } = member;
    const found = findAddress(container, server.network ?? network, this.#view);
    const number = portOf(container, port ?? server.port);
    if ('problem' in found) problems.push(`${title}: ${found.problem}`);
    else if (typeof number === 'string') problems.push(`${title}: ${number}`);
    else {
      const { weight, backup, maxConnections } = server;
      servers.push({
        address: addressText(found.address, number),
        name: server.name ?? serverName(title, setName, container),
        weight,
        backup,
        maxConnections,
        host: null,
        origin: `container ${container.name}`,
      });
    }
  }
}

/** Commands that are run once in the image of a service (`docker compose run`) have the labels of the service too. */
function isService({ labels }: Container): boolean {
  return labels.get('com.docker.compose.oneoff') !== 'True';
}

function isReady({ state, health }: Container): boolean {
  return state === 'running' && (health === 'none' || health === 'healthy');
}

function hasLabels({ labels }: Container, wanted: readonly ContainerLabel[]): boolean {
  return wanted.every(({ name, value }) => (value === null ? labels.has(name) : labels.get(name) === value));
}

function runningFirst<T extends readonly [Member, ...unknown[]]>(members: readonly T[]): readonly T[] {
  const isRunning = ([{ container }]: T): boolean => container.state === 'running';
  return [...members.filter(isRunning), ...members.filter((member) => !isRunning(member))];
}

/** The name that people know: of compose the service and its number. */
function titleOf({ name, labels }: Container): string {
  const service = labels.get('com.docker.compose.service') ?? '';
  const number = labels.get('com.docker.compose.container-number') ?? '';
  // Any container may have such labels, with any text.
  const isOfCompose = /^[\w.-]{1,64}$/.test(service) && /^\d{1,9}$/.test(number);
  return isOfCompose ? `${service}-${number}` : name;
}

/** null: its address. Another port of a container is another server. */
function serverName(title: string, setName: string, { id }: Container): string | null {
  const name = setName === '' ? title : `${title}-${setName}`;
  if (/^[!-9;-~]{1,64}$/.test(name)) return name;
  return /^[0-9a-f]{12}/.test(id) ? id.slice(0, 12) : null;
}

/** A text says why there is none. */
function portOf({ ports }: Container, asked: number | null): number | string {
  if (asked !== null) return asked;
  const [only, ...others] = ports;
  if (only === undefined) return 'it exposes no port: say which one with lb.port';
  return others.length === 0 ? only : `it exposes the ports ${ports.join(', ')}: say which one with lb.port`;
}
