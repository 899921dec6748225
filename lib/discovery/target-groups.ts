import { parseAddress } from '../base/address.js';
import { isRecord } from '../base/json.js';
import { ValueError } from '../base/units.js';
import { LineIndex } from '../config/line-index.js';
import { loadTree } from '../config/load.js';
import { formatPath, locate, type Path, toValue } from '../config/tree.js';
import type { DiscoveredServer } from './contract.js';

/**
 * The format of Prometheus' file_sd and http_sd: a list of `{ targets: ["host:port", …], labels: { … } }`. Labels that
 * begin with `__lb_` say what a server has; Prometheus drops labels with two underscores in front, so that one file serves
 * both. All other labels are ignored.
 */
const PREFIX = '__lb_';

type TermsOf = Pick<DiscoveredServer, 'name' | 'weight' | 'backup' | 'maxConnections'>;

const NO_TERMS: TermsOf = { name: null, weight: null, backup: null, maxConnections: null };

/** What each label says. Throws a ValueError for another value. */
const LABELS: ReadonlyMap<string, (value: string) => Partial<TermsOf>> = new Map(
  Object.entries({
    weight: (value: string): Partial<TermsOf> => ({ weight: numberOf(value, 256) }),
    backup: (value: string): Partial<TermsOf> => ({ backup: booleanOf(value) }),
    name: (value: string): Partial<TermsOf> => ({ name: nameOf(value) }),
    max_connections: (value: string): Partial<TermsOf> => ({ maxConnections: numberOf(value, 100_000) }),
  }),
);

/** A problem at one place of the list. */
class PlacedError extends ValueError {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * The servers of a list in JSON or YAML. `origin`: where it is from. Throws a ValueError whose message has line and column:
 * a list is taken as a whole or not at all.
 */
export function parseTargetGroups(
  text: string,
  format: 'json' | 'yaml',
  origin: string,
): readonly DiscoveredServer[] {
  const value = format === 'json' ? parseJson(text) : parseYaml(text);
  try {
    return readGroups(value, origin);
  } catch (error) {
    if (!(error instanceof PlacedError)) throw error;
    throw new ValueError(`${placeOf(text, error.path)}${error.message}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const what =
      text.trim() === ''
        ? 'the file is empty'
        : `not JSON: ${message.replace(/,? (in JSON at position|"?\.\.\.).*/s, '')}`;
    throw new ValueError(`${lineAndColumn(text, faultOf(text, message))}: ${what}`);
  }
}

/** In longer texts no position is searched for: in 6 MB it takes more than a second, in which nothing else happens. */
const MOST_SEARCHED = 256 * 1024;

/** Where a text stops being JSON: Node does not always say it. */
function faultOf(text: string, message: string): number {
  const told = /position (\d+)/.exec(message)?.[1];
  if (told !== undefined) return Number(told);
  if (/end of JSON/.test(message) || text.length > MOST_SEARCHED) return text.length;
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

/** Could JSON begin like this? */
function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    return (
      /end of JSON|Unterminated/.test(message) || Number(/position (\d+)/.exec(message)?.[1]) >= text.length
    );
  }
}

function parseYaml(text: string): unknown {
  // Variables of the environment are not for others to read: `${NAME}` is refused.
  const { document, faults } = loadTree(text, {});
  const [fault] = faults;
  if (fault !== undefined) throw new ValueError(`${lineAndColumn(text, fault.span.start)}: ${fault.message}`);
  return document === undefined ? null : toValue(document);
}

/** `line 3, column 5, [0].targets[1]: `; without the line in a long text, or one that can't be read as YAML. */
function placeOf(text: string, path: Path): string {
  const { document } = text.length > MOST_SEARCHED ? { document: undefined } : loadTree(text, {});
  const setting = path.length === 0 ? '' : formatPath(path);
  if (document === undefined) return setting === '' ? '' : `${setting}: `;
  const place = lineAndColumn(text, locate(document, path, 'value').start);
  return setting === '' ? `${place}: ` : `${place}, ${setting}: `;
}

function lineAndColumn(text: string, start: number): string {
  const { line, column } = new LineIndex(text).of({ start, end: start + 1 });
  return `line ${line}, column ${column}`;
}

function readGroups(value: unknown, origin: string): readonly DiscoveredServer[] {
  const servers: DiscoveredServer[] = [];
  for (const [at, group] of listOf(value, [], 'a list of { targets: […], labels: {…} }').entries()) {
    if (!isRecord(group)) throw new PlacedError([at], 'expected a map with targets');
    const targets = listOf(group.targets, [at, 'targets'], 'a list of addresses such as 10.0.0.7:8080');
    const terms = readLabels(group.labels, [at, 'labels']);
    if (terms.name !== null && targets.length > 1)
      throw new PlacedError([at, 'labels', `${PREFIX}name`], 'one name for several targets');
    for (const [place, target] of targets.entries())
      servers.push({ address: readTarget(target, [at, 'targets', place]), host: null, origin, ...terms });
  }
  return servers;
}

function readTarget(target: unknown, path: Path): string {
  if (typeof target !== 'string') throw new PlacedError(path, `expected host:port, got ${show(target)}`);
  return attempt(path, () => {
    const address = parseAddress(target, { defaultHost: '' });
    if (address.kind === 'tcp' && (address.host === '' || address.port === 0))
      throw new ValueError(`expected host:port, got ${show(target)}`);
    return address.text;
  });
}

function readLabels(labels: unknown, path: Path): TermsOf {
  if (labels === undefined || labels === null) return NO_TERMS;
  if (!isRecord(labels)) throw new PlacedError(path, `expected a map of labels, got ${show(labels)}`);
  let terms = NO_TERMS;
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith(PREFIX)) continue;
    const read = LABELS.get(label.slice(PREFIX.length));
    const at = [...path, label];
    if (read === undefined) {
      const known = [...LABELS.keys()].map((name) => PREFIX + name);
      throw new PlacedError(at, `unknown label: expected one of ${known.join(', ')}`);
    }
    if (typeof value === 'object') throw new PlacedError(at, `expected a text, got ${show(value)}`);
    terms = { ...terms, ...attempt(at, () => read(String(value))) };
  }
  return terms;
}

function attempt<T>(path: Path, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new PlacedError(path, error.message);
  }
}

function numberOf(text: string, most: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= most)) throw new ValueError(`expected a whole number from 0 to ${most}, got ${show(text)}`);
  return number;
}

function booleanOf(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new ValueError(`expected true or false, got ${show(text)}`);
  return text === 'true';
}

/** As the schema asks of the names in the settings file. */
function nameOf(text: string): string {
  if (/^[!-9;-~]{1,64}$/.test(text)) return text;
  throw new ValueError(
    `expected a name of 1 to 64 visible ASCII characters, without a colon, got ${show(text)}`,
  );
}

function listOf(value: unknown, path: Path, expected: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new PlacedError(path, `expected ${expected}, got ${show(value)}`);
}

function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'a map';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
