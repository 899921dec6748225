import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { schema, schemaText } from './schema.js';

/**
 * Checks settings against `schema.json`. `make build` writes the check as a module beside this one
 * (`packaging/add-schema-check.mjs`), which takes 25 ms of a processor to load. Where that is missing, or was made of another
 * schema, ajv makes it in 300 ms, and takes 100 ms to load itself.
 */
export type SchemaCheck = ValidateFunction;
export type SchemaError = ErrorObject;

/** What is said about a setting, and does not decide whether a value is good. */
const NOTES: ReadonlySet<string> = new Set(['title', 'description', 'examples', 'default', 'since']);
const NO_NOTES: ReadonlySet<string> = new Set();
/** Their keys are names, not keywords. */
const MAPS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'definitions']);

const require = createRequire(import.meta.url);
const writtenFile = new URL('./schema-check.cjs', import.meta.url);

let check: SchemaCheck | undefined;

/** Made on first use. */
export function schemaCheck(): SchemaCheck {
  check ??= checkIn(writtenFile);
  return check;
}

/** The check in `file`; one that ajv makes where the file is missing, or has the check of another schema. */
export function checkIn(file: URL): SchemaCheck {
  if (existsSync(file)) {
    const written = require(fileURLToPath(file)) as SchemaCheck & { readonly schemaHash?: string };
    if (written.schemaHash === hashOfSchema()) return written;
  }
  return newAjv({}).compile(withoutNotes(schema));
}

function hashOfSchema(): string {
  return createHash('sha256').update(schemaText).digest('hex');
}

/** The text of the module that `make build` writes. */
export function writtenText(): string {
  const ajv = newAjv({ source: true });
  const standalone = require('ajv/dist/standalone/index.js') as typeof import('ajv/dist/standalone/index.js');
  const text = standalone.default(ajv, ajv.compile(withoutNotes(schema)));
  return `${text}\nmodule.exports.schemaHash = "${hashOfSchema()}";\n`;
}

/** The schema itself is not checked (a test does that), and code is not improved: compiling it fast matters more. */
function newAjv(code: { readonly source?: boolean }): Ajv {
  const { Ajv } = require('ajv') as typeof import('ajv');
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    messages: false,
    allowUnionTypes: true,
    validateSchema: false,
    meta: false,
    inlineRefs: false,
    code: { optimize: false, ...code },
  });
  ajv.addKeyword('expected');
  return ajv;
}

/** A schema without its notes, which would be in the module several times. `notes`: the keys of `value` that are left out. */
function withoutNotes(value: object, notes = NOTES): object {
  if (Array.isArray(value)) return value.map((item) => (isObject(item) ? withoutNotes(item) : item));
  const kept = Object.entries(value).filter(([key]) => !notes.has(key));
  return Object.fromEntries(
    kept.map(([key, item]) => [
      key,
      // The keys of a map are names of settings: there may be one that is called `description`.
      isObject(item) ? withoutNotes(item, notes === NOTES && MAPS.has(key) ? NO_NOTES : NOTES) : item,
    ]),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
