import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Ajv } from 'ajv';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { camelKey, snakeKey } from '../../lib/config/key-names.js';
import { checkIn, schemaCheck, writtenText } from '../../lib/config/schema-check.js';
import type { Settings, StickySettings } from '../../lib/config/settings.js';
import { validate } from '../../lib/config/validate.js';
import { settingsTypes } from '../docs/settings-types.js';

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

t.test('the check beside the code is the one that ajv makes of the schema', async (t) => {
  const beside = new URL('../../lib/config/schema-check.cjs', import.meta.url);
  t.ok(readFileSync(beside, 'utf8') === writtenText(), 'run: make build');
});

t.test('without a written check, or with one of another schema, ajv makes it', async (t) => {
  const folder = t.testdir({
    'other.cjs': "module.exports = () => true; module.exports.schemaHash = '0';",
  });
  const wrong = { listen: {}, nonsense: 1, servers: [{ address: 'a:1', weight: 'heavy' }], hosts: [] };
  const errorsOf = (check: ReturnType<typeof schemaCheck>): readonly unknown[] => {
    t.equal(check(wrong), false);
    return (check.errors ?? []).map(({ keyword, instancePath, parentSchema }) => [
      keyword,
      instancePath,
      parentSchema?.expected,
    ]);
  };
  const errors = errorsOf(schemaCheck());
  t.ok(errors.length >= 3, JSON.stringify(errors));
  for (const name of ['missing.cjs', 'other.cjs'])
    t.same(errorsOf(checkIn(pathToFileURL(`${folder}/${name}`))), errors, name);
});

t.test('every property has a description and an example', async (t) => {
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

t.test('the compiler fills in the defaults of the schema', async (t) => {
  const written = Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, { properties, default: fallback }]) => {
      const inner = Object.entries(properties ?? {}).map(([key, property]) => [key, property.default]);
      if (name === 'access_log' || (fallback === undefined && !properties)) return [];
      return [[name, properties ? Object.fromEntries(inner) : fallback]];
    }),
  );
  t.same(createConfig(written), createConfig());
});

/** For each map of settings with defaults: the settings that have to be there, and the whole file around them. */
const MAPS: readonly (readonly [name: string, required: object, file: (map: object) => Settings])[] = [
  ['acme', { hosts: ['a.example'], store: 'acme' }, (acme) => ({ tls: { acme } }) as Settings],
  ['admin', {}, (admin) => ({ admin })],
  ['algorithm', { name: 'hash', on: 'uri' }, (algorithm) => ({ algorithm }) as Settings],
  ['ban', { status: 401, count: 20 }, (ban) => ({ firewall_rules: { ban } }) as Settings],
  [
    'clientAuth',
    { ca: 'ca.pem' },
    (client_auth) => ({ tls: { certificates: ['a.pem'], client_auth } }) as Settings,
  ],
  [
    'errorPage',
    { status: 404, text: 'page' },
    (page) => ({ respond: {}, error_pages: [page] }) as unknown as Settings,
  ],
  ['events', { webhook: 'https://hooks.example.com/lb' }, (events) => ({ events }) as Settings],
  ['firewallRules', { method_reject: ['TRACE'] }, (firewall_rules) => ({ firewall_rules })],
  ['metrics', { otlp: 'http://collector:4318' }, (metrics) => ({ metrics }) as Settings],
  ['tracing', { otlp: 'http://collector:4318' }, (tracing) => ({ tracing }) as Settings],
  ['healthCheck', { path: '/' }, (health_check) => ({ health_check })],
  ['listenerTls', { certificates: ['a.pem'] }, (tls) => ({ listen: [{ address: 443, tls }] }) as Settings],
  ['holdTerms', { for: '5s' }, (hold) => ({ servers: ['localhost:5001'], hold }) as Settings],
  ['maintenanceTerms', {}, (maintenance) => ({ respond: {}, maintenance }) as Settings],
  ['httpSource', { url: 'http://inventory.internal/' }, (http) => ({ servers: [{ http }] }) as Settings],
  ['hstsTerms', { max_age: '1y' }, (hsts) => ({ hsts }) as Settings],
  ['passiveHealth', {}, (passive_health) => ({ passive_health })],
  ['pool', { idle_timeout: '4s' }, (pool) => ({ pool })],
  ['rateLimit', { requests: 100 }, (rate_limit) => ({ firewall_rules: { rate_limit } }) as Settings],
  ['redirect', { to: '/new' }, (redirect) => ({ redirect }) as Settings],
  ['respond', {}, (respond) => ({ respond })],
  ['retry', {}, (retry) => ({ retry })],
  ['server', { http: 'http://inventory.internal/' }, (server) => ({ servers: [server] }) as Settings],
  [
    'serverTls',
    { server_name: 'api.internal' },
    (tls) => ({ servers: [{ address: 'localhost:5001', tls }] }) as Settings,
  ],
  ['shared', { redis: 'redis://10.0.0.9:6379' }, (shared) => ({ shared }) as Settings],
  ['tls', { certificates: ['a.pem'] }, (tls) => ({ tls }) as Settings],
  ['test', { request: 'GET http://a/', expect: { status: 404 } }, (test) => ({ tests: [test] }) as Settings],
];

