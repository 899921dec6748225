import type { Steps } from '../base/slices.js';
import type { PathPattern } from '../config/pattern.js';
import { compileRegex, type Regex } from '../config/regex.js';
import type { RouteConfig, ScopeConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { Conditions, firstMet } from '../rules/match.js';
import { type Captures, matchRegex, NO_CAPTURES } from '../rules/pattern.js';
import { NO_RULES, RouteRules } from '../rules/route-rules.js';
import { PrefixTrie } from './prefix-trie.js';

/** Where a request is to go. Without captures the object is the same for every request of the route. */
export interface RouteMatch<T> {
  readonly route: RouteConfig;
  /** What the caller attached to the route. */
  readonly attached: T;
  /** The groups of the regular expression by which the route was found, for `{$1}`. */
  readonly captures: Captures;
}

/** One level of decisions: conditions in order, paths, what is left. */
export class Scope<T> {
  readonly #conditions: readonly Conditions[];
  readonly #conditional: readonly RouteMatch<T>[];
  readonly #languages: readonly string[];
  readonly #exact = new Map<string, Scope<T>>();
  readonly #regexes: { readonly regex: Regex; readonly scope: Scope<T> }[] = [];
  readonly #prefixes = new PrefixTrie<Scope<T>>();
  readonly #hasPaths: boolean;
  readonly #fallback: RouteMatch<T> | null;

  /** For answers of the balancer's own to requests that find no route here. */
  readonly lostRules: RouteRules;

  private constructor(config: ScopeConfig, resolutionOf: (route: RouteConfig) => RouteMatch<T>) {
    this.#conditions = config.routes.map(({ match }) => new Conditions(match));
    this.#conditional = config.routes.map(({ route }) => resolutionOf(route));
    this.#languages = config.languages.map((language) => language.toLowerCase());
    this.lostRules = new RouteRules({ ...NO_RULES, responseHeaders: config.responseHeaders });
    this.#hasPaths = config.paths.length > 0;
    this.#fallback = config.fallback === null ? null : resolutionOf(config.fallback);
  }

  /** In steps: a host may have thousands of paths. */
  static *build<T>(
    config: ScopeConfig,
    resolutionOf: (route: RouteConfig) => RouteMatch<T>,
  ): Steps<Scope<T>> {
    const scope = new Scope(config, resolutionOf);
    for (const { path, scope: inner } of config.paths) {
      scope.#addPath(path, yield* Scope.build(inner, resolutionOf));
      yield;
    }
    return scope;
  }

  #addPath(path: PathPattern, scope: Scope<T>): void {
    if (path.kind === 'regex') this.#regexes.push({ regex: compileRegex(path.regex), scope });
    else if (path.kind === 'prefix') this.#prefixes.add(path.path, scope);
    else if (!this.#exact.has(path.path)) this.#exact.set(path.path, scope);
  }

  /** `captures` are those found on the way here. */
  resolve(view: RequestView, captures: Captures): RouteMatch<T> | null {
    const index = this.#conditions.length === 0 ? -1 : firstMet(this.#conditions, view, this.#languages);
    if (index !== -1) {
      const own = (this.#conditions[index] as Conditions).captures(view);
      return withCaptures(this.#conditional[index] as RouteMatch<T>, own.length > 0 ? own : captures);
    }
    if (this.#hasPaths) {
      const inner = this.#resolvePath(view);
      if (inner !== null) return inner;
    }
    return captures.length === 0 ? this.#fallback : withCaptures(this.#fallback, captures);
  }

  #resolvePath(view: RequestView): RouteMatch<T> | null {
    const { path } = view;
    const exact = this.#exact.get(path);
    if (exact !== undefined) return exact.resolve(view, NO_CAPTURES);
    for (const { regex, scope } of this.#regexes) {
      const captures = matchRegex(regex, path, view.budget);
      if (captures !== null) return scope.resolve(view, captures);
    }
    return this.#prefixes.find(path)?.resolve(view, NO_CAPTURES) ?? null;
  }
}

function withCaptures<T>(resolution: RouteMatch<T> | null, captures: Captures): RouteMatch<T> | null {
  return resolution === null || captures.length === 0 ? resolution : { ...resolution, captures };
}
