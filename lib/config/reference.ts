import { isRecord } from '../base/json.js';
import { nearest } from '../base/nearest.js';
import { resolved, type Schema, schema } from './schema.js';

/** One key of the settings file, as the reference describes it. */
export interface SettingReference {
  /** The key with its path, such as `timeouts.connect` or `hosts[].host`. */
  readonly key: string;
  readonly meaning: string;
  /** What may be written, such as `a duration such as 5s`. */
  readonly form: string;
  /** The default as YAML; empty if there is none or if it depends on another key. */
  readonly defaultValue: string;
  readonly isRequired: boolean;
  /** Examples, each as YAML on one line. */
  readonly examples: readonly string[];
  /** The version that introduced the key. */
  readonly since: string;
  /** The keys directly below this one. */
  readonly keys: readonly string[];
}

/** What holds the keys below a setting: the map itself, or each item of a list of maps. */
interface Holder {
  readonly schema: Schema;
  readonly suffix: '' | '[]';
}

/** The version of all keys that name no version. */
const FIRST_VERSION = '0.1.0';

/** Keys of lists end in `[]`. A section that several keys share is described below the first of them. */
export class SettingsReference {
  readonly settings: readonly SettingReference[];
  readonly #byKey = new Map<string, SettingReference>();

  constructor() {
    this.#walk('', schema, new Set());
    this.settings = [...this.#byKey.values()];
  }

  /**
   * Finds a setting by its whole key (`timeouts.connect`, `hosts.servers.weight`) or by the end of a key. Several
   * settings if the end is ambiguous, none if there is no such key.
   */
  find(name: string): readonly SettingReference[] {
    const wanted = plain(name);
    const exact = this.settings.filter(({ key }) => plain(key) === wanted);
    if (exact.length > 0) return exact;
    const reached = this.#reach(wanted);
    if (reached !== null) return [reached];
    return this.settings.filter(({ key }) => plain(key).endsWith(`.${wanted}`));
  }

  /** The key that is most likely meant by a misspelt name. */
  suggest(name: string): string | undefined {
    const keys = this.settings.map(({ key }) => plain(key));
    return nearest(plain(name), keys) ?? nearest(lastWord(plain(name)), keys.map(lastWord));
  }

  #walk(prefix: string, map: Schema, seen: ReadonlySet<Schema['properties']>): void {
    for (const [name, property] of Object.entries(map.properties ?? {})) {
      const key = `${prefix}${name}`;
      const below = this.#holder(property);
      this.#byKey.set(key, this.#describe(key, property, map, below));
      if (below === null || seen.has(below.schema.properties) || this.#isTopLevel(prefix, name, below))
        continue;
      this.#walk(`${key}${below.suffix}.`, below.schema, new Set([...seen, below.schema.properties]));
    }
  }

  /**
   * `hosts[].header_rules` and the like are described where they stand at the top level of the file. `servers[].tls` is not
   * one of them: it has other keys than `tls`.
   */
  #isTopLevel(prefix: string, name: string, below: Holder): boolean {
    const top = schema.properties?.[name];
    if (prefix === '' || top === undefined || !/\[\]\.$/.test(prefix)) return false;
    const known = this.#holder(top)?.schema.properties ?? {};
    return Object.keys(below.schema.properties ?? {}).every((key) => key in known);
  }

  #holder(written: Schema): Holder | null {
    const found = resolved(written);
    if (found.properties !== undefined) return { schema: found, suffix: '' };
    if (found.items === undefined) return null;
    const item = resolved(found.items);
    return item.properties === undefined ? null : { schema: item, suffix: '[]' };
  }

  #describe(key: string, property: Schema, holder: Schema, below: Holder | null): SettingReference {
    const { description = '', expected = '', default: value, examples = [], since } = resolved(property);
    return {
      key,
      meaning: description,
      form: expected,
      defaultValue: value === undefined || isEmptyMap(value) ? '' : flowYaml(value),
      isRequired: holder.required?.includes(lastWord(key)) ?? false,
      examples: examples.map((example) => `${lastWord(key)}: ${flowYaml(example)}`),
      since: since ?? FIRST_VERSION,
      keys: Object.keys(below?.schema.properties ?? {}).map((name) => `${key}${below?.suffix}.${name}`),
    };
  }

  /** Follows the words of `name` through the schema: sections that several keys share are reached by each of them. */
  #reach(name: string): SettingReference | null {
    let holder: Schema = schema;
    let found: SettingReference | null = null;
    const words = name.split('.');
    for (const [index, word] of words.entries()) {
      const property = holder.properties?.[word];
      if (property === undefined) return null;
      const below = this.#holder(property);
      found = this.#describe(words.slice(0, index + 1).join('.'), property, holder, below);
      holder = below?.schema ?? {};
    }
    return found;
  }
}

function plain(name: string): string {
  return name
    .trim()
    .replace(/\[\d*\]/g, '')
    .replace(/-/g, '_')
    .toLowerCase();
}

function lastWord(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

function isEmptyMap(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0;
}

/** A value as YAML on one line. */
export function flowYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flowYaml).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => `${scalar(key)}: ${flowYaml(item)}`);
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
  }
  return typeof value === 'string' ? scalar(value) : String(value);
}

/** Quoted if YAML would read the text as something else. */
function scalar(text: string): string {
  const isPlain =
    /^[A-Za-z/_][\w./ |^$()\\+-]*(?::[\w/][\w./-]*)*$/.test(text) &&
    !/\s$|^(true|false|null|yes|no|on|off|~)$/i.test(text);
  return isPlain || /^\d+(\.\d+)?[a-z%]+$/i.test(text) || /^\d+-\d+$/.test(text)
    ? text
    : JSON.stringify(text);
}
