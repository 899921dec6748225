import { append } from '../../base/collections.js';
import type { Steps } from '../../base/slices.js';
import { everyRoute } from '../../config/every-route.js';
import { routeMatchSteps } from '../../config/route-match.js';
import type { Config, GroupConfig, RouteConfig } from '../../config/types.js';

/** A route as people search for it. */
export interface ListedRoute {
  readonly name: string;
  /** What matches it, for people. */
  readonly match: string;
  readonly route: RouteConfig;
  /** null: it answers without a server. */
  readonly group: GroupConfig | null;
  /** What a search looks through, in lower case. */
  readonly text: string;
}

const NO_PLACES: readonly number[] = [];

/** The routes of one configuration in the order of the file, found by name, by group, and by parts of their texts. */
export class RouteDirectory {
  static #made = 0;
  /** Another one for each directory: an object that remembers where something was found keeps no configuration alive by it. */
  readonly number = ++RouteDirectory.#made;
  readonly config: Config;
  readonly routes: ListedRoute[] = [];
  /** The position of each route. */
  readonly places: number[] = [];
  readonly #placeOf = new Map<string, number>();
  readonly #placesOf = new Map<GroupConfig, number[]>();

  private constructor(config: Config) {
    this.config = config;
  }

  static *build(config: Config): Steps<RouteDirectory> {
    const directory = new RouteDirectory(config);
    const matches = yield* routeMatchSteps(config);
    for (const route of everyRoute(config)) {
      directory.#add(route, matches.get(route) ?? '');
      yield;
    }
    return directory;
  }

  #add(route: RouteConfig, match: string): void {
    const { name, action } = route;
    const group = action.kind === 'forward' ? action.group : null;
    const place = this.routes.length;
    const text = `${match}\n${name}`.toLowerCase();
    this.routes.push({ name, match: match === '' ? name : match, route, group, text });
    this.places.push(place);
    this.#placeOf.set(name, place);
    if (group !== null) append(this.#placesOf, group, place);
  }

  /** The position of a route; undefined when there is none of this name. */
  placeOf(name: string): number | undefined {
    return this.#placeOf.get(name);
  }

  /** The positions of the routes that have this group. */
  placesOf(group: GroupConfig): readonly number[] {
    return this.#placesOf.get(group) ?? NO_PLACES;
  }

  /** The positions of the routes whose text has `search`, which is in lower case. */
  *matching(search: string): Steps<Set<number>> {
    const found = new Set<number>();
    for (const [place, { text }] of this.routes.entries()) {
      if (text.includes(search)) found.add(place);
      if (place % 64 === 0) yield;
    }
    return found;
  }
}
