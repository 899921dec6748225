import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import type { ServerTlsSettings } from '../../lib/config/settings.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { freePort, startDaemon, unlessInstalled } from '../support/daemon.js';
import { GET, OK } from '../support/http.js';
import { origin } from '../support/origin.js';
import { startPaths } from '../support/paths.js';
import { folder } from '../support/tls-origin.js';

t.setTimeout(300_000);

const DAY_MS = 24 * 3_600_000;
const authority = await TestAuthority.create('Known CA');
const stranger = await TestAuthority.create('Foreign CA');
const good = await authority.issue({ names: ['api.internal', '127.0.0.1'] });
const expired = await authority.issue({
  names: ['127.0.0.1'],
  notBefore: Date.now() - 2 * DAY_MS,
  notAfter: Date.now() - DAY_MS,
});
const foreign = await stranger.issue({ names: ['127.0.0.1'] });
const elsewhere = await authority.issue({ names: ['elsewhere.internal'] });
const selfSigned = { ...good, ...signedByItself() };

function signedByItself(): { cert: string; key: string } {
  const options = [
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=self',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    '-',
    '-out',
    '-',
  ];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const { stdout } = spawnSync('openssl', ['req', '-x509', ...key, ...options], { encoding: 'utf8' });
  const at = stdout.indexOf('-----BEGIN CERT');
  return { key: stdout.slice(0, at), cert: stdout.slice(at) };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly reason: string;
  readonly detail: string;
}

/** The answers to `count` requests for each of the `cases`, each on a connection of its own to the server. */
async function askEach(
  t: Test,
  address: string,
  cases: readonly ServerTlsSettings[],
  count = 1,
): Promise<readonly (readonly Answer[])[]> {
  const { connect, seen } = await startPaths(
    t,
    cases.map((tls) => ({ servers: [{ address, tls }], retry: false, pool: { max_requests: 1 } })),
  );
  const client = await connect();
  const all: Answer[][] = [];
  for (const index of cases.keys()) {
    const answers: Answer[] = [];
    for (let i = 1; i <= count; i++) {
      client.send(GET.replace('/', `/${index}`));
      const { status, body } = await client.response();
      const { reason, detail } = await seen.request(index * count + i);
      answers.push({ status, body, reason, detail });
    }
    all.push(answers);
  }
  return all;
}

async function ask(t: Test, address: string, tls: ServerTlsSettings, count = 1): Promise<readonly Answer[]> {
  const [answers = []] = await askEach(t, address, [tls], count);
  return answers;
}

interface Files {
  readonly write: (name: string, text: string) => string;
  readonly ca: string;
  certificate(name: string, issued: IssuedCertificate): { readonly cert: string; readonly key: string };
}

function files(t: Test): Files {
  const write = folder(t);
  const ca = write('ca.pem', authority.cert);
  return { write, ca, certificate: (name, issued) => writeCertificate(dirname(ca), name, issued) };
}

async function nginx(
  t: Test,
  { write, certificate, ca }: Files,
  more: string,
  shown = good,
): Promise<string> {
  const port = await freePort();
  const { cert, key } = certificate(`nginx${port}`, shown);
  const here = dirname(ca);
  const conf = write(
    `nginx${port}.conf`,
    `daemon off; master_process off; pid ${here}/nginx${port}.pid; error_log stderr crit;
    events {}
    http {
      access_log off; client_body_temp_path ${here}; proxy_temp_path ${here}; fastcgi_temp_path ${here};
      uwsgi_temp_path ${here}; scgi_temp_path ${here};
      server {
        listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
        ${more}
        location / { return 200 "$ssl_protocol $ssl_session_reused $ssl_server_name $ssl_client_verify"; }
      }
    }`,
  );
  await startDaemon(t, 'nginx', ['-c', conf], port);
  return `127.0.0.1:${port}`;
}

const withNginx = { skip: unlessInstalled('nginx') };

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  t.test(
    `nginx, ${version}: sessions are resumed, with and without a store of its own`,
    withNginx,
    async (t) => {
      for (const how of [
        'ssl_session_cache off;',
        'ssl_session_cache shared:a:1m; ssl_session_tickets off;',
      ]) {
        const use = files(t);
        const address = await nginx(t, use, `ssl_protocols ${version}; ${how}`);
        const answers = await ask(t, address, { ca: use.ca, server_name: 'api.internal' }, 3);
        t.same(
          answers.map(({ body }) => body),
          [
            `${version} . api.internal NONE`,
            `${version} r api.internal NONE`,
            `${version} r api.internal NONE`,
          ],
        );
      }
    },
  );
}

