import { nearest } from '../base/nearest.js';
import { parseDuration, ValueError } from '../base/units.js';
import { parseHostName } from '../config/host-name.js';
import { parsePath } from '../config/pattern.js';
import type { RouteTerms } from '../config/types.js';

/** What labels say of a container as a server; null: nothing. */
export interface ServerLabels {
  readonly port: number | null;
  readonly weight: number | null;
  readonly backup: boolean | null;
  readonly maxConnections: number | null;
  readonly network: string | null;
  readonly name: string | null;
}

/** Requests for one host and path. */
export interface RouteClaim {
  /** `www.mango.com/api`; `*` for all requests. */
  readonly route: string;
  readonly host: string | null;
  readonly path: string | null;
}

/** Labels that belong together: those of a container (`lb.host`), or those of a name in it (`lb.admin.host`). */
export interface LabelSet {
  /** The name; empty for the container itself. */
  readonly name: string;
  /** The routes that they ask for; empty when they ask for none. */
  readonly claims: readonly RouteClaim[];
  readonly terms: RouteTerms;
  readonly server: ServerLabels;
}

/** All labels of a container that are for lb. */
export interface LbLabels {
  /** False: `lb.enable=false`, or something that is neither. */
  readonly isEnabled: boolean;
  /** Those without a problem. */
  readonly sets: readonly LabelSet[];
  /** What is wrong, a line each: `lb.port: expected a port, got "80a"`. */
  readonly problems: readonly string[];
}

/** Hosts and paths are multiplied, and labels may be long: more routes than any container needs. */
const MOST_ROUTES = 1000;

const PREFIX = 'lb.';
const KEYS = [
  'enable',
  'host',
  'path',
  'port',
  'weight',
  'backup',
  'max_connections',
  'network',
  'name',
  'check',
  'check_interval',
  'algorithm',
  'sticky',
  'strip_prefix',
  'preserve_host',
  'scheme',
  'verify',
] as const;
type Key = (typeof KEYS)[number];

/** Algorithms that need no further settings. */
const ALGORITHMS = [
  'round_robin',
  'least_connections',
  'random',
  'power_of_two',
  'least_response_time',
  'ip_hash',
  'first',
];

/**
 * Reads the labels of a container. A set of labels with a problem is left out as a whole: what it asks for may be something
 * else than what was meant. Labels that are not known are somebody else's, unless they look like a slip.
 */
export function readLabels(labels: ReadonlyMap<string, string>): LbLabels {
  const problems: string[] = [];
  const written = new Map<string, Map<Key, string>>([['', new Map()]]);
  for (const [label, value] of labels) {
    if (!label.startsWith(PREFIX)) continue;
    const found = keyOf(label.slice(PREFIX.length));
    if (found === null) {
      const meant = nearest(label.slice(PREFIX.length), KEYS);
      if (meant !== undefined) problems.push(`${label} is no label of lb. Did you mean lb.${meant}?`);
      continue;
    }
    const [name, key] = found;
    const set = written.get(name) ?? new Map<Key, string>();
    written.set(name, set.set(key, value.trim()));
  }
  const isEnabled = readEnable(written.get('')?.get('enable'), problems);
  const sets: LabelSet[] = [];
  for (const [name, set] of written) {
    try {
      sets.push(readSet(name, set));
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push(shortened(`${error.message}${error.hint === '' ? '' : `. ${error.hint}`}`));
    }
  }
  return { isEnabled, sets, problems };
}

/** The set and the key of `host`, `admin.host` and `max-connections`; null: no label of ours. */
function keyOf(label: string): readonly [set: string, key: Key] | null {
  const [, name = '', last = ''] = /^(?:([A-Za-z0-9_-]{1,40})\.)?([a-z_-]+)$/.exec(label) ?? [];
  const key = KEYS.find((one) => one === last.replaceAll('-', '_'));
  return key === undefined || (name !== '' && key === 'enable') ? null : [name, key];
}

function readEnable(text: string | undefined, problems: string[]): boolean {
  if (text === undefined || text === 'true') return true;
  if (text !== 'false') problems.push(`lb.enable: expected true or false, got ${quoted(text)}`);
  return false;
}

function readSet(name: string, set: ReadonlyMap<Key, string>): LabelSet {
  const labels = new SetReader(name, set);
  const asksForAll = set.get('enable') === 'true';
  return {
    name,
    claims: claimsOf(labels, asksForAll),
    terms: {
      check: labels.matching('check', /^\/[\x21-\x7e]*$/, 'a path such as /healthz'),
      checkInterval: labels.read('check_interval', checkDuration),
      algorithm: labels.oneOf('algorithm', ALGORITHMS),
      sticky: labels.matching('sticky', /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'the name of a cookie'),
      stripPrefix: labels.flag('strip_prefix') ?? false,
      preserveHost: labels.flag('preserve_host') ?? true,
      isSecure: labels.oneOf('scheme', ['http', 'https']) === 'https',
      isVerified: labels.flag('verify') ?? true,
    },
    server: {
      port: labels.number('port', 1, 65_535),
      weight: labels.number('weight', 0, 256),
      backup: labels.flag('backup'),
      maxConnections: labels.number('max_connections', 0, 100_000),
      network: labels.matching('network', /^[!-~]{1,128}$/, 'the name of a network'),
      name: labels.matching(
        'name',
        /^[!-9;-~]{1,64}$/,
        'a name of 1 to 64 visible characters without a colon',
      ),
    },
  };
}

