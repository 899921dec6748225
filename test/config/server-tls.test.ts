import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type LoadResult, loadConfig } from '../../lib/config/config.js';
import { TestAuthority } from '../support/certificates.js';

const authority = await TestAuthority.create();
const own = await authority.issue({ names: ['lb'] });
const other = await authority.issue({ names: ['lb'] });
const { privateKey: encrypted } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' },
});

const directory = mkdtempSync(join(tmpdir(), 'lb-'));
t.teardown(() => rmSync(directory, { recursive: true }));
const FILES = {
  'ca.pem': authority.cert,
  'lb.pem': own.cert,
  'lb.key': own.key,
  'both.pem': own.cert + own.key,
  'other.key': other.key,
  'encrypted.key': encrypted,
  'garbage.pem': 'garbage',
  'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  'half.pem': `${authority.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  'broken.key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
};
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);

function load(text: string): LoadResult {
  return loadConfig(text, { directory, env: {} });
}

function problemsOf(text: string): readonly string[] {
  const result = load(text);
  if (result.ok) return [];
  return result.problems.map(({ line, path, message, hint }) => `${line} ${path}: ${message} ${hint}`.trim());
}

const BAD: readonly (readonly [tls: string, problem: string | RegExp])[] = [
  ['{ ca: nowhere.pem }', '1 servers[0].tls.ca: nowhere.pem cannot be read: there is no such file'],
  ['{ ca: . }', '1 servers[0].tls.ca: . cannot be read: it is a directory'],
  ['{ ca: garbage.pem }', /^1 servers\[0\]\.tls\.ca: garbage\.pem holds no certificate in PEM/],
  ['{ ca: lb.key }', /^1 servers\[0\]\.tls\.ca: lb\.key holds no certificate in PEM/],
  ['{ ca: broken.pem }', /^1 servers\[0\]\.tls\.ca: broken\.pem: the certificate cannot be read: /],
  ['{ ca: half.pem }', /^1 servers\[0\]\.tls\.ca: half\.pem: certificate 2 cannot be read: /],
  [
    '{ cert: lb.pem }',
    '1 servers[0].tls.cert: lb.pem holds no private key in PEM Name the file of the key: key: lb.key.',
  ],
  ['{ cert: lb.pem, key: ca.pem }', '1 servers[0].tls.key: ca.pem holds no private key in PEM'],
  ['{ cert: lb.pem, key: broken.key }', /^1 servers\[0\]\.tls\.key: broken\.key: the key cannot be read: /],
  [
    '{ cert: lb.pem, key: other.key }',
    '1 servers[0].tls.key: other.key: the key does not belong to the certificate',
  ],
  [
    '{ cert: lb.pem, key: encrypted.key }',
    /^1 servers\[0\]\.tls\.key: encrypted\.key: the key is encrypted Add passphrase: \$\{LB_KEY_PASSPHRASE\}\.$/,
  ],
  [
    '{ cert: lb.pem, key: encrypted.key, passphrase: wrong }',
    '1 servers[0].tls.key: encrypted.key: the passphrase does not open the key',
  ],
  [
    '{ cert: lb.pem, key: encrypted.key, passphrase: right }',
    '1 servers[0].tls.key: encrypted.key: the key does not belong to the certificate',
  ],
  ['{ key: lb.key }', '1 servers[0].tls.key: there is no cert that the key belongs to'],
];
for (const [tls, problem] of BAD) {
  t.test(`tls: ${tls} is refused with what is wrong`, async (t) => {
    const [first, ...rest] = problemsOf(`servers: [{ address: "10.0.0.5:8443", tls: ${tls} }]\n`);
    t.match(first, problem);
    t.same(rest, []);
  });
}

t.test('files are read once, named for --watch, and content that is other makes other terms', async (t) => {
  const text = (ca: string): string =>
    `servers: [{ address: "a:1", tls: { ca: ${ca}, cert: both.pem } }, { address: "b:1", tls: { ca: ${ca}, cert: both.pem } }]\n`;
  const result = load(text('ca.pem'));
  if (!result.ok) throw new Error('it is refused');
  t.same(
    result.files,
    ['ca.pem', 'both.pem', 'both.pem'].map((name) => join(directory, name)),
  );
  const [one, two] = result.config.servers;
  t.equal(one?.tls, two?.tls, 'equal terms are one object');
  t.equal(one?.tls?.pem.key, FILES['both.pem']);
  writeFileSync(join(directory, 'ca2.pem'), FILES['lb.pem']);
  const changed = load(text('ca2.pem'));
  t.not(changed.ok && changed.config.servers[0]?.tls?.digest, one?.tls?.digest);
});