for (const [name, required, file] of MAPS) {
  t.test(
    `${name}: a map that states each default compiles to the same as one that leaves them out`,
    async (t) => {
      const { properties = {} } = schema.definitions[name]!;
      const defaults = Object.entries(properties)
        .map(([key, property]) => [key, follow(property).default] as const)
        .filter(([key, value]) => value !== undefined && !(name === 'firewallRules' && key === 'ip_allow'));
      t.ok(defaults.length > 0, 'it has defaults');
      t.same(
        createConfig(file({ ...Object.fromEntries(defaults), ...required })),
        createConfig(file(required)),
      );
    },
  );
}

t.test('every definition with defaults is among the maps that are compared', async (t) => {
  const withDefaults = Object.entries(schema.definitions)
    .filter(([, { properties = {} }]) =>
      Object.values(properties).some((property) => follow(property).default !== undefined),
    )
    .map(([name]) => name);
  // Places inside the file take what they leave out from the place around them.
  const inherits = ['host', 'path', 'route', 'routeLimits', 'routeTimeouts'];
  const compared = [...MAPS.map(([name]) => name), ...inherits, 'sticky'];
  t.same(
    withDefaults.filter((name) => !compared.includes(name)),
    [],
  );
});

t.test(
  'sticky: a map that states each default compiles to the same as one that leaves them out',
  async (t) => {
    const { expire, ...cookie } = Object.fromEntries(
      Object.entries(schema.definitions.sticky!.properties ?? {}).map(([key, value]) => [key, value.default]),
    );
    const bySecret = { cookie: 'lb', secret: 'a secret of the test' };
    const servers = ['localhost:5001'];
    t.same(
      createConfig({ servers, sticky: { ...cookie, ...bySecret } }),
      createConfig({ servers, sticky: bySecret }),
    );
    t.same(
      createConfig({ servers, sticky: { header: 'X-User', expire } as StickySettings }),
      createConfig({ servers, sticky: { header: 'X-User' } }),
    );
  },
);

t.test('a key of the compiled configuration is the key of the settings in camelCase, and back', async (t) => {
  for (const [path] of everything()) {
    const key = path.replace(/^.*[.\s]/, '');
    t.equal(snakeKey(camelKey(key)), key);
  }
  t.equal(camelKey('max_connections_per_ip'), 'maxConnectionsPerIp');
});

t.test('lib/config/settings.ts is what `make types` writes', async (t) => {
  const written = readFileSync(new URL('../../../lib/config/settings.ts', import.meta.url), 'utf8');
  t.equal(written, settingsTypes());
});

t.test('no two definitions of the schema have the same type name', async (t) => {
  const names = [...settingsTypes().matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name);
  t.same(names, [...new Set(names)]);
});