/** Every host with every path. */
function claimsOf(labels: SetReader, asksForAll: boolean): RouteClaim[] {
  const hosts = labels.list('host', readHost);
  const paths = labels.list('path', readPath);
  if (hosts === null && paths === null && !asksForAll) return [];
  const count = (hosts?.length ?? 1) * (paths?.length ?? 1);
  if (count > MOST_ROUTES) {
    const label = labels.labelOf(hosts === null ? 'path' : 'host');
    throw new ValueError(`${label}: it asks for ${count} routes, and ${MOST_ROUTES} is the most`);
  }
  const claims = new Map<string, RouteClaim>();
  for (const host of hosts ?? [null])
    for (const path of paths ?? [null]) {
      const route = routeText(host, path);
      claims.set(route, { route, host, path });
    }
  return [...claims.values()];
}

/** `www.mango.com/api`, `www.mango.com ~ ^/v[12]`, `/api` or `*`. */
export function routeText(host: string | null, path: string | null): string {
  if (path === null) return host ?? '*';
  if (host === null) return path;
  return path.startsWith('/') ? host + path : `${host} ${path}`;
}

/** null: every host. */
function readHost(text: string): string | null {
  if (text === '*') return null;
  const name = parseHostName(text);
  return name.kind === 'exact' ? name.name : `*${name.suffix}`;
}

/** null: every path. */
function readPath(text: string): string | null {
  // It is a part of the name of its route, which is written into logs, metrics and fields.
  if (/[\x00-\x1f\x7f]/.test(text)) throw new ValueError('a path has no control characters');
  const pattern = parsePath(text);
  if (pattern.kind !== 'prefix') return text;
  return pattern.path === '/' ? null : pattern.path;
}

function checkDuration(text: string): string {
  if (parseDuration(text) < 1) throw new ValueError(`expected a duration such as 5s, got ${quoted(text)}`);
  return text;
}

/** The values of a set. What is wrong is thrown as a ValueError that names the label. */
class SetReader {
  readonly #name: string;
  readonly #set: ReadonlyMap<Key, string>;

  constructor(name: string, set: ReadonlyMap<Key, string>) {
    this.#name = name;
    this.#set = set;
  }

  labelOf(key: Key): string {
    return `${PREFIX}${this.#name === '' ? '' : `${this.#name}.`}${key}`;
  }

  /** null: there is no such label. */
  read<T>(key: Key, parse: (text: string) => T): T | null {
    const text = this.#set.get(key);
    if (text === undefined) return null;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new ValueError(`${this.labelOf(key)}: ${error.message}`, error.hint);
    }
  }

  /** Values with commas between them; only paths that are plain may stand beside each other. */
  list<T>(key: Key, parse: (text: string) => T): T[] | null {
    return this.read(key, (text) => {
      const isOne = key === 'path' && !text.split(',').every((part) => part.trim().startsWith('/'));
      const parts = isOne ? [text] : text.split(key === 'path' ? /\s*,\s*/ : /[\s,]+/);
      const wanted = parts.filter((part) => part !== '');
      if (wanted.length === 0) throw new ValueError('expected a value, got none');
      return wanted.map(parse);
    });
  }

  matching(key: Key, pattern: RegExp, expected: string): string | null {
    return this.read(key, (text) => {
      if (pattern.test(text)) return text;
      throw new ValueError(`expected ${expected}, got ${quoted(text)}`);
    });
  }

  oneOf(key: Key, values: readonly string[]): string | null {
    return this.read(key, (text) => {
      if (values.includes(text)) return text;
      throw new ValueError(
        `expected ${values.slice(0, -1).join(', ')} or ${values.at(-1)}, got ${quoted(text)}`,
      );
    });
  }

  number(key: Key, least: number, most: number): number | null {
    return this.read(key, (text) => {
      const number = /^\d{1,6}$/.test(text) ? Number(text) : -1;
      if (number >= least && number <= most) return number;
      throw new ValueError(`expected a number from ${least} to ${most}, got ${quoted(text)}`);
    });
  }

  flag(key: Key): boolean | null {
    const text = this.oneOf(key, ['true', 'false']);
    return text === null ? null : text === 'true';
  }
}

/** A host or a path that is wrong is told as it stands in the label, which may have megabytes. */
const MOST_TOLD = 400;

function shortened(problem: string): string {
  return problem.length > MOST_TOLD ? `${problem.slice(0, MOST_TOLD)}...` : problem;
}

/** Labels may hold anything: what is shown of one is short, and of visible characters. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
