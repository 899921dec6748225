import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { createConfig } from '../../lib/config/config.js';
import { CertificateError } from '../../lib/tls/finding.js';
import { authorityFile } from '../../lib/tls/local-authority.js';
import { type Started, startBalancer } from '../support/balancer.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { nothingIsLeft } from '../support/leaks.js';
import { rest, until } from '../support/loop-ticks.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const authority = await TestAuthority.create('Root');
const HERE = { address: '127.0.0.1:0', tls: true } as const;

/** What a client got: the serial of the certificate (hex, lower case) and the body of the answer. */
interface Got {
  readonly serial: string;
  readonly body: string;
}

/** Sends a request on a connection of its own; rejects when the handshake or the request fails. */
async function get(port: number, options: tls.ConnectionOptions = {}): Promise<Got> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  try {
    await once(socket, 'secureConnect');
    const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '';
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
    await once(socket, 'end');
    return { serial, body: text.slice(text.indexOf('\r\n\r\n') + 4) };
  } finally {
    socket.destroy();
  }
}

/** All events that a balancer told of, by their kind. */
function eventsOf({ seen }: Started): BalancerEvent[] {
  const events: BalancerEvent[] = [];
  seen.listen((event) => events.push(event));
  return events;
}

async function started(
  t: Test,
  settings: NonNullable<Parameters<typeof createConfig>[0]>,
  options: { manual?: boolean } = {},
): Promise<Started> {
  return startBalancer(t, { listen: [HERE], respond: { body: 'here' }, ...settings }, options);
}

t.test('a listener shows the certificate of its file, by the name that is asked for', async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['first.test'] });
  const other = await authority.issue({ names: ['*.other.test'] });
  writeCertificate(folder, 'a', first);
  writeCertificate(folder, 'b', other);
  const { port, balancer } = await started(t, { tls: { certificates: [folder] } });
  const ca = { ca: authority.cert, rejectUnauthorized: true };
  t.same(await get(port, { ...ca, servername: 'first.test' }), { serial: first.serial, body: 'here' });
  t.same(await get(port, { ...ca, servername: 'www.other.test' }), { serial: other.serial, body: 'here' });
  t.match(await get(port, {}), { serial: first.serial });
  t.match(balancer.certificates(), [
    { name: 'first.test', source: 'file', file: join(folder, 'a.pem'), issuer: 'CN=Root', state: 'expiring' },
    { name: '*.other.test', serial: other.serial.toUpperCase(), problems: [] },
  ]);
});

t.test('with a bad certificate the balancer does not start, and leaves nothing open', async (t) => {
  const folder = t.testdir();
  writeFileSync(join(folder, 'a.pem'), 'nonsense');
  await t.rejects(started(t, { tls: { certificates: [join(folder, 'a.pem')] } }), CertificateError);
});

t.test('100 reloads of a certificate fail no handshake of clients that connect meanwhile', async (t) => {
  const folder = t.testdir();
  const issued: IssuedCertificate[] = [];
  for (let at = 0; at < 5; at++) issued.push(await authority.issue({ names: ['a.test'] }));
  const paths = writeCertificate(folder, 'a', issued[0] as IssuedCertificate);
  const { port, balancer } = await started(t, { tls: { certificates: [paths] } });
  let isOver = false;
  let handshakes = 0;
  const failures: string[] = [];
  const client = async (version: 'TLSv1.2' | 'TLSv1.3'): Promise<void> => {
    while (!isOver) {
      try {
        const { body } = await get(port, { minVersion: version, maxVersion: version, servername: 'a.test' });
        if (body !== 'here') failures.push(`body ${JSON.stringify(body)}`);
        handshakes++;
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const clients = Array.from({ length: 4 }, (_, at) => client(at % 2 === 0 ? 'TLSv1.2' : 'TLSv1.3'));
  for (let at = 1; at <= 100; at++) {
    const one = issued[at % issued.length] as IssuedCertificate;
    writeCertificate(folder, 'a', one);
    t.match(await balancer.reloadCertificates(), { changed: [/^a\.test/], refused: [] });
    const { serial } = await get(port);
    if (serial !== one.serial) failures.push(`${serial} is shown and not ${one.serial}`);
  }
  isOver = true;
  await Promise.all(clients);
  t.comment(`${handshakes} handshakes`);
  t.same(failures, []);
  t.ok(handshakes > 100);
});

t.test('a handshake that began before a reload goes on with the certificate it has', async (t) => {
  const folder = t.testdir();
  const paths = writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }));
  const { port, balancer } = await started(t, { tls: { certificates: [paths] } });
  const before = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  t.teardown(() => before.destroy());
  await once(before, 'secureConnect');
  writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }));
  await balancer.reloadCertificates();
  before.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [data] = await once(before, 'data');
  t.match(String(data), /^HTTP\/1\.1 200/);
});

t.test('a bad file keeps the old certificate, with an event and in the status', async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['a.test'] });
  const paths = writeCertificate(folder, 'a', first);
  const running = await started(t, { tls: { certificates: [paths] } });
  const { port, balancer } = running;
  const events = eventsOf(running);
  writeFileSync(paths.cert, 'half of');
  t.match(await balancer.reloadCertificates(), {
    changed: [],
    refused: [/a\.pem: no certificate: it is not PEM/],
  });
  t.match(events, [{ what: 'certificate_refused', file: paths.cert, detail: /it is not PEM/ }]);
  t.match(await get(port), { serial: first.serial });
  t.match(balancer.certificates(), [{ problems: [/it is not PEM/] }]);
  // A reload of the settings does not fail because of it either.
  await balancer.reload(
    createConfig({ listen: [HERE], respond: { body: 'changed' }, tls: { certificates: [paths] } }),
  );
  t.match(await get(port), { serial: first.serial, body: 'changed' });
  const second = await authority.issue({ names: ['a.test'] });
  writeCertificate(folder, 'a', second);
  await balancer.reloadCertificates();
  t.match(events.at(-1), { what: 'certificates_reloaded', detail: /a\.test/ });
  t.match(await get(port), { serial: second.serial });
  t.match(balancer.certificates(), [{ problems: [] }]);
});

