import { type RootSchema, refName, resolved, type Schema, schema } from '../../lib/config/schema.js';

const HEADER = '// Written by `make types` from schema.json: change the schema, not this file.\n';

const WIDTH = 118;

/**
 * `lib/config/settings.ts`: the settings as they are written, as types. A definition without a description is a type of
 * its own (`DurationSetting`; a map is `PoolSettings`); one with a description is a setting that several places share,
 * and has a name only if it is a map.
 */
export function settingsTypes(): string {
  const types = new TypeWriter(schema);
  return types.write();
}

class TypeWriter {
  readonly #root: RootSchema;
  readonly #declarations = new Map<string, string>();

  constructor(root: RootSchema) {
    this.#root = root;
  }

  write(): string {
    this.#interface('Settings', this.#root);
    for (const [name, definition] of Object.entries(this.#root.definitions)) this.#define(name, definition);
    return [HEADER, ...this.#declarations.values()].join('\n');
  }

  #define(name: string, definition: Schema): void {
    if (definition.$ref !== undefined) return;
    if (definition.properties !== undefined) this.#interface(`${pascal(name)}Settings`, definition);
    if (isNamed(name, definition) && typeName(name, definition) !== `${pascal(name)}Settings`) {
      const type = this.#expression(name, definition);
      const parts = type.length > 90 ? type.replaceAll(' | ', '\n  | ').replace(/^/, '\n  | ') : ` ${type}`;
      this.#declare(typeName(name, definition), definition, (own) => `export type ${own} =${parts};\n`);
    } else if (isMap(definition) && definition.properties === undefined) {
      this.#declare(
        `${pascal(name)}Settings`,
        definition,
        (own) => `export type ${own} = ${this.#mapOf(definition)};\n`,
      );
    }
  }

  #interface(name: string, map: Schema): void {
    const lines = Object.entries(map.properties ?? {}).map(([key, property]) => {
      const type = this.#type(key, property);
      const isRequired = map.required?.includes(key) ?? false;
      return `${comment(textOf(property), '  ')}  readonly ${key}${isRequired ? '' : '?'}: ${type};\n`;
    });
    this.#declare(name, map, (own) => `export interface ${own} {\n${lines.join('')}}\n`);
  }

  #declare(name: string, { description, expected }: Schema, write: (name: string) => string): void {
    const text = comment(description ?? sentence(expected), '') + write(name);
    if (this.#declarations.has(name)) throw new Error(`schema.json has two things to call ${name}`);
    this.#declarations.set(name, text);
  }

  /** The type of a property: the name of a definition where it has one. */
  #type(key: string, property: Schema): string {
    const name = refName(property);
    const definition = this.#root.definitions[name];
    if (definition === undefined) return this.#expression(key, property, true);
    if (isNamed(name, definition)) return typeName(name, definition);
    return this.#type(name, definition);
  }

  /**
   * Words to choose from are written out for a property, and are any text for what a list holds. `mayDeclare`: a map that stands here for the first time becomes an interface, by the name of its key.
   */
  #expression(key: string, written: Schema, mayDeclare = false): string {
    if (written.enum !== undefined && isOfWords(written) && key !== '')
      return written.enum.map(literal).join(' | ');
    const types = [written.type ?? []].flat().map((type) => {
      switch (type) {
        case 'integer':
          return 'number';
        case 'boolean':
          return written.not?.const === true ? 'false' : 'boolean';
        case 'array':
          return `readonly ${grouped(this.#type('', written.items ?? {}))}[]`;
        case 'object':
          return this.#object(key, written, mayDeclare);
        case 'string':
          return written.then?.$ref === undefined ? 'string' : this.#type('', written.then);
        default:
          return type;
      }
    });
    return [...new Set(types)].join(' | ');
  }

  #object(key: string, written: Schema, mayDeclare: boolean): string {
    if (written.properties === undefined) return this.#mapOf(written);
    const name = `${pascal(key)}Settings`;
    if (mayDeclare && !this.#declarations.has(name) && this.#root.definitions[key] === undefined)
      this.#interface(name, written);
    return name;
  }

  #mapOf({ additionalProperties: values }: Schema): string {
    const type = typeof values === 'object' ? this.#type('', values) : 'unknown';
    return `Readonly<Record<string, ${type}>>`;
  }
}

/** Does the definition stand for a type, not for a setting that several places share? */
function isNamed(name: string, definition: Schema): boolean {
  return definition.$ref === undefined && definition.description === undefined && name !== 'text';
}

function typeName(name: string, definition: Schema): string {
  if (definition.enum !== undefined) return pascal(name);
  return isMap(definition) ? `${pascal(name)}Settings` : `${pascal(name)}Setting`;
}

function isOfWords({ type }: Schema): boolean {
  return type !== 'integer';
}

function isMap({ type }: Schema): boolean {
  return type === 'object';
}

/** What an editor shows of a setting: what it does, and its default. */
function textOf(property: Schema): string {
  const { description = '', default: value } = resolved(property);
  const isShown = value !== undefined && JSON.stringify(value) !== '{}';
  return isShown ? `${description} Default: ${JSON.stringify(value)}.` : description;
}

function comment(text: string, indent: string): string {
  if (text === '') return '';
  const safe = text.replaceAll('*/', '*\\/');
  if (indent.length + safe.length + 7 <= WIDTH) return `${indent}/** ${safe} */\n`;
  const lines = [''];
  for (const word of safe.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (indent.length + 3 + last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

/** `a duration such as 5s` as a sentence. */
function sentence(words = ''): string {
  return words === '' ? '' : `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function grouped(type: string): string {
  return type.includes(' | ') ? `(${type})` : type;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** `rateLimit` and `rate_limit` as `RateLimit`. */
function pascal(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
