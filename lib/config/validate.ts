import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { nearest } from '../base/nearest.js';
import type { Finding } from './problems.js';
import type { Path } from './tree.js';

/** The parts of a JSON Schema that are read here. `expected` is our own keyword: what stands in a message. */
interface Schema {
  readonly expected?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** The file lies in `lib/config/` of the package; this module runs from `dist/lib/config/`. */
const schemaFile = new URL('../../../lib/config/schema.json', import.meta.url);

const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as Schema & {
  readonly definitions: Readonly<Record<string, Schema>>;
};

const ajv = new Ajv({ allErrors: true, verbose: true, messages: false, strict: true, allowUnionTypes: true });
ajv.addKeyword('expected');
const check = ajv.compile(schema);

/** Everything the schema refuses in a document, one finding per mistake. */
export function validate(value: unknown): Finding[] {
  if (check(value)) return [];
  const findings = new Map<string, Finding>();
  for (const error of check.errors ?? []) {
    const finding = describe(error, value);
    const key = JSON.stringify([finding.path, finding.part]);
    if (!findings.has(key)) findings.set(key, finding);
  }
  return [...findings.values()];
}

/**
 * A copy of the document without what was refused, for the checks that follow. An item taken out of a list leaves
 * undefined behind, so that the paths of the others stay true.
 */
export function prune(document: unknown, findings: readonly Finding[]): unknown {
  if (findings.length === 0) return document;
  let root: unknown = structuredClone(document);
  for (const { path, missing } of findings) {
    const target = missing ? path.slice(0, -1) : path;
    const last = target.at(-1);
    let holder: unknown = root;
    for (const segment of target.slice(0, -1)) holder = (holder as Container | undefined)?.[segment];
    if (last === undefined) root = {};
    else if (holder !== undefined) (holder as Container)[last] = undefined;
  }
  return root;
}

type Container = Record<string | number, unknown>;

function describe(error: ErrorObject, document: unknown): Finding {
  const path = toPath(error.instancePath, document);
  const { expected = '', properties = {} } = error.parentSchema as Schema;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params.additionalProperty);
      return { path: [...path, key], part: 'key', message: 'unknown key', hint: adviseKey(key, properties) };
    }
    case 'required': {
      const key = String(error.params.missingProperty);
      return {
        path: [...path, key],
        part: 'key',
        message: `missing${expecting(properties[key])}`,
        hint: '',
        missing: true,
      };
    }
    case 'minItems':
      return { path, part: 'value', message: `expected ${expected}, got an empty list`, hint: '' };
    default:
      return {
        path,
        part: 'value',
        message: `expected ${expected}, got ${show(error.data)}`,
        hint: adviseValue(error),
      };
  }
}

function expecting(property: Schema | undefined): string {
  return property?.expected ? `: expected ${property.expected}` : '';
}

function adviseKey(key: string, siblings: Readonly<Record<string, Schema>>): string {
  const near = nearest(key, Object.keys(siblings));
  if (near !== undefined) return `Did you mean ${near}?`;
  const homes = homesOf(key);
  return homes.length === 1 ? `It belongs in ${homes[0]}.` : '';
}

/** The settings that have a key of this name; a name common to several says nothing. */
function homesOf(key: string): string[] {
  const homes = new Set<string>();
  for (const [parent, property] of Object.entries(schema.properties ?? {})) {
    const fields = property.properties ?? resolve(property)?.properties ?? {};
    if (Object.hasOwn(fields, key)) homes.add(parent);
  }
  return [...homes];
}

function resolve(property: Schema & { readonly $ref?: string }): Schema | undefined {
  return property.$ref === undefined
    ? undefined
    : schema.definitions[property.$ref.replace('#/definitions/', '')];
}

function adviseValue(error: ErrorObject): string {
  if (error.keyword !== 'enum' || typeof error.data !== 'string') return '';
  const near = nearest(error.data, (error.params.allowedValues as unknown[]).map(String));
  return near === undefined ? '' : `Did you mean ${near}?`;
}

/** A JSON pointer as a path; `0` is an index only where there is a list. */
function toPath(pointer: string, document: unknown): Path {
  const path: (string | number)[] = [];
  let value = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    path.push(Array.isArray(value) ? Number(key) : key);
    value = (value as Record<string, unknown>)[key];
  }
  return path;
}

/** A value as it may stand in a message, short. */
export function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}
