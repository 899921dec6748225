import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Agent, request } from 'undici';
import { startBalancer } from '../support/balancer.js';
import { TestAuthority, writeCertificate } from '../support/certificates.js';

t.setTimeout(120_000);

const authority = await TestAuthority.create('Root');
const other = await TestAuthority.create('Other');
/** Where the programs must be there, a test that finds none fails. */
const IS_REQUIRED = process.env.LB_REQUIRE_TLS_TOOLS === '1';

function missing(...programs: string[]): string | false {
  if (IS_REQUIRED) return false;
  const gone = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  return gone.length > 0 && `no ${gone.join(', ')}`;
}

/** Runs a program with `input`; resolves with all that it wrote. */
function run(program: string, args: readonly string[], input = ''): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('latin1').on('data', (data: string) => {
        text += data;
      });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, text }));
  });
}

/** A balancer with certificates for a.test and b.test, and one of both kinds of keys for both.test. */
async function served(t: Test): Promise<{ port: number; ca: string; serials: Record<string, string> }> {
  const folder = t.testdir({ 'root.crt': authority.cert });
  const [a, b] = [await authority.issue({ names: ['a.test'] }), await authority.issue({ names: ['b.test'] })];
  const ec = await authority.issue({ names: ['both.test'] });
  const rsa = await authority.issue({ names: ['both.test'], key: 'rsa' });
  const certificates = Object.entries({ a, b, ec, rsa }).map(([name, one]) =>
    writeCertificate(folder, name, one),
  );
  const { port } = await startBalancer(t, {
    listen: [{ address: '127.0.0.1:0', tls: true }],
    tls: { certificates },
    respond: { body: 'here\n' },
  });
  const serials = { a: a.serial, b: b.serial, ec: ec.serial, rsa: rsa.serial };
  return { port, ca: join(folder, 'root.crt'), serials };
}

t.test(
  'openssl s_client sees the name, the protocol and the kind of key',
  { skip: missing('openssl') },
  async (t) => {
    const { port, ca, serials } = await served(t);
    const client = (...args: string[]): Promise<{ code: number; text: string }> =>
      run('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-CAfile',
        ca,
        '-verify_return_error',
        ...args,
      ]);
    for (const name of ['a', 'b'] as const)
      for (const version of ['-tls1_2', '-tls1_3']) {
        const { text } = await client('-servername', `${name}.test`, '-alpn', 'h2,http/1.1', version);
        t.match(text, /Verify return code: 0 \(ok\)|Verification: OK/, `${name} ${version}`);
        t.match(text, new RegExp(`subject=CN ?= ?${name}\\.test`));
        t.match(text, /ALPN protocol: http\/1\.1/);
        t.match(text, /Compression: NONE/);
      }
    for (const [algorithms, kind] of [
      ['ECDSA+SHA256', 'ec'],
      ['RSA-PSS+SHA256', 'rsa'],
    ] as const) {
      const { text } = await client('-servername', 'both.test', '-sigalgs', algorithms, '-showcerts');
      const pem = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text)?.[0] ?? '';
      const shown = await run('openssl', ['x509', '-noout', '-serial'], pem);
      t.equal(shown.text.trim().toLowerCase(), `serial=${serials[kind]}`, kind);
    }
    for (const old of ['-tls1', '-tls1_1']) {
      const { code, text } = await client('-servername', 'a.test', old, '-cipher', 'DEFAULT@SECLEVEL=0');
      t.not(code, 0, `${old} ${text.slice(0, 200)}`);
    }
  },
);

