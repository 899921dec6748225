import { compileAction, ownAction } from './action.js';
import type { CommonSettings, Context, ScopeSettings } from './context.js';
import { compileFirewall } from './firewall.js';
import { compileGroupTerms, type GroupTerms, refuseStrayTerms } from './group-terms.js';
import { compileHold } from './hold.js';
import { overrideTimeouts, rateOfBody, sizeOfBody } from './limits.js';
import { compileMaintenance } from './maintenance.js';
import { compileLanguages, compileMatch, matchIdentity } from './match.js';
import { groupsOf, type PathPattern, parsePath } from './pattern.js';
import { type Candidate, checkInside, checkReach, matchOfPath } from './reach.js';
import { each } from './report.js';
import { compileRetry } from './retry.js';
import { compileRules, type OwnRules } from './rules.js';
import type { PathSettings, RouteSettings } from './settings.js';
import { compileSticky } from './sticky.js';
import type { Path } from './tree.js';
import type {
  ConditionalRoute,
  FirewallConfig,
  HoldConfig,
  MaintenanceConfig,
  PathRoute,
  PathRule,
  RetryConfig,
  RouteAction,
  RouteConfig,
  ScopeConfig,
  StickyConfig,
  TimeoutsConfig,
} from './types.js';

/** What a scope passes on to the scopes inside it. */
export interface ConfigScope {
  readonly name: string;
  /**
   * What identifies the scope wherever it stands in the file: the names of hosts and paths, and the conditions that
   * lead to it. One text for each name of its host, the first name first.
   */
  readonly identities: readonly string[];
  readonly path: Path;
  readonly action: RouteAction | null;
  readonly firewalls: readonly FirewallConfig[];
  readonly rules: OwnRules;
  /** The Host for servers when no setting decides it. */
  readonly defaultHost: 'client' | 'server';
  readonly terms: GroupTerms;
  readonly sticky: StickyConfig | null;
  readonly retry: RetryConfig;
  readonly hold: HoldConfig | null;
  readonly maintenance: MaintenanceConfig | null;
  readonly timeouts: TimeoutsConfig;
  readonly bodyBytes: number;
  readonly bodyRate: number;
  /** The number of groups of the pattern that leads here. */
  readonly captures: number;
  /** The languages of what is served here when no route asks for a language. */
  readonly languages: readonly string[];
  /** Something in this scope or around it was refused, so what is missing may have been meant. */
  readonly doubtful: boolean;
}

/** What a scope has in addition to its settings. */
interface Way {
  readonly name: string;
  readonly identities: readonly string[];
  readonly path: Path;
  readonly captures?: number;
  readonly defaultHost?: 'server';
  readonly strip?: PathRule | undefined;
}

/** Compiles the decisions of one scope. `kind` is `file` at the top of the file. */
export function compileScope(
  settings: ScopeSettings,
  place: ConfigScope,
  kind: 'file' | 'host',
  context: Context,
): ScopeConfig {
  const routes = compileRoutes(settings.routes, place, context);
  const paths = compilePaths(settings.paths, place, kind, context);
  const own = ownAction(settings);
  const fallback = own && [...place.path, own];
  checkReach(routes.candidates, paths.candidates, fallback, context.report);
  if (kind === 'host' && !leadsAnywhere(settings, place)) tellNowhere(place.path, 'host', context);
  const rest = toRoute(kind === 'file' && fallback ? { ...place, path: fallback } : place, context);
  return {
    routes: routes.list,
    paths: paths.list,
    fallback: rest,
    responseHeaders: place.rules.responseHeaders,
    maintenance: place.maintenance,
    errorPages: place.rules.errorPages,
    languages: place.languages,
  };
}

interface Compiled<T> {
  readonly list: T[];
  readonly candidates: Candidate[];
}

