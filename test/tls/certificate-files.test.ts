import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import t, { type Test } from 'tap';
import { atOnce } from '../../lib/base/slices.js';
import { readEntry } from '../../lib/tls/certificate-files.js';
import { CertificateError } from '../../lib/tls/finding.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { Store, serve, shake } from './support.js';

const authority = await TestAuthority.create('Root');
const middle = await TestAuthority.create('Middle', authority);
const DAY_MS = 24 * 3_600_000;

/** The findings of files that cannot be used: `line file: message`. */
function refused(t: Test, settings: ConstructorParameters<typeof Store>[1]): string[] {
  try {
    new Store(t, settings);
  } catch (error) {
    if (error instanceof CertificateError)
      return error.findings.map(({ file, message }) => `${file.split('/').at(-1)}: ${message}`);
    throw error;
  }
  return [];
}

function exported({ key }: IssuedCertificate, type: 'pkcs1' | 'sec1' | 'pkcs8', passphrase?: string): string {
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return createPrivateKey(key)
    .export({ type: type as 'pkcs8', format: 'pem', ...cipher })
    .toString();
}

t.test('a key is read as PKCS#8, PKCS#1 and SEC1, encrypted or not', async (t) => {
  const folder = t.testdir();
  const rsa = await authority.issue({ names: ['rsa.test'], key: 'rsa' });
  const ec = await authority.issue({ names: ['ec.test'] });
  const forms: [IssuedCertificate, 'pkcs1' | 'sec1' | 'pkcs8', string | undefined][] = [
    [rsa, 'pkcs8', undefined],
    [rsa, 'pkcs1', undefined],
    [ec, 'sec1', undefined],
    [rsa, 'pkcs8', 'secret'],
    [rsa, 'pkcs1', 'secret'],
    [ec, 'sec1', 'secret'],
  ];
  for (const [at, [issued, type, passphrase]] of forms.entries()) {
    const key = exported(issued, type, passphrase);
    const { cert, key: keyFile } = writeCertificate(folder, `form${at}`, { ...issued, key });
    const store = new Store(t, {
      certificates: [{ cert, key: keyFile, ...(passphrase === undefined ? {} : { passphrase }) }],
    });
    t.same(store.found, [], `${type} ${passphrase}`);
    const port = await serve(t, store.terms);
    t.match(await shake(port), { error: '', serial: issued.serial.toUpperCase() });
  }
});

t.test('OpenSSL writes keys of elliptic curves after their parameters, and they are read', async (t) => {
  const folder = t.testdir();
  const cert = join(folder, 'a.pem');
  const key = join(folder, 'a.key');
  execFileSync('openssl', ['ecparam', '-genkey', '-name', 'prime256v1', '-out', key]);
  execFileSync('openssl', ['req', '-x509', '-new', '-key', key, '-subj', '/CN=a.test', '-out', cert]);
  const store = new Store(t, { certificates: [{ cert, key }] });
  t.same(store.found, []);
  t.match(store.store.held[0]?.pair.leaf.facts, { names: ['a.test'], keyType: 'EC P-256' });
});

t.test(
  'one file may have chain and key, in any order, with text between and line ends of Windows',
  async (t) => {
    const { cert, key, serial } = await middle.issue({ names: ['a.test'] });
    const text = `\uFEFFBag Attributes\n${key}\nsubject=CN = a.test\n${cert}\n${middle.cert}`.replaceAll(
      '\n',
      '\r\n',
    );
    const file = join(t.testdir(), 'a.pem');
    writeFileSync(file, text, { mode: 0o600 });
    const store = new Store(t, { certificates: [file] });
    t.same(store.found, []);
    t.match(
      await shake(await serve(t, store.terms), {
        ca: authority.cert,
        rejectUnauthorized: true,
        servername: 'a.test',
      }),
      {
        error: '',
        serial: serial.toUpperCase(),
      },
    );
  },
);

t.test('a folder is read: each file *.pem with a certificate, its key inside or beside', async (t) => {
  const folder = t.testdir();
  const one = await authority.issue({ names: ['one.test'] });
  const two = await authority.issue({ names: ['two.test'] });
  writeFileSync(join(folder, 'one.pem'), one.cert + one.key, { mode: 0o600 });
  writeCertificate(folder, 'two', two);
  writeFileSync(
    join(folder, 'dhparam.pem'),
    '-----BEGIN DH PARAMETERS-----\nMAo=\n-----END DH PARAMETERS-----\n',
  );
  writeFileSync(join(folder, 'notes.txt'), 'no certificate');
  writeFileSync(join(folder, '.hidden.pem'), 'no certificate');
  mkdirSync(join(folder, 'sub.pem'));
  const store = new Store(t, { certificates: [folder] });
  t.same(store.found, []);
  const port = await serve(t, store.terms);
  for (const [servername, { serial }] of [
    ['one.test', one],
    ['two.test', two],
  ] as const)
    t.match(await shake(port, { servername }), { serial: serial.toUpperCase() });
});

