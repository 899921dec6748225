import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { atOnce } from '../../lib/base/slices.js';
import type { AcmeCertificate } from '../../lib/tls/acme-source.js';
import { CertificateStore } from '../../lib/tls/certificate-store.js';
import { TICKET_KEY_LIFE, TicketKeyRotation, TicketKeys } from '../../lib/tls/ticket-keys.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { ManualClock } from '../support/manual-clock.js';
import { Store, serve, shake, tlsConfig } from './support.js';

const authority = await TestAuthority.create('Root');
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

interface IssuedEntry {
  readonly cert: string;
  readonly key: string;
}

/** Writes certificates and returns what `certificates` names them with. */
function write(folder: string, ...issued: IssuedCertificate[]): IssuedEntry[] {
  return issued.map((one, at) => writeCertificate(folder, `c${at}`, one));
}

t.test('an exact name comes before a wildcard, and an unknown name gets the first certificate', async (t) => {
  const first = await authority.issue({ names: ['first.test'] });
  const wildcard = await authority.issue({ names: ['*.example.com', 'example.com'] });
  const exact = await authority.issue({ names: ['WWW.example.com'] });
  const store = new Store(t, { certificates: write(t.testdir(), first, wildcard, exact) });
  const port = await serve(t, store.terms);
  const shown = async (servername?: string): Promise<string> =>
    (await shake(port, servername === undefined ? {} : { servername })).serial.toLowerCase();
  t.equal(await shown('www.example.com'), exact.serial);
  t.equal(await shown('api.example.com'), wildcard.serial);
  t.equal(await shown('example.com'), wildcard.serial);
  t.equal(await shown('a.b.example.com'), first.serial, 'a star stands for one label');
  t.equal(await shown('other.test'), first.serial);
  t.equal(await shown(), first.serial);
  for (const name of ['', '.', '.example.com', 'localhost', 'constructor', '__proto__', '*.example.com'])
    t.doesNotThrow(() => store.terms.choose(name, []), name);
  t.equal(store.terms.choose('.example.com', []), store.terms.choose('first.test', []));
});

t.test('with strict_sni an unknown name is refused, and so is none', async (t) => {
  const [entry] = write(t.testdir(), await authority.issue({ names: ['a.test'] }));
  const { terms } = new Store(t, { certificates: [entry as { cert: string }], strict_sni: true });
  t.not(terms.choose('a.test', []), null);
  t.equal(terms.choose('b.test', []), null);
  t.equal(terms.choose(null, []), null);
  const port = await serve(t, terms);
  t.match(await shake(port, { servername: 'b.test' }), { error: /.+/ });
});

t.test('of two certificates for a name the client gets the kind of key that it can verify', async (t) => {
  const rsa = await authority.issue({ names: ['a.test'], key: 'rsa' });
  const ec = await authority.issue({ names: ['a.test'] });
  const third = await authority.issue({ names: ['a.test'] });
  for (const order of [
    [rsa, ec],
    [ec, rsa],
  ]) {
    const store = new Store(t, { certificates: write(t.testdir(), ...order, third) });
    const port = await serve(t, store.terms);
    for (const servername of ['a.test', undefined]) {
      const name = servername === undefined ? {} : { servername };
      for (const [sigalgs, issued] of [
        ['rsa_pss_rsae_sha256:RSA+SHA256', rsa],
        ['ecdsa_secp256r1_sha256', ec],
      ] as const)
        for (const version of VERSIONS)
          t.match(
            await shake(port, {
              ...name,
              sigalgs,
              minVersion: version,
              maxVersion: version,
              ca: authority.cert,
            }),
            { error: '', serial: issued.serial.toUpperCase() },
            `${version} ${sigalgs}`,
          );
    }
  }
});

