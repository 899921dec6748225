import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { start } from './program.js';

const authority = await TestAuthority.create('Root');
t.setTimeout(120_000);
const stranger = await TestAuthority.create('Stranger');

/** The serial of the certificate that is shown at `port`, in hex, lower case. */
function shown(port: string, options: tls.ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(
      { host: '127.0.0.1', port: Number(port), rejectUnauthorized: false, ...options },
      () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '');
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
}

/** A folder with a settings file and a certificate of `www.mango.test`. */
async function folderWith(t: Test, more = ''): Promise<{ folder: string; file: string; serial: string }> {
  const folder = t.testdir();
  const file = join(folder, 'lb.yaml');
  const issued = await authority.issue({ names: ['www.mango.test'] });
  writeCertificate(folder, 'www', issued);
  const head = 'listen: [{ address: 127.0.0.1:0, tls: true }]\nrespond: { body: here }\n';
  writeFileSync(file, `${head}tls:\n  certificates:\n    - { cert: www.pem, key: www.key }\n${more}`);
  return { folder, file, serial: issued.serial };
}

const PORT = /https:\/\/[^:]+:(\d+)\//;

t.test('--watch loads a certificate that changed, and SIGHUP reports one that is bad', async (t) => {
  const { folder, file, serial } = await folderWith(t);
  const program = start(t, ['-c', file, '--watch']);
  const port = await program.onStderr(PORT);
  t.equal(await shown(port), serial);
  const next = await authority.issue({ names: ['www.mango.test'] });
  writeCertificate(folder, 'www', next);
  await program.onStderr(/certificates reloaded: www\.mango\.test \(serial/);
  t.equal(await shown(port), next.serial);
  t.notMatch(program.stderr, /reloaded .*lb\.yaml/, 'the settings are not read again for it');

  writeFileSync(join(folder, 'www.pem'), 'nonsense');
  await program.onStderr(/www\.pem: no certificate: it is not PEM.*stays in force/);
  t.equal(await shown(port), next.serial);
  program.child.kill('SIGHUP');
  await program.onStderr(/reloaded .*lb\.yaml/);
  t.equal(await shown(port), next.serial);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test(
  'a certificate that cannot be used is reported with the line of the settings, and nothing starts',
  async (t) => {
    const { file } = await folderWith(t, '    - { cert: none.pem, key: www.key }\n');
    const program = start(t, ['-c', file]);
    t.equal(await program.end(), 1);
    t.match(program.stderr, /lb\.yaml:6 {2}.*none\.pem: the file does not exist\.\n/);
    t.notMatch(program.stderr, /at .*\.js/);

    const check = start(t, ['check', '-c', file]);
    t.equal(await check.end(), 1);
    t.match(check.stdout, /lb\.yaml:6 {2}.*none\.pem: the file does not exist\.\n/);
    t.match(check.stdout, /1 problem with certificates\n/);
  },
);

t.test('lb check reports hosts that no certificate covers, and what is odd about certificates', async (t) => {
  const hosts = 'hosts:\n  - { host: [www.mango.test, api.mango.test, "*.plum.test"], respond: {} }\n';
  const { file, folder } = await folderWith(t, hosts);
  writeFileSync(
    join(folder, 'www.pem'),
    stranger.cert + readFileSync(join(folder, 'www.pem'), 'utf8') + authority.cert,
  );
  const check = start(t, ['check', '-c', file]);
  t.equal(await check.end(), 0);
  t.match(check.stdout, /warning: .*lb\.yaml {2}no certificate covers api\.mango\.test, \*\.plum\.test\. /);
  t.match(check.stdout, /warning: .*lb\.yaml:5 {2}.*www\.pem: CN=Stranger: not part of the chain/);
  const json = start(t, ['check', '-c', file, '--json']);
  t.equal(await json.end(), 0);
  t.match(JSON.parse(json.stdout), {
    ok: true,
    certificates: [
      { severity: 'warning', line: 5 },
      { severity: 'warning', message: /no certificate covers/ },
    ],
  });
});

t.test('lb check and the start warn of a private key that every user may read', async (t) => {
  const { file, folder } = await folderWith(t);
  chmodSync(join(folder, 'www.key'), 0o644);
  const check = start(t, ['check', '-c', file]);
  t.equal(await check.end(), 0);
  const warning = /www\.key: every user of this machine may read the private key in it/;
  t.match(check.stdout, warning);
  t.match(check.stdout, /chmod o= \S+www\.key/);
  const program = start(t, ['-c', file]);
  await program.onStderr(warning);
  await program.onStderr(PORT);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test('lb check finds what would keep certificates from being ordered', async (t) => {
  const folder = t.testdir({
    taken: 'a file',
    'lb.yaml': [
      'listen: [80, { address: 443, tls: true }]',
      'tls: { acme: { hosts: [www.mango.test], store: taken/acme, ca: taken } }',
      'respond: {}',
    ].join('\n'),
  });
  const program = start(t, ['check', '-c', join(folder, 'lb.yaml')]);
  t.equal(await program.end(), 1);
  t.match(program.stdout, /taken\/acme: \S+\/taken is not a folder/);
  t.match(program.stdout, /taken: no certificate: it has none in PEM/);
});

t.test('lb certs lists the certificates of the file, and those of a balancer that runs', async (t) => {
  const { file, folder, serial } = await folderWith(
    t,
    'admin: { listen: 127.0.0.1:0, tls: true, token: a-secret-token-of-the-test }\n',
  );
  const listed = start(t, ['certs', '-c', file], { cwd: folder });
  t.equal(await listed.end(), 0);
  t.match(listed.stdout, /^NAMES +EXPIRES +IN +KEY +ISSUER +FROM\n/);
  t.match(listed.stdout, /www\.mango\.test +\d{4}-\d\d-\d\d .* EC P-256 +CN=Root +www\.pem\n1 certificate\n/);
  const json = start(t, ['certs', '-c', file, '--json']);
  t.equal(await json.end(), 0);
  t.match(JSON.parse(json.stdout), {
    certificates: [{ name: 'www.mango.test', serial: serial.toUpperCase(), source: 'file' }],
    findings: [],
  });

  const program = start(t, ['-c', file]);
  const admin = await program.onStderr(/watch +https:\/\/localhost:(\d+)\//);
  const env = { LB_ADMIN_TOKEN: 'a-secret-token-of-the-test', NODE_EXTRA_CA_CERTS: join(folder, 'root.pem') };
  writeFileSync(env.NODE_EXTRA_CA_CERTS, authority.cert);
  const ask = (args: string[], more: NodeJS.ProcessEnv = {}): ReturnType<typeof start> =>
    start(t, [...args, '--admin', `https://127.0.0.1:${admin}`], { env: { ...env, ...more } });
  const remote = ask(['certs', '-c', file]);
  t.equal(await remote.end(), 0, remote.stderr);
  t.match(remote.stdout, /www\.mango\.test/);
  const status = ask(['status', '-c', file, '--json']);
  t.equal(await status.end(), 0, status.stderr);
  t.match(JSON.parse(status.stdout), { certificates: [{ name: 'www.mango.test' }] });
  const reload = ask(['reload', '-c', file]);
  t.equal(await reload.end(), 0, reload.stderr);

  const unknown = ask(['status'], { NODE_EXTRA_CA_CERTS: '' });
  t.equal(await unknown.end(), 1);
  t.match(unknown.stderr, /the certificate of 127\.0\.0\.1:\d+ is not trusted/);
  const plain = start(t, ['status', '--admin', `127.0.0.1:${admin}`]);
  t.equal(await plain.end(), 1);
  t.match(plain.stderr, /this port speaks HTTPS.*Write https:\/\//);
  const health = ask(['healthcheck']);
  t.equal(await health.end(), 0, health.stderr);

  const next = await authority.issue({ names: ['www.mango.test'] });
  writeCertificate(folder, 'www', next);
  program.child.kill('SIGHUP');
  await program.onStderr(/reloaded .*lb\.yaml[\s\S]*reloaded .*lb\.yaml/);
  t.equal(await shown(admin), next.serial, 'the admin listener shows the new one too');
  t.notMatch(program.stderr, /takes effect at the next start/);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test(
  'lb --tls serves HTTPS with a certificate of a local authority, and says how to trust it',
  async (t) => {
    const data = t.testdir();
    const env = { XDG_DATA_HOME: data };
    const program = start(t, ['0', '--tls', '--admin', 'off'], { env });
    const port = await program.onStderr(PORT);
    const ca = join(data, 'lb', 'ca.pem');
    t.ok(program.stderr.includes(`curl --cacert ${ca} https://localhost:${port}/`), program.stderr);
    t.match(program.stderr, /trust +\S+\/lb\/ca\.pem {2}once/);
    const verified = { ca: readFileSync(ca), rejectUnauthorized: true, servername: 'localhost' };
    const first = await shown(port, verified);
    t.ok(first);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
    const again = start(t, ['0', '--tls', '--admin', 'off'], { env });
    t.not(
      await shown(await again.onStderr(PORT), verified),
      first,
      'the same authority, another certificate',
    );
    again.child.kill('SIGTERM');
    await again.end();
    t.notOk(existsSync(join(data, 'lb', 'ca.srl')));
  },
);

t.test('--tls encrypts the listeners of a file that have no terms of their own', async (t) => {
  const folder = t.testdir({
    'lb.yaml':
      'listen: 127.0.0.1:0\nhosts: [{ host: www.mango.test, respond: { body: mango } }]\nrespond: {}\n',
  });
  const program = start(t, ['-c', join(folder, 'lb.yaml'), '--tls'], { env: { XDG_DATA_HOME: folder } });
  const port = await program.onStderr(PORT);
  const ca = readFileSync(join(folder, 'lb', 'ca.pem'));
  t.ok(await shown(port, { ca, rejectUnauthorized: true, servername: 'www.mango.test' }));
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test('a local authority that cannot be kept is reported in a line', async (t) => {
  const folder = t.testdir({ lb: 'a file' });
  const program = start(t, ['0', '--tls'], { env: { XDG_DATA_HOME: folder } });
  t.equal(await program.end(), 1);
  t.match(
    program.stderr,
    /^lb: the local certificate authority in .*\/lb: .*XDG_DATA_HOME names another place\n$/m,
  );
});