t.test(
  'openssl s_client resumes sessions, and may not renegotiate',
  { skip: missing('openssl') },
  async (t) => {
    const { port, ca } = await served(t);
    const session = `${ca}.session`;
    for (const version of ['-tls1_2', '-tls1_3']) {
      const args = [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-CAfile',
        ca,
        '-servername',
        'a.test',
        version,
      ];
      const get = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';
      const ask = (...more: string[]) => run('openssl', [...args, ...more, '-ign_eof'], get);
      t.match((await ask('-sess_out', session)).text, /^New, /m, version);
      t.match((await ask('-sess_in', session)).text, /^Reused, /m, version);
    }
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-CAfile',
      ca,
      '-servername',
      'a.test',
      '-tls1_2',
    ];
    const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('latin1').on('data', (data: string) => {
        text += data;
        // `R` at the beginning of a line asks for a new handshake.
        if (text.includes('Verify return code') && !text.includes('RENEGOTIATING')) child.stdin.write('R\n');
      });
    child.stdin.on('error', () => {});
    t.teardown(() => child.kill());
    await new Promise((resolve) => child.on('close', resolve));
    t.match(text, /RENEGOTIATING/);
    t.match(text, /no renegotiation|unexpected message|ssl\/record|handshake failure/i);
  },
);

t.test('gnutls-cli verifies the certificate and its name', { skip: missing('gnutls-cli') }, async (t) => {
  const { port, ca } = await served(t);
  const ask = (name: string) =>
    run(
      'gnutls-cli',
      [
        '--x509cafile',
        ca,
        '--sni-hostname',
        name,
        '--verify-hostname',
        name,
        '--alpn',
        'http/1.1',
        '-p',
        String(port),
        '127.0.0.1',
      ],
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
  t.match((await ask('a.test')).text, /certificate is trusted[\s\S]*Handshake was completed/);
  t.match((await ask('c.test')).text, /certificate is NOT trusted/i);
});

t.test(
  'curl, Python and undici fetch by TLS, and refuse another authority',
  { skip: missing('curl', 'python3') },
  async (t) => {
    const { port, ca } = await served(t);
    const at = ['-s', '--resolve', `a.test:${port}:127.0.0.1`, `https://a.test:${port}/`];
    t.same(await run('curl', ['--cacert', ca, ...at]), { code: 0, text: 'here\n' });
    const foreign = `${ca}.other`;
    writeFileSync(foreign, other.cert);
    t.equal((await run('curl', ['--cacert', foreign, ...at])).code, 60);
    const python = `
import http.client, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
raw = socket.create_connection(('127.0.0.1', ${port}))
tls = context.wrap_socket(raw, server_hostname='a.test')
tls.sendall(b'GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n')
response = http.client.HTTPResponse(tls)
response.begin()
print(tls.version(), response.read().decode().strip())
`;
    t.match((await run('python3', ['-c', python, ca])).text, /^TLSv1\.3 here\n/);
    t.match((await run('python3', ['-c', python, foreign])).text, /CERTIFICATE_VERIFY_FAILED/);
    for (const [authorities, isGood] of [
      [authority.cert, true],
      [other.cert, false],
    ] as const) {
      const dispatcher = new Agent({ connect: { ca: authorities, servername: 'a.test' } });
      const asked = request(`https://127.0.0.1:${port}/`, { dispatcher }).then(({ body }) => body.text());
      if (isGood) t.equal(await asked, 'here\n');
      else await t.rejects(asked);
      await dispatcher.close();
    }
  },
);

t.test(
  'sslscan finds nothing but TLS 1.2 and 1.3 with forward secrecy',
  { skip: missing('sslscan') },
  async (t) => {
    const { port } = await served(t);
    const { text } = await run('sslscan', ['--no-colour', '--sni-name=a.test', `127.0.0.1:${port}`]);
    for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1'])
      t.match(text, new RegExp(`${version} +disabled`));
    for (const version of ['TLSv1.2', 'TLSv1.3']) t.match(text, new RegExp(`${version} +enabled`));
    t.match(text, /Session renegotiation not supported|Secure session renegotiation supported/);
    const accepted = [...text.matchAll(/(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)/g)];
    t.ok(accepted.length > 4);
    for (const [, version, cipher = ''] of accepted)
      t.match(cipher, version === 'TLSv1.3' ? /^TLS_(AES|CHACHA20)/ : /^ECDHE-.*(GCM|POLY1305)/);
    t.notMatch(text, /ffdhe/);
  },
);
