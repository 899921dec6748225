import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Printed, Program, printedBy } from './support.js';

const GOOD = fileURLToPath(new URL('../../../fixtures/config/good', import.meta.url));

/** `lb explain` where the good files lie. */
function explain(t: Test, file: string, args: readonly string[]): Printed {
  const printed = printedBy(['explain', '-c', file, ...args], GOOD);
  t.equal(printed.code, 0);
  t.equal(printed.stderr, '');
  const lines = args.includes('--json') ? [] : printed.stdout.split('\n');
  for (const line of lines) t.ok(line.length <= 80, line);
  return printed;
}

t.test('the whole way of a request', async (t) => {
  const { stdout } = explain(t, 'course.yaml', ['GET', 'http://www.mango.com/v1?x=1&RemoveMe=1']);
  t.equal(
    stdout,
    `
  GET http://www.mango.com/v1?x=1&RemoveMe=1

  listener  8080
  client    127.0.0.1
  route     www.mango.com  course.yaml:2
  firewall  firewall_rules of www.mango.com  course.yaml:16
              ip_reject passes
  lb itself + X-Forwarded-For: 127.0.0.1
            + X-Forwarded-Proto: http
            + X-Forwarded-Port: 8080
            + X-Forwarded-Host: www.mango.com
            + X-Request-Id: 00000000000000000000000000000000
            + CDN-Loop: lb
  rules     rewrite_rules.replace v1
              - GET /v1?x=1&RemoveMe=1 HTTP/1.1
              + GET /v2?x=1&RemoveMe=1 HTTP/1.1
            param_rules.remove RemoveMe
              - GET /v2?x=1&RemoveMe=1 HTTP/1.1
              + GET /v2?x=1 HTTP/1.1
            param_rules.add MyCustomParam
              - GET /v2?x=1 HTTP/1.1
              + GET /v2?x=1&MyCustomParam=Test HTTP/1.1
            header_rules.add MyCustomHeader
              + MyCustomHeader: Test
            Host is the server's own
              - Host: www.mango.com
              + Host: localhost:8081
  request   GET /v2?x=1&MyCustomParam=Test HTTP/1.1
            Host: localhost:8081
            X-Forwarded-For: 127.0.0.1
            X-Forwarded-Proto: http
            X-Forwarded-Port: 8080
            X-Forwarded-Host: www.mango.com
            X-Request-Id: 00000000000000000000000000000000
            CDN-Loop: lb
            MyCustomHeader: Test
  servers   localhost:8081
            localhost:8082
            of those that are up: in turn

`,
  );
});

t.test('with tracing the server gets a traceparent, whose ids are made for each request', async (t) => {
  const text =
    'tracing: { otlp: "http://127.0.0.1:4318", continue_from: anyone }\nservers: [localhost:5001]\n';
  const file = join(t.testdir({ 'lb.yaml': text }), 'lb.yaml');
  const sent = (...args: string[]): readonly string[] => {
    const { stdout } = printedBy(['explain', '-c', file, '--json', 'GET', '/', ...args], GOOD);
    return stdout.match(/traceparent: [\da-f-]+/g) ?? [];
  };
  const [zeros, span] = ['0'.repeat(32), '0'.repeat(16)];
  t.ok(sent().includes(`traceparent: 00-${zeros}-${span}-00`));
  const caller = '4bf92f3577b34da6a3ce929d0e0e4736';
  const found = sent('-H', `traceparent: 00-${caller}-00f067aa0ba902b7-01`);
  t.ok(found.includes(`traceparent: 00-${caller}-${span}-01`), 'that of the caller goes on');
});

t.test('with all traces recorded the traceparent says so', async (t) => {
  const text = 'tracing: { otlp: "http://127.0.0.1:4318", sample: 100% }\nservers: [localhost:5001]\n';
  const file = join(t.testdir({ 'lb.yaml': text }), 'lb.yaml');
  const { stdout } = printedBy(['explain', '-c', file, '--json', 'GET', '/'], GOOD);
  t.match(stdout, `traceparent: 00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`);
});

t.test('a refusal by the route, and one before all routes', async (t) => {
  const byRoute = explain(t, 'course.yaml', ['GET', '/messages', '-H', 'Host: www.apple.com']);
  t.match(byRoute.stdout, /\n {14}path_reject refuses\n {2}answer {4}403 Forbidden\n/);
  const atAccept = explain(t, 'design.yaml', ['GET', 'www.mango.com', '--ip', '203.0.113.4']);
  t.match(atAccept.stdout, /ip_reject refuses\n {2}answer {4}none: the connection is closed at accept\n/);
  t.notMatch(atAccept.stdout, 'route  ');
});