const SCHEMES: readonly (readonly [written: string, address: string, isSecure: boolean])[] = [
  ['https://10.0.0.5:8443', '10.0.0.5:8443', true],
  ['HTTPS://api.internal', 'api.internal:443', true],
  ['https://[2001:db8::1]', '[2001:db8::1]:443', true],
  ['https://[2001:db8::1]:8443', '[2001:db8::1]:8443', true],
  ['http://10.0.0.5:8080', '10.0.0.5:8080', false],
  ['http://api.internal', 'api.internal:80', false],
  ['10.0.0.5:8443', '10.0.0.5:8443', false],
];
for (const [written, address, isSecure] of SCHEMES) {
  t.test(`${written} is ${address}, ${isSecure ? 'behind TLS' : 'in clear text'}`, async (t) => {
    const result = load(`servers: ["${written}"]\n`);
    t.match(result, { ok: true, config: { servers: [{ name: address, address: { text: address } }] } });
    t.equal(result.ok && result.config.servers[0]?.tls !== null, isSecure);
  });
}

t.test('an address that is none of a server is refused with what to write', async (t) => {
  const one = (server: string): string | undefined => problemsOf(`servers: [${server}]\n`)[0];
  t.match(
    one('"https://10.0.0.5/"'),
    /got "https:\/\/10\.0\.0\.5\/" Write https:\/\/10\.0\.0\.5, without a path or user\.$/,
  );
  t.match(one('"https://me@api:8443/v1?x"'), /Write https:\/\/api:8443, without a path or user\.$/);
  t.match(one('"https://"'), /^1 servers\[0\]: expected a server such as https:/);
  t.match(one('"wss://10.0.0.5:8443"'), /Write https:\/\/ in place of wss:\/\/\.$/);
  t.match(one('{ address: "http://a:1", tls: true }'), /the address begins with http:\/\/, and tls is set/);
  t.match(
    one('{ address: "https://a:1", tls: false }'),
    /the address begins with https:\/\/, and tls is false/,
  );
  t.match(
    one('{ address: "unix:/run/a.sock", tls: true }'),
    /a Unix socket has no host name .* server_name: api\.internal/,
  );
  t.match(one('"https://localhost:0"'), /A server needs a host and a port of its own/);
});

t.test('verify: false is warned of, at the server that has it', async (t) => {
  const result = load('servers:\n  - https://a:1\n  - { address: "https://b:1", tls: { verify: false } }\n');
  t.match(result, {
    ok: true,
    warnings: [
      { line: 3, path: 'servers[1].tls.verify', message: /^the certificate of b:1 is not verified: / },
    ],
  });
});

t.test('a key that every user of the machine may read is warned of once', async (t) => {
  const text = [
    'servers:',
    '  - { address: 10.0.0.1:443, tls: { cert: lb.pem, key: lb.key } }',
    '  - { address: 10.0.0.2:443, tls: { cert: lb.pem, key: lb.key } }',
    '  - { address: 10.0.0.3:443, tls: { cert: both.pem } }',
    '  - { address: 10.0.0.4:443, tls: { ca: ca.pem } }',
  ].join('\n');
  const warnings = (): string[] => {
    const result = load(text);
    if (!result.ok) throw new Error('it is refused');
    const [first, second] = result.config.servers;
    t.equal(first?.tls, second?.tls, 'equal settings are one object');
    return result.warnings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  };
  t.same(warnings(), [], 'nobody else gets into the folder');
  chmodSync(directory, 0o755);
  t.same(warnings(), [
    '2 servers[0].tls.key: every user of this machine may read the private key in lb.key',
    '4 servers[2].tls.cert: every user of this machine may read the private key in both.pem',
  ]);
  chmodSync(join(directory, 'lb.key'), 0o600);
  chmodSync(join(directory, 'both.pem'), 0o640);
  t.same(warnings(), []);
});