t.test('what cannot be used is refused with the file and the reason', async (t) => {
  const a = await authority.issue({ names: ['a.test'] });
  const b = await authority.issue({ names: ['b.test'] });
  const folder = t.testdir({
    'a.pem': a.cert,
    'a.key': a.key,
    'b.key': b.key,
    'empty.pem': '',
    'text.pem': 'hello\n',
    'cut.pem': a.cert.slice(0, 200),
    'damaged.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'damaged.key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
    'encrypted.key': exported(a, 'pkcs8', 'secret'),
    folder: {},
  });
  writeFileSync(join(folder, 'a.der'), Buffer.from(new x509.X509Certificate(a.cert).rawData));
  const at = (name: string): string => join(folder, name);
  const say = (cert: string, key?: string, passphrase?: string): string[] =>
    refused(t, {
      certificates: [
        {
          cert: at(cert),
          ...(key === undefined ? {} : { key: at(key) }),
          ...(passphrase === undefined ? {} : { passphrase }),
        },
      ],
    });
  t.same(say('none.pem'), ['none.pem: the file does not exist']);
  t.same(say('a.pem', 'none.key'), ['none.key: the file does not exist']);
  t.same(say('a.pem'), ['a.pem: no private key: it has CERTIFICATE alone']);
  t.same(say('a.pem', 'b.key'), [
    `a.pem: the key in ${at('b.key')} does not fit the certificate (a.test, EC P-256)`,
  ]);
  t.same(say('empty.pem', 'a.key'), ['empty.pem: no certificate: it is empty']);
  t.same(say('text.pem', 'a.key'), [
    'text.pem: no certificate: it is not PEM: no line begins with -----BEGIN',
  ]);
  t.same(say('cut.pem', 'a.key'), ['cut.pem: no certificate: its PEM text is cut off or damaged']);
  t.same(say('a.der', 'a.key'), ['a.der: no certificate: it is not PEM; it looks like DER or PKCS#12']);
  t.same(say('damaged.pem', 'a.key'), ['damaged.pem: a certificate in it is damaged']);
  t.same(say('a.pem', 'damaged.key'), [
    'damaged.key: the key is damaged, or of a kind that OpenSSL does not read',
  ]);
  t.same(say('a.pem', 'encrypted.key'), ['encrypted.key: the key is encrypted, and no passphrase is set']);
  t.same(say('a.pem', 'encrypted.key', 'wrong'), [
    'encrypted.key: the key cannot be decrypted: the passphrase is wrong',
  ]);
  t.same(say('folder'), ['folder: no file *.pem in the folder has a certificate']);
});

t.test('all problems of the files are reported at once', async (t) => {
  t.same(refused(t, { certificates: ['/none/a.pem', '/none/b.pem'], client_auth: { ca: '/none/ca.pem' } }), [
    'ca.pem: the file does not exist',
    'a.pem: the file does not exist',
    'b.pem: the file does not exist',
  ]);
});

t.test('a chain that is out of order is reported, and sent in order', async (t) => {
  const leaf = await middle.issue({ names: ['a.test'] });
  const stranger = await TestAuthority.create('Stranger');
  const file = join(t.testdir(), 'a.pem');
  writeFileSync(file, authority.cert + middle.cert + leaf.cert + stranger.cert + leaf.key, { mode: 0o600 });
  const store = new Store(t, { certificates: [file] });
  t.same(store.found, [
    'warning: the chain is out of order: the file has CN=Root, then CN=Middle, then CN=a.test',
    'warning: CN=Stranger: not part of the chain of a.test',
  ]);
  t.match(store.prepared.findings[0], {
    hint: 'The order is: CN=a.test, then CN=Middle, then CN=Root. It is sent in this order.',
  });
  const port = await serve(t, store.terms);
  t.match(await shake(port, { ca: authority.cert, rejectUnauthorized: true, servername: 'a.test' }), {
    error: '',
  });
});

t.test(
  'a certificate that is expired, not yet valid, weak or without names is used, with a warning',
  async (t) => {
    const folder = t.testdir();
    const now = Date.now();
    const warn = async (name: string, issued: IssuedCertificate): Promise<string[]> => {
      const { cert, key } = writeCertificate(folder, name, issued);
      return new Store(t, { certificates: [{ cert, key }] }).found;
    };
    const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
    const expired = await authority.issue({
      names: ['a.test'],
      notBefore: now - 2 * DAY_MS,
      notAfter: now - DAY_MS,
    });
    t.same(await warn('expired', expired), [`warning: the certificate expired on ${day(now - DAY_MS)}`]);
    const early = await authority.issue({
      names: ['a.test'],
      notBefore: now + DAY_MS,
      notAfter: now + 2 * DAY_MS,
    });
    t.same(await warn('early', early), [`warning: the certificate is not valid before ${day(now + DAY_MS)}`]);
    t.same(await warn('nameless', await authority.issue({ names: [], commonName: 'some one' })), [
      'warning: the certificate names no host',
    ]);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-subj', '/CN=weak.test', '-days', '2'],
        ...['-keyout', join(folder, 'weak.key'), '-out', join(folder, 'weak.pem')],
      ],
      { stdio: 'ignore' },
    );
    const weak = { certificates: [{ cert: join(folder, 'weak.pem'), key: join(folder, 'weak.key') }] };
    // Newer versions of OpenSSL refuse it.
    const [first] = refused(t, weak);
    if (first === undefined)
      t.same(new Store(t, weak).found, [
        'warning: the certificate has an RSA key of 1024 bits, browsers want 2048',
      ]);
    else t.match(first, /too small/);
  },
);

