import type { HostSettings, PathSettings } from './settings.js';
import { type Entry, type MapNode, type Node, type Path, toNode } from './tree.js';
import type { ContainerRoute, RefusedRoute, RouteTerms } from './types.js';

/** A part of a document that stands for a route. */
interface RoutePlace {
  readonly path: Path;
  readonly route: ContainerRoute;
}

/** A document with routes of containers in it. */
export interface Extended {
  readonly document: MapNode;
  /** What of the document stands for which route. */
  readonly places: readonly RoutePlace[];
  /** What the file decides itself. */
  readonly refused: readonly RefusedRoute[];
}

/** Keys of a scope that say where its requests end up. */
const ACTIONS = ['servers', 'redirect', 'respond'] as const;

/**
 * Adds routes of containers to the settings of a file, as if they were written at its end. The file takes precedence: what
 * it says of a host and path stays. An entry of the file for several hosts gets no route: it would hold for all of them, and
 * the container asks for one. The document is left as it is; a copy shares what has not changed.
 */
export function addRoutes(document: MapNode, routes: readonly ContainerRoute[]): Extended {
  const places: RoutePlace[] = [];
  const refused: RefusedRoute[] = [];
  const root = new Map(document.entries);
  const hosts = [...itemsOf(root.get('hosts'))];
  const known = new Map<string, number>();
  for (const [at, host] of hosts.entries())
    for (const name of namesOf(host)) if (!known.has(name)) known.set(name, at);
  for (const route of routes) {
    const { host } = route;
    let scope: { readonly entries: Map<string, Entry>; readonly at: Path };
    if (host === null) scope = { entries: root, at: [] };
    else {
      let at = known.get(host);
      if (at === undefined) {
        at = hosts.push(toNode({ host } satisfies HostSettings)) - 1;
        known.set(host, at);
      }
      const node = hosts[at] as Node;
      if (node.kind !== 'map') continue;
      const others = namesOf(node).filter((name) => name !== host);
      if (others.length > 0) {
        const reason = `the settings file has ${host} in one entry with ${others.join(', ')}: give it an entry of its own`;
        refused.push({ route: route.route, by: route.by, reason });
        continue;
      }
      // A copy: the list of the file is shared with the document without routes.
      const entries = new Map(node.entries);
      hosts[at] = { ...node, entries };
      scope = { entries, at: ['hosts', at] };
    }
    const reason = addRoute(scope.entries, route, scope.at, places);
    if (reason !== '') refused.push({ route: route.route, by: route.by, reason });
  }
  if (hosts.length > 0) root.set('hosts', entryOf(root.get('hosts'), hosts));
  return { document: { ...document, entries: root }, places, refused };
}

/** The routes that a problem at `path` is about, and those beside them that it may be about. */
export function routesAt(path: Path, { places }: Extended): readonly ContainerRoute[] {
  const found = places.filter(
    (place) => startsWith(path, place.path) || (path.length > 0 && startsWith(place.path, path)),
  );
  return found.map(({ route }) => route);
}

function startsWith(path: Path, beginning: Path): boolean {
  return beginning.every((segment, at) => path[at] === segment);
}

/**
 * Why not; empty when it was added. All of a host is the path / of it: what is said at the host itself would hold for its other
 * paths too, which other containers ask for.
 */
function addRoute(
  entries: Map<string, Entry>,
  route: ContainerRoute,
  at: Path,
  places: RoutePlace[],
): string {
  const { host, path } = route;
  const own = path === null ? ACTIONS.find((key) => entries.has(key)) : undefined;
  if (own !== undefined) return `the settings file has ${own} for ${host ?? 'all requests'}`;
  const wanted = path ?? '/';
  const list = entries.get('paths');
  const paths = [...itemsOf(list)];
  const isTaken = paths.some((node) => textIn(node, 'path').some((text) => samePath(text, wanted)));
  if (isTaken) return `the settings file has ${host ?? ''}${wanted.startsWith('/') ? '' : ' '}${wanted}`;
  const isRegex = wanted.startsWith('~');
  const strip = isRegex ? {} : { strip_prefix: route.terms.stripPrefix };
  const settings: PathSettings = { path: wanted, ...settingsOf(route), ...strip };
  paths.push(toNode(settings));
  entries.set('paths', entryOf(list, paths));
  places.push({ path: [...at, 'paths', paths.length - 1], route });
  return '';
}

/** What the labels come to, as one would write it in the file. */
function settingsOf({ route, terms }: ContainerRoute): Omit<PathSettings, 'path'> {
  const { check, checkInterval, algorithm, sticky, preserveHost } = terms;
  return {
    servers: [{ docker: { route }, ...tlsOf(terms) }],
    preserve_host: preserveHost,
    ...(check === null && checkInterval === null
      ? {}
      : {
          health_check: {
            ...(check === null ? {} : { path: check }),
            ...(checkInterval === null ? {} : { interval: checkInterval }),
          },
        }),
    ...(algorithm === null ? {} : { algorithm: algorithm as 'round_robin' }),
    ...(sticky === null ? {} : { sticky: { cookie: sticky } }),
  };
}

function tlsOf({ isSecure, isVerified }: RouteTerms): { tls?: true | { verify: false } } {
  if (!isSecure) return {};
  return { tls: isVerified ? true : { verify: false } };
}

function samePath(one: string, other: string): boolean {
  return one === other || one.replace(/(?<=.)\/$/, '') === other;
}

function itemsOf(entry: Entry | undefined): readonly Node[] {
  return entry?.value.kind === 'list' ? entry.value.items : [];
}

/** The names of a host, as they are compared. */
function namesOf(host: Node): string[] {
  return textIn(host, 'host').map((name) => name.toLowerCase().replace(/\.$/, ''));
}

/** The text, or the texts of the list, at a key. */
function textIn(node: Node, key: string): string[] {
  const value = node.kind === 'map' ? node.entries.get(key)?.value : undefined;
  const nodes = value?.kind === 'list' ? value.items : value === undefined ? [] : [value];
  return nodes.flatMap((one) => (one.kind === 'scalar' && typeof one.value === 'string' ? [one.value] : []));
}

const NOWHERE = { start: -1, end: -1 };

/** The entry with another value; its key stays where it is written. */
function entryOf(before: Entry | undefined, value: Node | Node[]): Entry {
  const node: Node = Array.isArray(value)
    ? { kind: 'list', items: value, span: before?.value.span ?? NOWHERE }
    : value;
  return { key: before?.key ?? NOWHERE, value: node };
}