t.test('versions and ciphers are those of the settings', async (t) => {
  const folder = t.testdir();
  const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
  const port = await serve(t, new Store(t, { certificates }).terms);
  const tried = async (on: number, options: object): Promise<string> => {
    const { error, cipher } = await shake(on, options);
    return error === '' ? cipher : 'refused';
  };
  const tls12 = { maxVersion: 'TLSv1.2' };
  t.equal(await tried(port, {}), 'TLS_AES_128_GCM_SHA256');
  t.equal(await tried(port, tls12), 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
  t.equal(
    await tried(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    'refused',
  );
  for (const weak of ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'AES128-GCM-SHA256'])
    t.equal(await tried(port, { ...tls12, ciphers: weak }), 'refused', weak);

  const modern = await serve(t, new Store(t, { certificates, min_version: 'TLSv1.3' }).terms);
  t.equal(await tried(modern, {}), 'TLS_AES_128_GCM_SHA256');
  t.equal(await tried(modern, tls12), 'refused');

  const one = 'ECDHE-ECDSA-AES256-GCM-SHA384';
  const chosen = await serve(t, new Store(t, { certificates, ciphers: one }).terms);
  t.equal(await tried(chosen, tls12), 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
  t.equal(await tried(chosen, { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), 'refused');
  t.equal(await tried(chosen, {}), 'TLS_AES_128_GCM_SHA256', 'a list without suites of TLS 1.3 keeps them');

  const both = await serve(t, new Store(t, { certificates, ciphers: `TLS_AES_256_GCM_SHA384:${one}` }).terms);
  t.equal(await tried(both, {}), 'TLS_AES_256_GCM_SHA384');
  t.equal(await tried(both, tls12), 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
});

for (const version of VERSIONS) {
  const options = { minVersion: version, maxVersion: version, servername: 'a.test' };

  t.test(`a session of ${version} is resumed, also after the next two keys of tickets`, async (t) => {
    const store = new Store(t, {
      certificates: write(t.testdir(), await authority.issue({ names: ['a.test'] })),
    });
    const port = await serve(t, store.terms);
    const first = await shake(port, options);
    t.match(first, { error: '', resumed: false });
    const again = async (): Promise<boolean> =>
      (await shake(port, { ...options, session: first.session as Buffer })).resumed;
    t.equal(await again(), true);
    store.clock.advance(TICKET_KEY_LIFE);
    t.equal(await again(), true);
    store.clock.advance(TICKET_KEY_LIFE);
    t.equal(await again(), true);
    store.clock.advance(TICKET_KEY_LIFE);
    t.equal(await again(), false, 'the key is gone');
  });

  t.test(`a session of ${version} is resumed on another listener and after a reload`, async (t) => {
    const folder = t.testdir();
    const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
    const store = new Store(t, { certificates });
    const other = tlsConfig({ certificates });
    store.store.install(atOnce(store.store.prepare([store.config, other])));
    const port = await serve(t, store.terms);
    const otherPort = await serve(t, store.store.termsOf(other));
    const { session } = await shake(port, options);
    t.match(await shake(otherPort, { ...options, session: session as Buffer }), { error: '', resumed: true });
    write(folder, await authority.issue({ names: ['a.test'] }));
    store.load();
    t.match(await shake(port, { ...options, session: session as Buffer }), { error: '', resumed: true });
  });

  t.test(
    `a ticket of ${version} from where no certificate is asked for opens nothing that requires one`,
    async (t) => {
      const folder = t.testdir({ 'ca.pem': authority.cert });
      const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
      const clients = { ca: join(folder, 'ca.pem') };
      const open = new Store(t, { certificates });
      const configs = (['require', 'request'] as const).map((mode) =>
        tlsConfig({ certificates, client_auth: { ...clients, mode } }),
      );
      open.store.install(atOnce(open.store.prepare([open.config, ...configs])));
      const ports = [];
      for (const config of [open.config, ...configs]) ports.push(await serve(t, open.store.termsOf(config)));
      const [plain, required, requested] = ports as [number, number, number];
      const { session } = await shake(plain, options);
      t.match(await shake(required, options), { error: /.+/ }, 'without a certificate');
      t.match(await shake(required, { ...options, session: session as Buffer }), { error: /.+/ });
      const asked = await shake(requested, options);
      t.equal(asked.error, '');
      t.match(await shake(required, { ...options, session: asked.session as Buffer }), { error: /.+/ });
      t.match(await shake(requested, { ...options, session: session as Buffer }), {
        error: '',
        resumed: false,
      });
      const client = await authority.issue({ names: [], commonName: 'alice' });
      const known = { ...options, cert: client.cert, key: client.key };
      const good = await shake(required, known);
      t.equal(good.error, '');
      t.match(await shake(required, { ...known, session: good.session as Buffer }), {
        error: '',
        resumed: true,
      });
    },
  );

  t.test(`a session of ${version} of a client that is revoked meanwhile is not resumed`, async (t) => {
    const folder = t.testdir({ 'ca.pem': authority.cert });
    const crl = join(folder, 'crl.pem');
    writeFileSync(crl, await authority.revoke());
    const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
    const store = new Store(t, { certificates, client_auth: { ca: join(folder, 'ca.pem'), crl } });
    const port = await serve(t, store.terms);
    const { cert, key, serial } = await authority.issue({ names: [], commonName: 'alice' });
    const other = await authority.issue({ names: [], commonName: 'bob' });
    const first = await shake(port, { ...options, cert, key });
    t.equal(first.error, '');
    writeFileSync(crl, await authority.revoke(serial));
    store.load();
    t.match(await shake(port, { ...options, cert, key, session: first.session as Buffer }), { error: /.+/ });
    t.match(await shake(port, { ...options, cert: other.cert, key: other.key }), { error: '' });
  });

  t.test(
    `a ticket of ${version} of one certificate opens no other that asks clients for something else`,
    async (t) => {
      const folder = t.testdir({ 'ca.pem': authority.cert });
      const [open, closed] = write(
        folder,
        await authority.issue({ names: ['a.test'] }),
        await authority.issue({ names: ['b.test'] }),
      ) as [IssuedEntry, IssuedEntry];
      const store = new Store(t, {
        certificates: [open, { ...closed, client_auth: { ca: join(folder, 'ca.pem') } }],
      });
      t.match(store.terms.choose('a.test', []), { clientAuth: 'none', policy: 'none' });
      t.match(store.terms.choose('b.test', []), { clientAuth: 'require', policy: /^[0-9a-f]{32}$/ });
      const first = await shake(await serve(t, store.terms, 'a.test'), options);
      t.equal(first.error, '');
      const session = first.session as Buffer;
      const port = await serve(t, store.terms, 'b.test');
      t.match(await shake(port, { ...options, servername: 'b.test', session }), {
        error: /.+/,
        resumed: false,
      });
    },
  );
}

t.test(
  'without the callback of Node a new key of tickets ends the sessions from before, and works',
  async (t) => {
    const clock = new ManualClock();
    const rotation = new TicketKeyRotation(clock, (all) => keys.replace(all));
    t.teardown(() => rotation.stop());
    const keys = new TicketKeys(rotation.keys, false);
    const { createSecureContext } = await import('node:tls');
    const { cert, key } = await authority.issue({ names: ['a.test'] });
    const context = createSecureContext({ cert, key });
    keys.attach(context);
    const choice = { context, clientAuth: 'none', policy: 'none', ocsp: null, onlyProtocol: null } as const;
    const port = await serve(t, { choose: () => choice, protocols: ['http/1.1'], policyOf: null });
    const first = await shake(port, { servername: 'a.test' });
    const again = async (session: Buffer | undefined): Promise<boolean> =>
      (await shake(port, { servername: 'a.test', session: session as Buffer })).resumed;
    t.equal(await again(first.session), true);
    clock.advance(TICKET_KEY_LIFE);
    t.equal(await again(first.session), false);
    t.equal(await again((await shake(port, { servername: 'a.test' })).session), true);
  },
);

t.test('a file of authorities or revoked certificates that is bad keeps what was asked before', async (t) => {
  const folder = t.testdir({ 'ca.pem': authority.cert });
  const ca = join(folder, 'ca.pem');
  const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
  const store = new Store(t, { certificates, client_auth: { ca } });
  const { policy } = store.terms.choose('a.test', []) ?? {};
  for (const text of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    writeFileSync(ca, text);
    for (const lenient of [false, true]) {
      store.load(lenient);
      t.match(store.found, [/^error: /]);
      t.match(store.terms.choose('a.test', []), { clientAuth: 'require', policy });
    }
  }
  const other = tlsConfig({ certificates, client_auth: { ca, mode: 'request' } });
  for (const lenient of [false, true])
    t.throws(() => atOnce(store.store.prepare([other], lenient)), 'nobody is let in unasked');
});

t.test('certificates of ACME are shown, and its challenges to those who ask for nothing else', async (t) => {
  const store = new CertificateStore({ clock: new ManualClock(Date.now()) });
  t.teardown(() => store.stop());
  const config = tlsConfig({ acme: { hosts: ['a.test', 'b.test'], store: '/none' } });
  store.install(atOnce(store.prepare([config])));
  const terms = store.termsOf(config);
  t.equal(terms.choose('a.test', []), null, 'there is none yet');
  const certificates = new Map<string, AcmeCertificate>();
  const challenges = new Map<string, IssuedCertificate>();
  const changed = store.useAcme({
    certificateFor: (host) => certificates.get(host) ?? null,
    challengeFor: (host) => challenges.get(host) ?? null,
  });
  const issue = async (host: string): Promise<void> => {
    const issued = await authority.issue({ names: [host] });
    const dates = { notBefore: Date.now(), notAfter: Date.now() + 1000 };
    certificates.set(host, { ...issued, ...dates, hosts: [host], isSelfSigned: false });
    await changed([host]);
  };
  const serials = (): string[] => store.held.map(({ pair }) => pair.leaf.facts.serial.toLowerCase());
  await issue('a.test');
  t.match(terms.choose('a.test', []), { clientAuth: 'none', onlyProtocol: null });
  t.equal(terms.choose('b.test', []), terms.choose('a.test', []), 'the first is shown for others');
  t.match(store.held, [{ source: 'acme' }]);
  await issue('b.test');
  t.not(terms.choose('b.test', []), terms.choose('a.test', []));
  const before = serials();
  await issue('a.test');
  t.not(serials()[0], before[0]);
  t.equal(serials()[1], before[1]);

  challenges.set('b.test', await authority.issue({ names: ['b.test'] }));
  await changed(['b.test']);
  t.match(terms.choose('b.test', ['acme-tls/1']), { onlyProtocol: 'acme-tls/1', clientAuth: 'none' });
  t.match(terms.choose('b.test', ['http/1.1']), { onlyProtocol: null });
  t.match(terms.choose('b.test', ['acme-tls/1', 'http/1.1']), { onlyProtocol: null });
  t.match(terms.choose('a.test', ['acme-tls/1']), { onlyProtocol: null });
  challenges.clear();
  await changed(['b.test']);
  t.match(terms.choose('b.test', ['acme-tls/1']), { onlyProtocol: null });
});

t.test('many changes of ACME at once, and a reload between, end with the last of each', async (t) => {
  const store = new CertificateStore({ clock: new ManualClock(Date.now()) });
  t.teardown(() => store.stop());
  const hosts = ['a.test', 'b.test', 'c.test'];
  const settings = { acme: { hosts, store: '/none' } };
  const [first, second] = [tlsConfig(settings), tlsConfig(settings)];
  store.install(atOnce(store.prepare([first])));
  const certificates = new Map<string, AcmeCertificate & IssuedCertificate>();
  const changed = store.useAcme({
    certificateFor: (host) => certificates.get(host) ?? null,
    challengeFor: () => null,
  });
  const told: Promise<void>[] = [];
  const prepared = store.prepare([second]);
  prepared.next();
  for (let round = 0; round < 3; round++)
    for (const host of hosts) {
      const issued = await authority.issue({ names: [host] });
      certificates.set(host, { ...issued, notBefore: 0, notAfter: 1, hosts: [host], isSelfSigned: false });
      told.push(Promise.resolve(changed([host])));
    }
  store.install(atOnce(prepared));
  await Promise.all(told);
  await changed([]);
  t.same(
    store.held.map(({ pair }) => pair.leaf.facts.serial.toLowerCase()),
    hosts.map((host) => certificates.get(host)?.serial),
  );
  t.same(store.configs, [second]);
});

t.test('many certificates are loaded in steps, and a choice costs what it does with one', async (t) => {
  const folder = t.testdir();
  const COUNT = 200;
  const made: Promise<IssuedCertificate>[] = [];
  for (let at = 0; at < COUNT; at++) made.push(authority.issue({ names: [`h${at}.test`, `*.h${at}.test`] }));
  for (const [at, issued] of (await Promise.all(made)).entries()) writeCertificate(folder, `h${at}`, issued);
  const store = new CertificateStore({ clock: new ManualClock(Date.now()) });
  t.teardown(() => store.stop());
  const config = tlsConfig({ certificates: [folder] });
  const load = (): { took: number; count: number } => {
    const begun = processorTime();
    const steps = store.prepare([config]);
    let count = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) count++;
    store.install(step.value);
    return { took: processorTime() - begun, count };
  };
  const first = load();
  const second = load();
  t.comment(`${COUNT} certificates: ${Math.round(first.took)} ms of CPU in ${first.count} steps`);
  t.comment(`again, with nothing changed: ${Math.round(second.took)} ms`);
  t.equal(store.held.length, COUNT);
  t.ok(first.took < 5 * COUNT, `${first.took} ms`);
  t.ok(first.count >= 3 * COUNT, `${first.count} steps`);
  t.ok(second.took < first.took / 2, `${second.took} ms`);
  const terms = store.termsOf(config);
  t.not(terms.choose('h199.test', []), terms.choose('h1.test', []));
  terms.choose('h1.test', []);
  const begun = processorTime();
  for (let i = 0; i < 100_000; i++) terms.choose('www.h199.test', []);
  t.ok((processorTime() - begun) / 100_000 < 0.01, 'in ms');
});

t.test(
  'the policy of a host depends on its name only where names are asked for different certificates',
  async (t) => {
    const folder = t.testdir({ 'ca.pem': authority.cert });
    const issued = await Promise.all([
      authority.issue({ names: ['a.test'] }),
      authority.issue({ names: ['*.b.test'] }),
    ]);
    const [open, closed] = write(folder, ...issued) as [IssuedEntry, IssuedEntry];
    const client_auth = { ca: join(folder, 'ca.pem') };
    for (const settings of [
      { certificates: [open, closed], strict_sni: true },
      { certificates: [open, closed], strict_sni: true, client_auth },
    ]) {
      const one = new Store(t, settings).terms;
      for (const name of ['a.test', 'x.b.test', 'unknown.test', ''])
        t.equal(one.policyOf?.(name), one.choose('a.test', [])?.policy, name);
    }
    const { terms } = new Store(t, { certificates: [open, { ...closed, client_auth }] });
    const policyOf = terms.policyOf ?? t.fail('there are two policies');
    if (typeof policyOf !== 'function') return;
    t.equal(policyOf('a.test'), terms.choose('a.test', [])?.policy);
    t.equal(policyOf('x.b.test'), terms.choose('x.b.test', [])?.policy);
    t.not(policyOf('a.test'), policyOf('x.b.test'));
    t.equal(policyOf('unknown.test'), policyOf('a.test'), 'an unknown name gets the first certificate');
  },
);