t.test(
  'nginx: an address is no name to send, and is found among the addresses of a certificate',
  withNginx,
  async (t) => {
    const use = files(t);
    const address = await nginx(t, use, '');
    t.match(await ask(t, address, { ca: use.ca }), [{ status: 200, body: / {2}NONE$/ }]);
  },
);

const wrong: readonly (readonly [what: string, shown: IssuedCertificate, detail: RegExp])[] = [
  ['an expired certificate', expired, /^the certificate of the server expired on \d{4}-\d\d-\d\d$/],
  ['the certificate of another server', elsewhere, /is for elsewhere\.internal, not for 127\.0\.0\.1$/],
  ['a self-signed certificate', selfSigned, /is self-signed, and not trusted$/],
  ['a certificate of another authority', foreign, /is signed by an unknown authority \(CN=Foreign CA\)/],
];
for (const [what, shown, detail] of wrong) {
  t.test(`nginx: ${what} is refused`, withNginx, async (t) => {
    const use = files(t);
    const address = await nginx(t, use, '', shown);
    const cases: ServerTlsSettings[] = [{ ca: use.ca }, { verify: false }];
    if (shown === selfSigned) cases.push({ ca: use.write('self.pem', shown.cert) });
    const [refused, taken, itself] = await askEach(t, address, cases);
    t.match(refused, [{ status: 502, reason: 'tls_failed', detail }]);
    t.match(taken, [{ status: 200 }]);
    if (shown === selfSigned) t.match(itself, [{ status: 200 }], 'it may be named itself');
  });
}

t.test('nginx: a client certificate is shown, and found good or bad there', withNginx, async (t) => {
  const use = files(t);
  const address = await nginx(t, use, `ssl_verify_client optional; ssl_client_certificate ${use.ca};`);
  const shows = (name: string, issued: IssuedCertificate): ServerTlsSettings => ({
    ca: use.ca,
    ...use.certificate(name, issued),
  });
  const cases = [{ ca: use.ca }, shows('own', good), shows('foreign', foreign)];
  const [none, own, other] = await askEach(t, address, cases, 2);
  t.match(none, [{ body: /NONE$/ }, { body: /NONE$/ }]);
  t.match(own, [{ body: /SUCCESS$/ }, { body: /SUCCESS$/ }]);
  // nginx refuses it as a request, with a status.
  t.match(other, [
    { status: 400, reason: '' },
    { status: 400, reason: '' },
  ]);
});

t.test(
  'stunnel: a client certificate that it requires is shown; a foreign or expired one, or none, is tls_failed',
  { skip: unlessInstalled('stunnel4') },
  async (t) => {
    const server = await origin(t, answering(OK));
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const use = files(t);
      const port = await freePort();
      const { cert, key } = use.certificate('stunnel', good);
      const conf = use.write(
        'stunnel.conf',
        `foreground = yes\npid =\ndebug = 3\n[lb]\naccept = 127.0.0.1:${port}\nconnect = ${server.address}
        cert = ${cert}\nkey = ${key}\nCAfile = ${use.ca}\nverifyChain = yes\nrequireCert = yes\nsslVersion = ${version}\n`,
      );
      await startDaemon(t, 'stunnel4', [conf], port);
      const address = `127.0.0.1:${port}`;
      const shows = (name: string, issued: IssuedCertificate): ServerTlsSettings => ({
        ca: use.ca,
        ...use.certificate(name, issued),
      });
      const [own, none, unknown, late] = await askEach(t, address, [
        shows('own', good),
        { ca: use.ca },
        shows('foreign', foreign),
        shows('expired', expired),
      ]);
      t.match(own, [{ status: 200, body: 'ok' }]);
      const refused = { status: 502, reason: 'tls_failed' };
      t.match(none, [{ ...refused, detail: /client certificate/ }], `${version}: none`);
      t.match(unknown, [{ ...refused, detail: /does not know the authority/ }], `${version}: foreign`);
      const detail = 'the server refused the client certificate as expired';
      t.match(late, [{ ...refused, detail }], `${version}: expired`);
    }
  },
);
