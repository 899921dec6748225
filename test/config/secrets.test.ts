import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { loadConfig } from '../../lib/config/config.js';
import { renderProblems } from '../../lib/config/problems.js';
import { blotLine, isSecretPath, maskUrls } from '../../lib/config/secrets.js';

/** All that is said of a settings file, on a terminal and for programs. */
function said(text: string): string {
  const result = loadConfig(text, { env: { LB_TOKEN: 's3cr3t' } });
  if (result.ok) return JSON.stringify(result.warnings);
  return renderProblems(result.problems, { file: 'lb.yaml', text }) + JSON.stringify(result.problems);
}

t.test('no message and no line that is shown has a secret in it', async (t) => {
  for (const text of [
    'admin: { listen: 9090, token: s3cr3t }',
    'admin:\n  listen: 9090\n  token: s3cr3t\n',
    'admin:\n  listen: 9090\n  read_token: "s3cr3t"\n',
    `admin: { listen: 9090, token: "\${LB_TOKEN}" }`,
    'admin: { listen: 9090, token: [s3cr3t] }',
    'admin: { lisen: 9090, token: s3cr3t }',
    'events: { webhook: "https://bob:s3cr3t@hooks.example/x" }',
    'events: { webhook: "nothing//bob:x", secret: "s3cr3t", timeout: x }',
    'events: { webhook: "ftp://bob:s3cr3t@h?token=s3cr3t" }',
    'servers: ["http://bob:s3cr3t@a.example:80"]',
    'servers: [a]\nsticky: { cookie: { name: a, secret: s3cr3t, same: 1 } }',
    'redirect: { to: "bad://bob:s3cr3t@h/?access_token=s3cr3t" }',
    'servers: [a]\nheader_rules: { add: { Authorization: "Bearer s3cr3t \\x01" } }',
    'servers: [a]\ncookie_rules: { add: { a: "s3cr3t;x" } }',
    'servers: [a]\nhealth_check: { path: "x?token=s3cr3t" }',
    'tests: [{ request: "GET /?token=s3cr3t x y", expect: {} }]\nrespond: {}',
    'admin: { listen: 9090, token: s3cr3t',
    'tls: { certificates: [{ cert: a.pem, passphrase: s3cr3t, wrong: 1 }] }',
    'tls: { certificates: [{ cert: a.pem, passphrase: [s3cr3t] }] }',
    'tls: { acme: { hosts: [a.b], store: s, external_account: { kid: a, hmac_key: "s3cr3t!" } } }',
    'servers: [a]\nheader_rules: { add: { X: "\\x01", X-Api-Key: s3cr3t } }',
    'servers: [a]\nshared: { redis: "redis://:s3cr3t%@h:6379" }',
    'servers: [a]\nshared: { redis: "redis://:p@s3cr3t@h:6379/x" }',
  ]) {
    const shown = said(text);
    t.ok(shown.length > 2, `${text} is wrong`);
    t.notMatch(shown, /s3cr3t/, text);
  }
});

t.test('a value that is not secret is shown unchanged, with its mark under it', async (t) => {
  t.match(said('timeouts: { connect: abc }'), 'got "abc"');
  t.match(
    said('timeouts: { connect: abc }'),
    '     1 | timeouts: { connect: abc }\n       |                      ^^^\n',
  );
});

t.test('what is asked of clients is no secret, unlike what proves who somebody is', async (t) => {
  for (const name of ['passphrase', 'hmac_key', 'token', 'secret'])
    t.ok(isSecretPath(`tls.certificates[0].${name}`), name);
  t.notOk(isSecretPath('tls.client_auth'));
  t.notOk(isSecretPath('listen[0].tls.certificates[0].client_auth'));
  t.match(said('tls: { certificates: [a.pem], client_auth: abc }'), 'got "abc"');
});

t.test('lines of a megabyte are masked in little time', async (t) => {
  const length = 1_000_000;
  for (const text of [
    'a',
    '-',
    'a:',
    '://',
    'a://',
    'a@',
    '?a',
    '&a&',
    ' ',
    'a ',
    'a: ',
    'a: [',
    'token: [',
    '"token":["',
    '"a":"b",',
    '"a": "',
    "'a",
    '"\\',
    'a: "b", ',
  ]) {
    const line = text.repeat(length / text.length);
    const started = processorTime();
    for (const shown of [`${line}@`, `=${line}`, `a: "${line}`, `a://${line}`]) {
      blotLine(shown);
      maskUrls(shown);
    }
    // Eight passes: about 0.5 s at most, and minutes if time grew with the square of the length.
    const spent = processorTime() - started;
    t.ok(spent < 8000, `${JSON.stringify(text)}: ${spent.toFixed()} ms`);
  }
});

t.test('the values of secrets are blotted in their columns, wherever they are in a line', async (t) => {
  for (const [line, shown] of [
    ['a: [b, { token: x }, c]', 'a: [b, { token: * }, c]'],
    [
      'a: [{ token: xy, b: [c, { secret: [d, e] }] }], f: g',
      'a: [{ token: **, b: [c, { secret: ****** }] }], f: g',
    ],
    ['token: [a, b], c: d', 'token: ******, c: d'],
    ['token: [a, b', 'token: *****'],
    ['token: ["a]b", c], d: e', 'token: **********, d: e'],
    ['token: [[a], [b]], d: e', 'token: **********, d: e'],
    ["token: ['a''] b', c], d: e", 'token: *************, d: e'],
    ['"token": "a, b", c: d', '"token": ******, c: d'],
    ['{"a":{"b":1,"token":"a, b","c":"d"}}', '{"a":{"b":1,"token":******,"c":"d"}}'],
    ['{"token":["a","b"],"c":"d"}', '{"token":*********,"c":"d"}'],
    [`{"a":'b','token' :'c'}`, `{"a":'b','token' :***}`],
    ['my.token: abc', 'my.token: ***'],
    [`token: "\${LB_TOKEN}"`, `token: "\${LB_TOKEN}"`],
    ['url: redis://a:b@c:1/', 'url: redis://****c:1/'],
    ['- https://a@b@c/?token=d&e=f', '- https://****c/?token=*****'],
    ['x: "://a:b@c"', 'x: "://****c"'],
  ] as const)
    t.equal(blotLine(line), shown);
});