t.test('a certificate alone whose issuer is published elsewhere is reported as incomplete', async (t) => {
  const extension = new x509.AuthorityInfoAccessExtension({ caIssuers: 'http://ca.test/ca.der' });
  const { cert, key } = writeCertificate(
    t.testdir(),
    'a',
    await middle.issue({ names: ['a.test'], extensions: [extension] }),
  );
  t.same(new Store(t, { certificates: [{ cert, key }] }).found, [
    'warning: the chain is incomplete: the certificate of its issuer, CN=Middle, is missing',
  ]);
  writeFileSync(cert, readFileSync(cert, 'utf8') + middle.cert);
  t.same(new Store(t, { certificates: [{ cert, key }] }).found, []);
});

t.test('a finding names the line of the settings', async (t) => {
  const entry = { cert: '/none/a.pem', key: null, passphrase: null, clientAuth: undefined, line: 7 };
  const read = atOnce(
    readEntry(
      entry,
      () => undefined,
      () => {},
    ),
  );
  t.match(read.pairs[0]?.findings, [{ severity: 'error', file: '/none/a.pem', line: 7 }]);
});

t.test('a bad file keeps the certificate from before, and the good one takes its place', async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['a.test'] });
  const second = await authority.issue({ names: ['a.test'] });
  const { cert, key } = writeCertificate(folder, 'a', first);
  const store = new Store(t, { certificates: [{ cert, key }] });
  const port = await serve(t, store.terms);
  const serialNow = async (): Promise<string> => (await shake(port)).serial.toLowerCase();
  t.equal(await serialNow(), first.serial);
  for (const text of ['', 'nonsense', second.cert]) {
    writeFileSync(cert, text);
    const { kept, changed } = store.load();
    t.same([kept.length, changed.length], [1, 0], 'the key of the first does not fit the second');
    t.match(store.found[0], /^error: /);
    t.equal(await serialNow(), first.serial);
  }
  rmSync(cert);
  store.load();
  t.equal(await serialNow(), first.serial);
  writeCertificate(folder, 'a', second);
  t.same(
    store.load().changed.map(({ leaf }) => leaf.facts.serial.toLowerCase()),
    [second.serial],
  );
  t.same(store.found, []);
  t.equal(await serialNow(), second.serial);
  t.same(store.load().changed, [], 'nothing has changed since');
});

t.test('certificates come and go in a folder; a bad one that is new is left out or refused', async (t) => {
  const folder = t.testdir();
  const one = await authority.issue({ names: ['one.test'] });
  const two = await authority.issue({ names: ['two.test'] });
  writeCertificate(folder, 'one', one);
  const store = new Store(t, { certificates: [folder] });
  const names = (): string[] => store.store.held.map(({ pair }) => pair.leaf.facts.names.join());
  writeCertificate(folder, 'two', two);
  store.load();
  t.same(names(), ['one.test', 'two.test']);
  t.same(
    store.store.files.map((path) => path.slice(folder.length)),
    ['', '/one.pem', '/one.key', '/two.pem', '/two.key'],
  );
  rmSync(join(folder, 'one.pem'));
  store.load();
  t.same(names(), ['two.test']);
  writeFileSync(join(folder, 'three.pem'), one.cert);
  t.throws(() => store.load(), { message: /three.pem: no private key/ });
  store.load(true);
  t.same(names(), ['two.test']);
  t.match(store.found, [/no private key/]);
  rmSync(folder, { recursive: true });
  store.load();
  t.same(names(), ['two.test'], 'a folder that is gone keeps what it had');
});

t.test('a private key that every user of the machine may read is warned of', async (t) => {
  const folder = t.testdir();
  const { cert, key } = writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }));
  const warning = 'warning: every user of this machine may read the private key in it';
  const store = new Store(t, { certificates: [{ cert, key }] });
  t.same(store.found, []);
  const found = (mode: number, folderMode = 0o755): string[] => {
    chmodSync(key, mode);
    chmodSync(folder, folderMode);
    store.load();
    return store.found;
  };
  t.same(found(0o644), [warning], 'without a change of its content');
  t.match(store.prepared.findings, [
    { file: key, hint: `Only its owner and group should: chmod o= ${key}.` },
  ]);
  t.same(found(0o640), [], 'its group may');
  t.same(found(0o604), [warning]);
  t.same(found(0o644, 0o750), [], 'nobody else gets into the folder');
  t.same(found(0o644), [warning]);
  const other = await authority.issue({ names: ['b.test'] });
  const paths = writeCertificate(folder, 'b', { ...other, key: exported(other, 'pkcs8', 'secret') });
  chmodSync(paths.key, 0o644);
  t.same(new Store(t, { certificates: [{ ...paths, passphrase: 'secret' }] }).found, [], 'encrypted');
});