t.test('a reply of the route, and the routes before it', async (t) => {
  const { stdout } = explain(t, 'design.yaml', ['GET', 'www.mango.com/maintenance']);
  t.match(
    stdout,
    /route {5}www\.mango\.com#4 {2}design\.yaml:46\n {12}not www\.mango\.com#1 .*: header does not match\n/,
  );
  t.match(stdout, /\n {2}answer {4}503 Service Unavailable\n {12}Back soon\n/);
});

t.test('explain names the host that was probably meant', async (t) => {
  const { stdout } = explain(t, 'course.yaml', ['GET', 'http://www.mngo.com/']);
  t.match(stdout, /route {5}none\n {12}No host is called www\.mngo\.com\. Did you mean www\.mango\.com\?\n/);
  t.match(stdout, /\n {12}hosts: www\.mango\.com, www\.apple\.com, www\.orange\.com\n/);
  t.match(stdout, /\n {2}answer {4}404 Not Found\n/);
});

t.test('long lines stay within 80 columns, and control bytes off the screen', async (t) => {
  const { stdout } = explain(t, 'course.yaml', [
    'GET',
    `http://www.mango.com/v1/${'a'.repeat(200)}`,
    '-H',
    `X-Long: ${'word '.repeat(50)}\x1b[31m`,
  ]);
  t.notMatch(stdout, '\x1b');
});

/** The lines on servers, without their margin; those that were broken are whole again. */
const serversOf = ({ stdout }: Printed): string[] =>
  (stdout.split('  servers   ')[1] ?? '')
    .trim()
    .replaceAll(/\n {14}/g, ' ')
    .split(/\n +/);

t.test('explain shows weights, backups, servers left out and why, and how one is chosen', async (t) => {
  t.strictSame(serversOf(explain(t, 'algorithms.yaml', ['GET', '/'])), [
    'localhost:1  weight 1',
    'localhost:2  weight 3',
    'localhost:3  weight 1, backup: while no other can be used',
    'localhost:4  no new requests: weight 0',
    'of those that are up: the one with the fewest requests in flight, by weight',
  ]);
  const hashed = serversOf(
    explain(t, 'algorithms.yaml', ['GET', 'hash.example/', '-H', 'X-User: u1', '--ip', '192.0.2.1']),
  );
  t.match(hashed.at(-1), /^localhost:[67], while it is up: always the same for one header\.x-user$/);
  const again = serversOf(
    explain(t, 'algorithms.yaml', ['GET', 'hash.example/', '-H', 'X-User: u1', '--ip', '192.0.2.2']),
  );
  t.strictSame(again, hashed);
});

t.test('servers: whom a client is bound to', async (t) => {
  const free = explain(t, 'sticky.yaml', ['GET', 'http://same.elsewhere/']);
  t.match(
    serversOf(free).at(-1),
    /^the server that answers is named in the cookie lb, and serves the client from then on$/,
  );
  const token = createHmac('sha256', 'a-secret-of-ours')
    .update('localhost:2')
    .digest('base64url')
    .slice(0, 22);
  const bound = explain(t, 'sticky.yaml', ['GET', 'http://same.elsewhere/', '-H', `Cookie: lb=${token}`]);
  t.equal(serversOf(bound).at(-1), 'localhost:2, as sticky.cookie lb says');
  t.match(bound.stdout, /sticky\.cookie lb\n +- Cookie: lb=/, 'and it does not see the cookie');
  const byValue = explain(t, 'sticky.yaml', ['GET', 'user.example', '-H', 'X-User: 7', '--json']);
  t.match(JSON.parse(byValue.stdout), {
    outcome: {
      servers: [{ weight: 1, backup: false, left_out: null }, {}],
      algorithm: 'round_robin',
      on: null,
      sticky: 'header.x-user',
      choice: 'bound',
      server: /^localhost:[34]$/,
    },
  });
});