function compileRoutes(
  settings: readonly RouteSettings[] | undefined,
  around: ConfigScope,
  context: Context,
): Compiled<ConditionalRoute> {
  const list: ConditionalRoute[] = [];
  const candidates: Candidate[] = [];
  const taken = new Set<string>();
  for (const [setting, path] of each(settings, [...around.path, 'routes'])) {
    const faults = context.report.findings.length;
    const match = compileMatch(setting.match ?? {}, [...path, 'match'], context);
    // Conditions of which a part was refused match more than was meant: they don't count as shadowing others.
    const whole = faults === context.report.findings.length && isWhole(setting.match);
    const groups = groupsOf(match.path);
    if (groups > 0 && around.captures > 0) {
      const at = [...path, 'match', 'path'];
      context.report.problem(
        at,
        'the path or host around this route has groups already',
        'Write (?: in one of the two.',
      );
    }
    const captures = Math.max(groups, around.captures);
    const name = `${around.name}#${Number(path.at(-1)) + 1}`;
    const identity = unique(matchIdentity(setting.match ?? {}, match), taken);
    const identities = around.identities.map((outer) => `${outer} ${identity}`);
    const place = enter(setting, { name, identities, path, captures }, around, context);
    const route = toRoute(place, context);
    if (!route && !leadsAnywhere(setting, place)) tellNowhere(path, 'route', context);
    if (route) list.push({ match, route });
    if (whole) candidates.push({ match, at: path, answersItself: isOwnAnswer(place) });
  }
  return { list, candidates };
}

/** Is a request that ends up here answered without a server? */
function isOwnAnswer({ action }: ConfigScope): boolean {
  return action !== null && action.kind !== 'forward';
}

/** The text, followed by a number if it is taken. */
function unique(text: string, taken: Set<string>): string {
  let name = text;
  for (let i = 2; taken.has(name); i++) name = `${text} (${i})`;
  taken.add(name);
  return name;
}

/** True if nothing in it was refused before. */
export function isWhole(settings: object | undefined): boolean {
  return settings !== undefined && !Object.values(settings).includes(undefined);
}

function compilePaths(
  settings: readonly PathSettings[] | undefined,
  around: ConfigScope,
  kind: 'file' | 'host',
  context: Context,
): Compiled<PathRoute> {
  const list: PathRoute[] = [];
  const candidates: Candidate[] = [];
  for (const [setting, path] of each(settings, [...around.path, 'paths'])) {
    const at = [...path, 'path'];
    const pattern =
      setting.path === undefined ? undefined : context.report.attempt(at, () => parsePath(setting.path));
    if (!pattern) continue;
    const groups = groupsOf(pattern);
    if (groups > 0 && around.captures > 0)
      context.report.problem(
        at,
        'the host around this path has groups already',
        'Write (?: in one of the two.',
      );
    const way: Way = {
      name: pathName(around.name, setting.path, kind),
      identities: around.identities.map((outer) => pathName(outer, setting.path, kind)),
      path,
      captures: Math.max(groups, around.captures),
      strip: stripRule(setting, pattern, path, context),
      ...(kind === 'file' && { defaultHost: 'server' }),
    };
    const place = enter(setting, way, around, context);
    const routes = compileRoutes(setting.routes, place, context);
    checkInside(pattern, routes.candidates, context.report);
    const own = ownAction(setting);
    checkReach(routes.candidates, [], own && [...path, own], context.report);
    if (!leadsAnywhere(setting, place)) tellNowhere(path, 'path', context);
    list.push({
      path: pattern,
      scope: {
        routes: routes.list,
        paths: [],
        fallback: toRoute(place, context),
        responseHeaders: place.rules.responseHeaders,
        maintenance: place.maintenance,
        errorPages: place.rules.errorPages,
        languages: place.languages,
      },
    });
    candidates.push({ match: matchOfPath(pattern), at: path, answersItself: isOwnAnswer(place) });
  }
  return { list, candidates };
}

