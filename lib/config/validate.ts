import { isRecord } from '../base/json.js';
import { didYouMean, nearest, suggest } from '../base/nearest.js';
import { otherName, otherValue } from './other-names.js';
import type { Finding } from './problems.js';
import { type Schema, schema } from './schema.js';
import { type SchemaError, schemaCheck } from './schema-check.js';
import type { Path } from './tree.js';
import { adviseText } from './value-advice.js';

/** All problems that the schema finds in a document, one finding each. */
export function validate(value: unknown): Finding[] {
  const check = schemaCheck();
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
 * A copy of the document without what was refused, for the checks that follow. Refused values become undefined, so that
 * the paths of list items stay valid and a key that was given is still known.
 */
export function prune(document: unknown, findings: readonly Finding[]): unknown {
  if (findings.length === 0) return document;
  let root: unknown = structuredClone(document);
  for (const { path } of findings) {
    const last = path.at(-1);
    let holder: unknown = root;
    for (const segment of path.slice(0, -1)) holder = (holder as Container | undefined)?.[segment];
    if (last === undefined) root = {};
    else if (holder !== undefined) (holder as Container)[last] = undefined;
  }
  return root;
}

type Container = Record<string | number, unknown>;

function describe(error: SchemaError, document: unknown): Finding {
  const path = toPath(error.instancePath, document);
  const { expected = '', properties = {} } = error.parentSchema as Schema;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params.additionalProperty);
      return {
        path: [...path, key],
        part: 'key',
        message: 'unknown key',
        hint: adviseKey(key, properties, path),
      };
    }
    case 'required': {
      const key = String(error.params.missingProperty);
      return {
        path: [...path, key],
        part: 'key',
        message: `missing${expecting(properties[key])}`,
        hint: '',
      };
    }
    case 'minProperties':
      return { path, part: 'value', message: `expected ${expected}, got an empty map`, hint: '' };
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
  const expected = resolve(property)?.expected;
  return expected ? `: expected ${expected}` : '';
}

function adviseKey(key: string, siblings: Readonly<Record<string, Schema>>, path: Path): string {
  const deadline = deadlineOf(key);
  if (deadline !== undefined && siblings.timeouts !== undefined)
    return `Write timeouts: { ${deadline}: ... }.`;
  const suggestion = suggest(key, Object.keys(siblings)) || didYouMean(otherName(key, siblings));
  if (suggestion !== '') return suggestion;
  // A condition that stands beside match: instead of inside it.
  if (siblings.match !== undefined && Object.hasOwn(fieldsOf(siblings.match), key))
    return 'It belongs in match.';
  const home = homeOf(key, path);
  return home === undefined ? '' : `It belongs ${home}.`;
}

/** `connect` for `connect_timeout` and `timeout_connect`. */
function deadlineOf(key: string): string | undefined {
  const [, before, after] = /^(?:(.+)_timeout|timeout_(.+))$/.exec(key.replaceAll('-', '_')) ?? [];
  const name = before ?? after;
  return name !== undefined && Object.hasOwn(fieldsOf(fieldsOf(schema).timeouts), name) ? name : undefined;
}

/** Where a key belongs that is not known at `path`. */
function homeOf(key: string, path: Path): string | undefined {
  const top = fieldsOf(schema);
  const parent = String(path.at(-1));
  if (path.length > 1 && (parent === 'timeouts' || parent === 'limits')) {
    return Object.hasOwn(fieldsOf(top[parent]), key) ? `in ${parent} at the top of the file` : undefined;
  }
  if (path.length > 0) return Object.hasOwn(top, key) ? 'at the top of the file' : undefined;
  const [home, ...others] = homesOf(key);
  return home !== undefined && others.length === 0 ? `in ${home}` : undefined;
}

/** The top settings that have a key of this name. */
function homesOf(key: string): string[] {
  const homes = Object.entries(fieldsOf(schema)).filter(([, property]) =>
    Object.hasOwn(fieldsOf(property), key),
  );
  return homes.map(([name]) => name);
}

function fieldsOf(property: Schema | undefined): Readonly<Record<string, Schema>> {
  return resolve(property)?.properties ?? {};
}

/** Follows references to what says what is expected. */
function resolve(property: Schema | undefined): Schema | undefined {
  if (property?.$ref === undefined || property.expected !== undefined) return property;
  return resolve(schema.definitions[property.$ref.replace('#/definitions/', '')]);
}

function adviseValue(error: SchemaError): string {
  const [hole, ...others] = isRecord(error.data) ? Object.entries(error.data) : [];
  if (hole && others.length === 0 && hole[1] === null) return `Put it in quotes: "{${hole[0]}}".`;
  const { expected = '' } = error.parentSchema as Schema;
  if (isRecord(error.data) && /\blist of\b/.test(expected)) return 'Write a list: each entry after a dash.';
  if (error.keyword === 'enum' && typeof error.data === 'string') {
    const allowed = (error.params.allowedValues as unknown[]).map(String);
    return didYouMean(otherValue(error.data, allowed) ?? nearest(error.data, allowed));
  }
  return adviseText(error.data, expected);
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

/** A value in a short form for messages. */
function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}
