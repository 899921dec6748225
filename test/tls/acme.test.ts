import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startRig, want } from './acme-rig.js';
import { Pebble, scratch, skipWithoutPebble } from './pebble.js';

// Each test starts an authority, and threads that take a second on a busy machine.
t.setTimeout(120_000);

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
const needsPebble = { skip: skipWithoutPebble };

/** The folder of the only authority in a store. */
function folderOf(store: string): string {
  return join(store, readdirSync(store)[0] as string);
}

/** Long enough for several ticks, in which something would happen that must not. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

function serialOf(cert: string | undefined): string {
  return new X509Certificate(cert ?? '').serialNumber;
}

t.test(
  'a certificate is ordered by http-01, though half of all nonces are refused',
  needsPebble,
  async (t) => {
    const rig = await startRig(t);
    const env = { PEBBLE_WFE_NONCEREJECT: '50' };
    const { directory, ca } = await Pebble.start(t, { httpPort: rig.httpPort, env });
    const store = join(scratch(t), 'store');
    mkdirSync(store, { mode: 0o755 });
    const { manager, told } = rig.manager({ directory, ca, store, email: 'ops@example.com' });
    await want(manager, [['www.example.com']]);
    const first = manager.certificateFor('www.example.com');
    t.equal(first?.isSelfSigned, true, 'a self-signed one is served meanwhile');
    t.ok(new X509Certificate(first?.cert ?? '').checkHost('www.example.com'));
    t.match(told.warnings, [
      /no certificate yet for www\.example\.com: self-signed ones are served until 127/,
    ]);
    const { hosts, notAfter } = await told.next('certificate_ordered');
    t.same(hosts, ['www.example.com']);
    const issued = manager.certificateFor('www.example.com');
    t.equal(issued?.isSelfSigned, false);
    t.equal(issued?.notAfter, notAfter);
    const x509 = new X509Certificate(issued?.cert ?? '');
    t.match(x509.issuer, /Pebble/);
    t.equal(x509.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    t.equal((issued?.cert.match(/BEGIN CERTIFICATE/g) ?? []).length, 2, 'with its chain');
    t.ok(rig.challenges.isEmpty, 'no challenge is left');
    t.equal(told.count('certificate_failed'), 0);
    const folder = folderOf(store);
    t.equal(statSync(store).mode & 0o777, 0o700, 'only its owner may read what is kept');
    t.equal(statSync(folder).mode & 0o777, 0o700);
    const files = readdirSync(folder).filter((file) => file !== 'lock');
    t.same(files.sort(), ['account.json', 'www.example.com.pem']);
    for (const file of files) t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  },
);

t.test('a certificate is ordered by tls-alpn-01, the validation being slow', needsPebble, async (t) => {
  const rig = await startRig(t);
  const env = { PEBBLE_VA_NOSLEEP: '0', PEBBLE_VA_SLEEPTIME: '2', PEBBLE_WFE_NONCEREJECT: '50' };
  const { directory, ca } = await Pebble.start(t, { tlsPort: rig.tlsPort, env });
  const { manager, told, changed } = rig.manager({
    directory,
    ca,
    store: scratch(t),
    challenge: 'tls-alpn-01',
  });
  await want(manager, [['www.example.com']]);
  await told.next('certificate_ordered');
  t.match(new X509Certificate(manager.certificateFor('www.example.com')?.cert ?? '').issuer, /Pebble/);
  t.same([...new Set(changed)], ['www.example.com']);
  t.equal(rig.challenges.certificateFor('www.example.com'), null, 'no challenge is left');
});

t.test('a group of names shares a certificate', needsPebble, async (t) => {
  const rig = await startRig(t);
  const { directory, ca } = await Pebble.start(t, { httpPort: rig.httpPort });
  const { manager, told } = rig.manager({ directory, ca, store: scratch(t) });
  await want(manager, [['example.com', 'www.example.com'], ['api.example.com']]);
  await told.next('certificate_ordered', 2);
  const one = manager.certificateFor('example.com');
  t.same([...(one?.hosts ?? [])].sort(), ['example.com', 'www.example.com']);
  t.equal(manager.certificateFor('www.example.com'), one);
  t.same(manager.certificateFor('api.example.com')?.hosts, ['api.example.com']);
  t.equal(manager.certificateFor('other.example.com'), null);
});

t.test('a certificate is renewed at two thirds of its lifetime, and not before', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort, lifetime: 90 * 86_400 });
  const { directory, ca } = pebble;
  const { manager, told, clock } = rig.manager({ directory, ca, store: scratch(t) });
  await want(manager, [['www.example.com']]);
  await told.next('certificate_ordered');
  const before = serialOf(manager.certificateFor('www.example.com')?.cert);
  const [status] = manager.statuses;
  t.equal(status?.state, 'valid');
  const days = ((status?.nextOrderAt ?? 0) - Date.now()) / DAY;
  t.ok(days > 55 && days <= 60, `it is renewed in ${days} days`);
  clock.jump(55 * DAY);
  await t.resolves(moment(), 'some ticks pass');
  t.equal(pebble.count('order-plz'), 1, 'not yet');
  clock.jump(5 * DAY + HOUR);
  await told.next('certificate_ordered', 2);
  t.not(serialOf(manager.certificateFor('www.example.com')?.cert), before);
  t.equal(pebble.count('sign-me-up'), 1, 'with the same account');
});

t.test('after a restart nothing is ordered, and the account is the same', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort });
  const { directory, ca } = pebble;
  const store = scratch(t);
  const first = rig.manager({ directory, ca, store });
  await want(first.manager, [['www.example.com']]);
  await first.told.next('certificate_ordered');
  first.manager.stop();
  const second = rig.manager({ directory, ca, store });
  await want(second.manager, [['www.example.com']]);
  const kept = second.manager.certificateFor('www.example.com');
  t.equal(kept?.isSelfSigned, false);
  t.equal(serialOf(kept?.cert), serialOf(first.manager.certificateFor('www.example.com')?.cert));
  t.same(second.told.warnings, []);
  second.clock.jump(1000);
  await want(second.manager, [['www.example.com'], ['api.example.com']]);
  await second.told.next('certificate_ordered');
  t.equal(pebble.count('sign-me-up'), 1);
  t.equal(pebble.count('order-plz'), 2);
});

t.test(
  'an account that the authority has forgotten is registered again with its key',
  needsPebble,
  async (t) => {
    const rig = await startRig(t);
    const pebble = await Pebble.start(t, { httpPort: rig.httpPort });
    const { directory, ca } = pebble;
    const store = scratch(t);
    const { manager, told } = rig.manager({ directory, ca, store });
    await want(manager, [['www.example.com']]);
    await told.next('certificate_ordered');
    const account = (): { key: string } =>
      JSON.parse(readFileSync(join(folderOf(store), 'account.json'), 'utf8')) as { key: string };
    const { key } = account();
    await pebble.stop();
    await pebble.start();
    await want(manager, [['www.example.com'], ['api.example.com']]);
    await told.next('certificate_ordered', 2);
    t.equal(account().key, key);
    t.equal(told.count('certificate_failed'), 0);
  },
);

t.test('names that are added are ordered, those that are removed are not renewed', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort, lifetime: 86_400 });
  const { directory, ca } = pebble;
  const { manager, told, clock } = rig.manager({ directory, ca, store: scratch(t) });
  await want(manager, [['a.example.com'], ['b.example.com']]);
  await told.next('certificate_ordered', 2);
  await want(manager, [['b.example.com'], ['c.example.com']]);
  await told.next('certificate_ordered', 3);
  t.equal(manager.certificateFor('a.example.com'), null);
  t.equal(manager.certificateFor('b.example.com')?.isSelfSigned, false);
  clock.jump(DAY);
  await told.next('certificate_ordered', 5);
  const ordered = told.events.flatMap((event) => (event.what === 'certificate_ordered' ? [event.host] : []));
  t.same(ordered.slice(3).sort(), ['b.example.com', 'c.example.com']);
});