t.test(
  'a listener that redirects is explained, and a URL without a scheme asks one that serves',
  async (t) => {
    const cwd = t.testdir({
      'lb.yaml': `listen: [{ address: 80, redirect: https }, { address: 8443, tls: internal, proxy_protocol: [10.0.0.0/8] }]
servers: [localhost:1]
readiness_path: /ready
tests:
  - { request: "GET http://a/x", expect: { status: 301, location: "https://a:8443/x" } }
  - { request: "POST http://a/x", expect: { status: 308 } }
  - { request: "GET http://a/ready", expect: { status: 200 } }
  - { request: "GET https://a/x", expect: { path: /x } }
`,
    });
    t.match(printedBy(['check', '-c', 'lb.yaml'], cwd), {
      code: 0,
      stdout:
        /1 server, listening on 80 \(redirects to https\), 8443 \(https, PROXY protocol\), 4 tests passed\n$/,
    });
    const lb = (...words: string[]): string => printedBy(['explain', '-c', 'lb.yaml', ...words], cwd).stdout;
    const redirected = lb('GET', 'http://a/x?y');
    t.match(redirected, '\n  listener  80 (redirects to https), 8443 (https, PROXY protocol)\n');
    t.match(
      redirected,
      /\n {2}answer {4}301 Moved Permanently\n +Location: https:\/\/a:8443\/x\?y\n +by its listener/,
    );
    const served = lb('GET', '/x');
    t.match(served, '  GET https://localhost:8443/x\n');
    t.match(served, '\n  servers   localhost:1\n');
    t.match(lb('GET', '/x', '-H', 'Host: b'), '  GET https://b/x\n');
  },
);

t.test('--json is for programs', async (t) => {
  const { stdout } = explain(t, 'course.yaml', ['GET', '/mango/a', '--json']);
  t.match(JSON.parse(stdout), {
    file: 'course.yaml',
    request: { method: 'GET', target: '/mango/a', host: 'localhost:8080' },
    listen: ['8080'],
    client: '127.0.0.1',
    trusted_peer: false,
    route: { name: '/mango', line: 40 },
    steps: [
      { rule: '' },
      { rule: 'strip_prefix /mango', changes: [{ sign: '-' }, { sign: '+', text: 'GET /a HTTP/1.1' }, {}] },
      { rule: "Host is the server's own" },
    ],
    outcome: { kind: 'forwarded', servers: [{ name: 'localhost:8081', address: 'localhost:8081' }, {}] },
  });
});

t.test('bad usage is refused with what to say instead', async (t) => {
  for (const [args, message] of [
    [['GET'], /^a method and a URL are needed/],
    [['GET', 'ftp://www.mango.com/'], /^expected a URL such as/],
    [['GET', '/', '--ip', 'localhost'], /^--ip "localhost" is not an address/],
    [['GET', '/', '-H', 'nonsense'], /^-H: expected 'Name: value'/],
  ] as const)
    t.throws(() => printedBy(['explain', ...args], GOOD), { message });
});

t.test('a configuration that cannot be used is shown, and nothing else', async (t) => {
  for (const [file, message] of [
    ['nowhere.yaml', /^lb: cannot read nowhere\.yaml/],
    ['../bad/unknown-key.yaml', /^\.\.\/bad\/unknown-key\.yaml:\d+:\d+ /],
  ] as const)
    t.match(printedBy(['explain', 'GET', '/', '-c', file], GOOD), { code: 1, stdout: '', stderr: message });
});

t.test('as a program it prints the same, and exits with 0, 1 or 2', async (t) => {
  for (const [args, code] of [
    [['-c', 'course.yaml', 'GET', '/mango/a'], 0],
    [['-c', 'nowhere.yaml', 'GET', '/'], 1],
  ] as const) {
    const program = new Program(['explain', ...args], { cwd: GOOD });
    t.equal(await program.end(), code);
    const { stdout, stderr } = printedBy(['explain', ...args], GOOD);
    t.strictSame([program.stdout, program.stderr], [stdout, stderr]);
  }
  const unclear = new Program(['explain', 'GET'], { cwd: GOOD });
  t.equal(await unclear.end(), 2);
  t.match(unclear.stderr, /^lb: a method and a URL are needed: lb explain \[-c FILE\] GET /);
  t.equal(unclear.stdout, '');
});

t.test('explain says that lb itself answers the readiness path', (t) => {
  const { stdout } = explain(t, 'everything-at-the-top.yaml', ['GET', 'http://a/readyz']);
  t.match(stdout, /\n {2}answer {4}200 OK\n {12}readiness_path: lb says itself/);
  const { stdout: json } = explain(t, 'everything-at-the-top.yaml', ['GET', 'http://a/readyz', '--json']);
  t.match(JSON.parse(json), { route: null, outcome: { kind: 'readiness', status: 200 } });
  t.end();
});