/** Combines the settings of a scope with those that it inherits. */
export function enter(
  settings: CommonSettings & Pick<ScopeSettings, 'language'>,
  way: Way,
  around: ConfigScope,
  context: Context,
): ConfigScope {
  const { path, captures = around.captures } = way;
  const { report } = context;
  const timeouts = overrideTimeouts(around.timeouts, settings.timeouts, [...path, 'timeouts'], report);
  const terms = compileGroupTerms(settings, timeouts, path, report, around.terms);
  refuseStrayTerms(settings, path, report);
  const own = compileRules(settings, path, captures, context);
  const names = way.identities.map((identity) => `firewall_rules of ${identity}`);
  const firewall = compileFirewall(settings.firewall_rules, names, [...path, 'firewall_rules'], context);
  const [identity = way.name] = way.identities;
  return {
    name: way.name,
    identities: way.identities,
    path,
    action:
      compileAction(settings, `servers of ${identity}`, path, terms, { captures }, context) ?? around.action,
    firewalls: firewall ? [...around.firewalls, firewall] : around.firewalls,
    rules: addRules(around.rules, own, way.strip),
    defaultHost: way.defaultHost ?? around.defaultHost,
    terms,
    sticky: compileSticky(settings.sticky, [...path, 'sticky'], context, around.sticky),
    retry: compileRetry(settings.retry, [...path, 'retry'], report, around.retry),
    hold: compileHold(settings.hold, [...path, 'hold'], context, around.hold),
    maintenance: compileMaintenance(
      settings.maintenance,
      { name: way.name, path: [...path, 'maintenance'] },
      context,
      around.maintenance,
    ),
    timeouts,
    bodyBytes: sizeOfBody(around.bodyBytes, settings.limits, [...path, 'limits'], report),
    bodyRate: rateOfBody(around.bodyRate, settings.limits, [...path, 'limits'], report),
    captures,
    languages: settings.language
      ? compileLanguages(settings.language, [...path, 'language'], context)
      : around.languages,
    doubtful: around.doubtful || !isWhole(settings),
  };
}

/** The prefix is stripped first, because it was matched in the original path. */
function addRules(around: OwnRules, own: OwnRules, strip: PathRule | undefined): OwnRules {
  return {
    host: own.host ?? around.host,
    path: [...(strip ? [strip] : []), ...around.path, ...own.path],
    params: [...around.params, ...own.params],
    cookies: [...around.cookies, ...own.cookies],
    headers: [...around.headers, ...own.headers],
    responseHeaders: [...around.responseHeaders, ...own.responseHeaders],
    // The same list where nothing is added: it is compiled once.
    errorPages: own.errorPages.length === 0 ? around.errorPages : [...own.errorPages, ...around.errorPages],
  };
}

function stripRule(
  { strip_prefix: strip }: PathSettings,
  pattern: PathPattern,
  path: Path,
  { report }: Context,
): PathRule | undefined {
  if (pattern.kind === 'regex') {
    const hint = 'Use rewrite_rules.replace.';
    if (strip)
      report.problem([...path, 'strip_prefix'], 'a regular expression has no prefix to strip', hint, 'key');
    return undefined;
  }
  if (!(strip ?? pattern.kind === 'prefix') || pattern.path === '/') return undefined;
  return { kind: 'strip_prefix', prefix: pattern.path };
}

function toRoute(place: ConfigScope, { lineOf }: Context): RouteConfig | null {
  const { name, path, action, firewalls, retry, timeouts, bodyBytes, bodyRate } = place;
  const hold = action?.kind === 'forward' ? place.hold : null;
  if (!action) return null;
  const sticky = action.kind === 'forward' ? place.sticky : null;
  const rules = { ...withoutOwnCookie(place.rules, sticky), host: place.rules.host ?? place.defaultHost };
  return {
    name,
    line: lineOf(path),
    action,
    firewalls,
    rules,
    sticky,
    retry,
    hold,
    maintenance: place.maintenance,
    timeouts,
    bodyBytes,
    bodyRate,
  };
}

/** The cookie that binds a client is removed before a request is sent to a server, unless a rule sets it. */
function withoutOwnCookie(rules: OwnRules, sticky: StickyConfig | null): OwnRules {
  if (sticky?.kind !== 'cookie') return rules;
  return { ...rules, cookies: [{ kind: 'remove', name: sticky.name, sticky: true }, ...rules.cookies] };
}

function pathName(around: string, text: string, kind: 'file' | 'host'): string {
  if (kind === 'file') return text;
  return text.startsWith('/') && !around.startsWith('~') ? around + text : `${around} ${text}`;
}

function leadsAnywhere(settings: ScopeSettings, place: ConfigScope): boolean {
  if (place.action || place.doubtful) return true;
  return Object.hasOwn(settings, 'routes') || Object.hasOwn(settings, 'paths');
}

function tellNowhere(path: Path, what: string, { report }: Context): void {
  report.problem(
    path,
    `this ${what} leads nowhere: expected servers, redirect or respond, here or around it`,
  );
}