t.test('a configuration with a certificate that cannot be used is refused as a whole', async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['a.test'] });
  const paths = writeCertificate(folder, 'a', first);
  const { port, balancer } = await started(t, { tls: { certificates: [paths] } });
  const next = createConfig({
    listen: [HERE],
    respond: { body: 'changed' },
    tls: { certificates: [paths, join(folder, 'none.pem')] },
  });
  await t.rejects(balancer.reload(next), { message: /none\.pem: the file does not exist/ });
  t.match(await get(port), { serial: first.serial, body: 'here' });
});

t.test('another configuration brings other certificates to the listener that stays', async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['a.test'] });
  const second = await authority.issue({ names: ['b.test'] });
  const { port, balancer } = await started(t, {
    tls: { certificates: [writeCertificate(folder, 'a', first)] },
  });
  t.match(await get(port), { serial: first.serial });
  const other = { certificates: [writeCertificate(folder, 'b', second)] };
  await balancer.reload(createConfig({ listen: [HERE], respond: { body: 'here' }, tls: other }));
  t.match(await get(port), { serial: second.serial });
  t.same(balancer.certificateFiles, [join(folder, 'b.pem'), join(folder, 'b.key')]);
  rmSync(join(folder, 'a.pem'));
  t.match(await balancer.reloadCertificates(), { changed: [], refused: [] });
});

t.test('there are events 30, 14 and 7 days before a certificate expires, and when it has', async (t) => {
  const { seen, clock, balancer } = await startBalancer(
    t,
    { listen: [{ address: '127.0.0.1:0' }], respond: { body: 'here' } },
    { manual: true },
  );
  const now = clock.wall();
  const soon = await authority.issue({
    names: ['soon.test'],
    notBefore: now - DAY_MS,
    notAfter: now + 35 * DAY_MS,
  });
  const gone = await authority.issue({
    names: ['gone.test'],
    notBefore: now - 2 * DAY_MS,
    notAfter: now - DAY_MS,
  });
  const folder = t.testdir();
  const certificates = [writeCertificate(folder, 'a', soon), writeCertificate(folder, 'b', gone)];
  const events = eventsOf({ seen } as Started);
  await balancer.reload(createConfig({ listen: [HERE], respond: { body: 'here' }, tls: { certificates } }));
  const pass = (days: number): void => {
    clock.leap(days * DAY_MS);
    clock.advance(HOUR_MS);
  };
  const told = (): string[] =>
    events.splice(0).flatMap((event) => {
      if (event.what === 'certificate_expiring') return [`${event.certificate} ${event.days}`];
      if (event.what === 'certificate_expired') return [`${event.certificate} expired`];
      return event.what === 'warning' ? [event.message.replace(/^.*\//, '')] : [];
    });
  t.same(told(), ['b.pem: the certificate expired on 2026-01-30. Clients refuse it.', 'gone.test expired']);
  pass(4);
  t.same(told(), []);
  pass(2);
  t.same(told(), ['soon.test 30']);
  pass(16);
  t.same(told(), ['soon.test 14']);
  await balancer.reloadCertificates();
  t.same(told(), [], 'a reload tells nothing twice');
  pass(7);
  t.same(told(), ['soon.test 7']);
  pass(7);
  t.same(told(), ['soon.test expired']);
  t.match(balancer.certificates(), [{ state: 'expired' }, { state: 'expired' }]);
});

t.test(
  'tls: internal serves certificates of the local authority for this machine and the hosts',
  async (t) => {
    const folder = t.testdir();
    const settings = {
      listen: [{ address: '127.0.0.1:0', tls: 'internal' }],
      hosts: [
        { host: 'www.mango.test', respond: { body: 'mango' } },
        { host: '*.plum.test', respond: {} },
      ],
      respond: { body: 'here' },
    } as const;
    const { balancer, port, clock, seen } = await startBalancer(t, settings, {
      manual: true,
      wall: Date.now(),
      authority: folder,
    });
    const ca = readFileSync(authorityFile(folder), 'utf8');
    const verified = { ca, rejectUnauthorized: true };
    const shown = async (servername?: string): Promise<string> =>
      (await get(port, servername === undefined ? {} : { servername })).serial;
    t.match(balancer.certificates(), [
      { names: ['localhost', 'www.mango.test', '*.plum.test', '127.0.0.1', '::1'], source: 'internal' },
    ]);
    const first = await shown();
    for (const servername of ['localhost', 'www.mango.test', 'a.plum.test'])
      t.match(await get(port, { ...verified, servername }), { serial: first });
    await balancer.reload(createConfig(settings));
    t.equal(await shown('www.mango.test'), first, 'nothing has changed');
    await balancer.reload(createConfig({ ...settings, hosts: [{ host: 'new.test', respond: {} }] }));
    const second = await shown('new.test');
    t.not(second, first);
    clock.leap(70 * DAY_MS);
    clock.advance(HOUR_MS);
    await until(
      async () => (await shown()) !== second,
      'the certificate is renewed',
      () => rest(20),
    );
    t.match(balancer.certificates(), [{ state: 'valid' }]);
    t.same(seen.warnings, []);
  },
);

nothingIsLeft(t);
