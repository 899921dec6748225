import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const LIB = fileURLToPath(new URL('../../../lib', import.meta.url));

/** What may be imported is left of what imports it; rooms in one step know nothing of each other. */
const ORDER: readonly (readonly string[])[] = [
  ['base'],
  ['shared'],
  ['config', 'http', 'net'],
  ['tls'],
  ['servers'],
  ['firewall', 'rules'],
  ['exchange'],
  ['client'],
  ['routing'],
  ['engine'],
  ['observe'],
  ['discovery', 'fleet'],
  ['control'],
  ['threads'],
  ['balancer'],
  ['admin'],
  ['cli'],
  ['index'],
];

/** Steps that are apart, and still none of each other's business. */
const STRANGERS: readonly (readonly [room: string, other: string, why: string])[] = [
  ['client', 'exchange', 'they talk through http/flow.ts'],
  ['client', 'servers', 'a client knows its handler, and the handler knows servers'],
  ['balancer', 'observe', 'it is told whom to tell'],
  ['control', 'engine', 'they talk through servers/engine-contract.ts'],
];

/** A dependency comes in through one door, so that replacing it means changing one file. */
const DOORS: { readonly [dependency: string]: readonly string[] } = {
  '@peculiar/asn1-ocsp': ['tls/ocsp.ts'],
  '@peculiar/asn1-schema': ['tls/ocsp.ts'],
  '@peculiar/asn1-x509': ['tls/ocsp.ts'],
  '@peculiar/x509': ['tls/self-signed.ts', 'tls/local-authority-issuer.ts'],
  'acme-client': ['tls/acme-authority.ts'],
  ajv: ['config/schema-check.ts'],
  chalk: ['cli/paint.ts'],
  ioredis: ['fleet/redis-client.ts'],
  'ipaddr.js': ['config/network.ts'],
  'js-yaml': ['config/load.ts'],
  'llhttp-wasm': ['http/llhttp-module.ts'],
  negotiator: ['rules/negotiation.ts'],
  'prom-client': ['observe/exposition.ts'],
  re2js: ['config/linear-regex.ts'],
  'sonic-boom': ['observe/batched-sink.ts'],
};

interface Import {
  readonly from: string;
  readonly line: number;
  readonly target: string;
}

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(LIB, file), 'utf8')]));
const imports = files.flatMap((from) => importsOf(from, texts.get(from) ?? ''));

/** Static imports and exports, dynamic imports, and what is resolved by name. */
function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  const pattern = /(?:^|\s)(?:from|import|require\.resolve|require|import\.meta\.resolve)\s*\(?\s*'([^']+)'/g;
  for (const match of text.matchAll(pattern)) {
    const line = text.slice(0, match.index).split('\n').length;
    found.push({ from, line, target: match[1] as string });
  }
  return found;
}

/** The room a file of ours is in; files beside the rooms are rooms of their own. */
function roomOf(file: string): string {
  const [room = '', ...rest] = file.split('/');
  return rest.length === 0 ? room.replace(/\.ts$/, '') : room;
}

/** The file of ours an import leads to, relative to lib/; null when it is somebody else's. */
function fileOf({ from, target }: Import): string | null {
  if (!target.startsWith('.')) return null;
  return relative(LIB, join(LIB, dirname(from), target)).replace(/\.js$/, '.ts');
}

const stepOf = (room: string): number => ORDER.findIndex((rooms) => rooms.includes(room));

t.test('there is something to look at', async (t) => {
  t.ok(files.length > 50);
  t.ok(imports.length > 200);
  const misread = files.filter(
    (file) => /^import /m.test(texts.get(file) ?? '') && !imports.some(({ from }) => from === file),
  );
  t.same(misread, []);
});

t.test('every room has its place in the order', async (t) => {
  const unknown = new Set(files.map(roomOf).filter((room) => stepOf(room) === -1));
  t.same([...unknown], []);
});

