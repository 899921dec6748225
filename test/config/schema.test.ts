import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { validate } from '../../lib/config/validate.js';

interface Property {
  readonly $ref?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly expected?: string;
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
  readonly items?: Property;
}

const schema = JSON.parse(
  readFileSync(new URL('../../../lib/config/schema.json', import.meta.url), 'utf8'),
) as Property & { readonly definitions: Readonly<Record<string, Property>> };

/** A property with what it refers to; what it says itself goes before that. */
function follow(property: Property): Property {
  const { $ref, ...own } = property;
  return $ref === undefined
    ? own
    : { ...follow(schema.definitions[$ref.replace('#/definitions/', '')]!), ...own };
}

/** Every property of every object of the schema, once, with whether it must be given. */
function* properties(
  node: Property,
  path = '',
): Generator<[path: string, property: Property, required: boolean]> {
  for (const [name, written] of Object.entries(node.properties ?? {})) {
    const property = follow(written);
    yield [`${path}${name}`, property, node.required?.includes(name) ?? false];
    if (written.$ref === undefined) yield* properties(property, `${path}${name}.`);
  }
  if (node.items) yield* properties(node.items, `${path}[].`);
}

function* everything(): ReturnType<typeof properties> {
  yield* properties(schema);
  for (const [name, definition] of Object.entries(schema.definitions))
    yield* properties(definition, `${name}: `);
}

t.test('the schema is one of draft-07', async (t) => {
  const ajv = new Ajv({ allowUnionTypes: true });
  ajv.addKeyword('expected');
  ajv.addKeyword('since');
  t.ok(ajv.validateSchema(schema), JSON.stringify(ajv.errors));
  t.equal(ajv.compile(schema)({}), true);
});

t.test('every property is explained to whoever hovers over it', async (t) => {
  for (const [path, { description, examples }] of everything()) {
    t.match(description, /^\S.*\.$/, `${path} has a sentence`);
    t.ok(Array.isArray(examples) && examples.length > 0, `${path} has an example`);
  }
});

t.test('every type says in words what it expects', async (t) => {
  for (const [path, property] of everything()) t.ok(property.expected, path);
});

t.test('the examples and defaults of the top settings are valid', async (t) => {
  for (const [name, { examples, default: fallback }] of Object.entries(schema.properties ?? {})) {
    for (const value of [...(examples ?? []), ...(fallback === undefined ? [] : [fallback])]) {
      t.same(validate({ [name]: value }), [], `${name}: ${JSON.stringify(value)}`);
    }
  }
});

t.test('the defaults of the schema are those of the compiler', async (t) => {
  const written = Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, { properties, default: fallback }]) => {
      const inner = Object.entries(properties ?? {}).map(([key, property]) => [key, property.default]);
      if (name === 'access_log' || (fallback === undefined && !properties)) return [];
      return [[name, properties ? Object.fromEntries(inner) : fallback]];
    }),
  );
  t.same(createConfig(written), createConfig());
});
