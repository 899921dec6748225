import { readFileSync } from 'node:fs';
import { parseDuration, parseShare, parseSize } from '../base/units.js';
import { camelKey } from './key-names.js';

/** The parts of `schema.json` that are read here. `expected` and `since` are keywords of our own. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  /** What a message says was expected: `a duration such as 5s`. */
  readonly expected?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  /** The version that brought the key; the first version where it is missing. */
  readonly since?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly not?: { readonly const: unknown };
  /** What a text must be, where `if` asks for a text. */
  readonly then?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

export interface RootSchema extends Schema {
  readonly definitions: Readonly<Record<string, Schema>>;
}

/** The file lies in `lib/config/` of the package; this module runs from `dist/lib/config/`. */
const schemaFile = new URL('../../../lib/config/schema.json', import.meta.url);

/** As it is in the file. */
export const schemaText = readFileSync(schemaFile, 'utf8');

/**
 * The one source of the settings: what may be written, the defaults, the reference page, and the types in `settings.ts`
 * (`make types`).
 */
export const schema = JSON.parse(schemaText) as RootSchema;

/** The name of the definition that a schema refers to. */
export function refName({ $ref = '' }: Schema): string {
  return $ref.replace('#/definitions/', '');
}

/** A schema with everything it refers to; its own keywords take precedence. */
export function resolved(written: Schema): Schema {
  if (written.$ref === undefined) return written;
  const { $ref: _, ...own } = written;
  return { ...resolved(schema.definitions[refName(written)] as Schema), ...own };
}

/**
 * The defaults of the settings in one map, compiled: keys in camelCase, durations in ms, sizes in bytes, shares from 0 to
 * 1, all else as written. `section` is the name of a definition, or of a setting at the top of the file. A key without a
 * default is missing; `T` names the keys that are used.
 */
export function defaultsOf<T>(section: string): T {
  const { properties = {} } = resolved(schema.definitions[section] ?? schema.properties?.[section] ?? {});
  const defaults = Object.entries(properties)
    .map(([key, property]) => [camelKey(key), compiledDefault(property)] as const)
    .filter(([, value]) => value !== undefined);
  return Object.freeze(Object.fromEntries(defaults)) as T;
}

/** The default of a setting at the top of the file, compiled. */
export function defaultOf<T>(key: string): T {
  return compiledDefault(schema.properties?.[key] ?? {}) as T;
}

function compiledDefault(property: Schema): unknown {
  const { default: value } = resolved(property);
  if (value === undefined) return undefined;
  switch (unitOf(property)) {
    case 'duration':
      return parseDuration(value as string | number);
    case 'size':
      return parseSize(value as string | number);
    case 'percent':
      return parseShare(value as string);
    default:
      return value;
  }
}

/** The definition at the end of all references: `duration` for each timeout. */
function unitOf(property: Schema): string {
  let name = '';
  for (let at: Schema | undefined = property; at?.$ref !== undefined; at = schema.definitions[name]) {
    name = refName(at);
  }
  return name;
}