t.test('imports go from right to left only', async (t) => {
  const wrong: string[] = [];
  for (const entry of imports) {
    const file = fileOf(entry);
    if (file === null || file.startsWith('..')) continue;
    const room = roomOf(entry.from);
    const other = roomOf(file);
    const stranger = STRANGERS.find(([one, two]) => one === room && two === other);
    const allowed = room === other || stepOf(other) < stepOf(room);
    if (!allowed || stranger !== undefined)
      wrong.push(`lib/${entry.from}:${entry.line} imports ${file}${stranger ? ` (${stranger[2]})` : ''}`);
  }
  t.same(wrong, []);
});

t.test('no file is in a circle of imports that would decide what runs first', async (t) => {
  // Types are gone when it runs, so only what is imported as a value counts.
  const values = new Map<string, string[]>();
  for (const [file, text] of texts) {
    const static_ = text.matchAll(/^(?:import|export) (?!type )(?:[^';]*? from )?'(\.[^']+)'/gm);
    const targets = [...static_]
      .filter((match) => !/^(?:import|export) \{(?:\s*type [^,}]+,?)+\s*\} from/.test(match[0]))
      .map((match) => fileOf({ from: file, line: 0, target: match[1] as string }) ?? '');
    values.set(file, targets);
  }
  const circles: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of values.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  const done = new Set<string>();
  for (const file of files) walk(file, []);
  t.same(circles, []);
});

t.test('only the demo imports files outside lib', async (t) => {
  const outside = imports.filter((entry) => fileOf(entry)?.startsWith('..'));
  t.same(
    outside.map(({ from, target }) => `${from}: ${target}`),
    ['cli/demo.ts: ../../fixtures/server.js'],
  );
});

t.test('every dependency has one door', async (t) => {
  const wrong: string[] = [];
  for (const { from, line, target } of imports) {
    if (target.startsWith('.') || target.startsWith('node:')) continue;
    const dependency = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/');
    if (DOORS[dependency]?.includes(from) !== true) wrong.push(`lib/${from}:${line} imports ${target}`);
  }
  t.same(wrong, []);
});

t.test('no file imports itself by way of others, not even for a type', async (t) => {
  const targets = new Map<string, string[]>(files.map((file) => [file, []]));
  for (const found of imports) {
    const target = fileOf(found);
    if (target !== null) targets.get(found.from)?.push(target);
  }
  const reaches = (start: string): boolean => {
    const seen = new Set<string>();
    const open = [...(targets.get(start) ?? [])];
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (file === start) return true;
      if (seen.has(file)) continue;
      seen.add(file);
      open.push(...(targets.get(file) ?? []));
    }
    return false;
  };
  t.same(
    files.filter((file) => reaches(file)),
    [],
  );
});

t.test('every door leads somewhere, and is what the package depends on', async (t) => {
  const manifest = readFileSync(join(LIB, '../package.json'), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: { [name: string]: string } };
  // The package carries llhttp-wasm's module in itself.
  const packed = ['llhttp-wasm'];
  t.same(Object.keys(DOORS).sort(), [...Object.keys(dependencies), ...packed].sort());
  for (const [dependency, doors] of Object.entries(DOORS)) {
    for (const door of doors)
      t.ok(texts.get(door)?.includes(`'${dependency}`), `${door} imports ${dependency}`);
  }
});

t.test('http and base touch no socket, no timer and no file', async (t) => {
  const wrong = imports.filter(
    ({ from, target }) =>
      ['http', 'rules'].includes(roomOf(from)) &&
      /^node:(net|tls|http|https|http2|dgram|timers|child_process|worker_threads|cluster)/.test(target),
  );
  t.same(
    wrong.map(({ from, target }) => `${from}: ${target}`),
    [],
  );
  const sockets = imports.filter(({ from, target }) => target === 'node:net' && roomOf(from) !== 'net');
  const doors = sockets.map(({ from }) => from).filter((from) => !/isIP/.test(texts.get(from) ?? ''));
  t.same(doors, [], 'sockets are opened in net/ alone');
});

/** A call with a list for its arguments: some 120,000 of them are a RangeError, since they go on the stack. */
const SPREAD_CALL =
  /\b(?:push|unshift|max|min|concat|splice|fromCharCode|append|apply)\((?:[^(){}]*, )?\.\.\./;
/** Lists that are short whatever is configured, asked or answered. */
const SHORT_LISTS = [
  'admin/admin.ts: allowed.push(...',
  'net/host-addresses.ts: this.#publish(Math.min(...',
  'servers/pool.ts: const least = Math.min(...',
  'servers/pool.ts: const most = Math.max(...',
];

t.test('no list of any length is spread over the arguments of a call', async (t) => {
  const found: string[] = [];
  for (const [file, text] of texts) {
    for (const line of text.split('\n')) {
      const match = SPREAD_CALL.exec(line);
      if (match !== null) found.push(`${file}: ${line.slice(0, match.index + match[0].length).trim()}`);
    }
  }
  t.same(found.sort(), SHORT_LISTS);
});

t.test('files that people name are read in one place, which takes regular files alone', async (t) => {
  const readers = [...texts].filter(([, text]) =>
    /\b(?:readFile(?:Sync)?|createReadStream|readSync)\(/.test(text),
  );
  t.same(readers.map(([file]) => file).sort(), [
    'admin/page.ts',
    'admin/routes.ts',
    'base/regular-file.ts',
    'base/version.ts',
    // Readers over `readRegularFile`.
    'cli/read-settings.ts',
    'cli/recorded-files.ts',
    // That of the compiler, which is handed `readRegularFile`.
    'config/address-file.ts',
    'config/body-file.ts',
    'config/config.ts',
    'config/include.ts',
    'config/pem-files.ts',
    'config/schema.ts',
    'http/llhttp-module.ts',
    // The tables of the kernel.
    'net/inherited-sockets.ts',
    // The limits of this process.
    'net/shortage.ts',
  ]);
});

t.test('the tests that test/README.md names are there', async (t) => {
  const TESTS = join(LIB, '../test');
  const table = readFileSync(join(TESTS, 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  // `room/file`: the name of a test, up to the next file or the end of the cell. A name may hold a semicolon.
  const named = table.flatMap((line) => [
    ...line.matchAll(/`([a-z-]+\/[a-z.-]+)`: (.+?)(?=; `[a-z-]+\/| \|$)/g),
  ]);
  const missing = named.filter(
    ([, file, name = '']) => !readFileSync(join(TESTS, `${file}.test.ts`), 'utf8').includes(name),
  );
  t.ok(named.length > 50);
  t.same(
    missing.map(([text]) => text),
    [],
  );
});

t.test('what HTTP/1 alone has is asked for in http/ alone', async (t) => {
  const found: string[] = [];
  for (const [file, text] of texts) {
    if (roomOf(file) === 'http') continue;
    for (const [index, line] of text.split('\n').entries()) {
      // The digit of a version, and the characters of a status line. `status` and `protocol` are values.
      if (/minorVersion|(?:sentHead|responseHeadText|[hH]ead)\w*\.(?:charCodeAt|slice|charAt)\(/.test(line))
        found.push(`lib/${file}:${index + 1}: ${line.trim()}`);
    }
  }
  t.same(found, []);
});

/** Plain records that only their owner has. */
const OWN_RECORDS = /(?:this\.#form|current)\./;

t.test('no class sets a flag of another one', async (t) => {
  const found: string[] = [];
  for (const [file, text] of texts) {
    if (!['client', 'servers', 'exchange', 'net'].includes(roomOf(file))) continue;
    for (const [index, line] of text.split('\n').entries()) {
      if (OWN_RECORDS.test(line)) continue;
      if (
        /^\s*(?!this\.)(?:\w+\.)+\w+ = (?:true|false);/.test(line) ||
        /^\s*this\.#?\w+\.\w+ = (?:true|false);/.test(line)
      )
        found.push(`lib/${file}:${index + 1}: ${line.trim()}`);
    }
  }
  t.same(found, []);
});
