import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { rest, until } from '../support/loop-ticks.js';
import { THREADS } from '../support/thread-switch.js';
import { hangAll, runningWorkers, startHangable } from '../support/worker-threads.js';

t.setTimeout(120_000);

const authority = await TestAuthority.create('Root');
/** So many connections meet each of three threads: that one is missed happens once in 250,000 times. */
const MANY = 32;

/** One connection: what it was shown, and the first line of the answer to a request. */
interface Seen {
  readonly error: string;
  readonly serial: string;
  readonly resumed: boolean;
  readonly session: Buffer | undefined;
  readonly answer: string;
}

function visit(port: number, options: tls.ConnectionOptions = {}): Promise<Seen> {
  return new Promise((resolve) => {
    let session: Buffer | undefined;
    let shaken = { serial: '', resumed: false };
    let text = '';
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    const end = (error: string): void => {
      socket.destroy();
      resolve({ error, session, ...shaken, answer: text.split('\r\n')[0] ?? '' });
    };
    socket.on('session', (one) => {
      session = one;
    });
    socket.on('secureConnect', () => {
      const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '';
      shaken = { serial, resumed: socket.isSessionReused() };
      const host = typeof options.servername === 'string' ? options.servername : 'a.test';
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (data) => {
      text += data.toString('latin1');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', () => end(text === '' ? 'closed' : ''));
  });
}

async function visits(port: number, count: number, options: tls.ConnectionOptions = {}): Promise<Seen[]> {
  const all: Seen[] = [];
  for (let left = count; left > 0; left -= 8)
    all.push(...(await Promise.all(Array.from({ length: Math.min(8, left) }, () => visit(port, options)))));
  return all;
}

/** Each value that occurs, once. */
function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function settingsFor(certificates: readonly object[], more: object = {}, tlsMore: object = {}): object {
  return {
    listen: [{ address: '127.0.0.1:0', tls: true }],
    tls: { certificates, ...tlsMore },
    respond: { body: 'here' },
    ...more,
  };
}

t.test('all threads show the certificate of the name, by the kind of key', THREADS, async (t) => {
  const folder = t.testdir();
  const rsa = await authority.issue({ names: ['a.test'], key: 'rsa' });
  const ec = await authority.issue({ names: ['a.test'] });
  const other = await authority.issue({ names: ['*.b.test'] });
  const certificates = [rsa, ec, other].map((one, at) => writeCertificate(folder, `c${at}`, one));
  const { port, balancer } = await startBalancer(t, settingsFor(certificates), { workers: 3 });
  for (const [servername, sigalgs, issued] of [
    ['a.test', 'rsa_pss_rsae_sha256', rsa],
    ['a.test', 'ecdsa_secp256r1_sha256', ec],
    ['x.b.test', 'ecdsa_secp256r1_sha256', other],
    ['unknown.test', 'rsa_pss_rsae_sha256', rsa],
  ] as const) {
    const seen = await visits(port, MANY, { servername, sigalgs });
    t.same(distinct(seen.map(({ error }) => error)), [''], `${servername} ${sigalgs}`);
    t.same(distinct(seen.map(({ serial }) => serial)), [issued.serial]);
    t.same(distinct(seen.map(({ answer }) => answer)), ['HTTP/1.1 200 OK']);
  }
  await until(() => (balancer.handshakes.get('ok') ?? 0) >= 4 * MANY);
  t.equal(balancer.handshakes.get('ok'), 4 * MANY, 'and all handshakes are counted');
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  t.test(`a ${version} session is resumed whichever thread is met`, THREADS, async (t) => {
    const folder = t.testdir();
    const certificates = [writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }))];
    const { port } = await startBalancer(t, settingsFor(certificates), { workers: 3 });
    const options = { servername: 'a.test', minVersion: version, maxVersion: version };
    const { session, resumed } = await visit(port, options);
    t.notOk(resumed);
    const seen = await visits(port, MANY, { ...options, session: session as Buffer });
    t.same(distinct(seen.map((one) => one.resumed)), [true]);
  });

t.test('certificates are replaced in all threads at once, and no handshake fails', THREADS, async (t) => {
  const folder = t.testdir();
  const write = (issued: IssuedCertificate): { cert: string; key: string } =>
    writeCertificate(folder, 'a', issued);
  const certificates = [write(await authority.issue({ names: ['a.test'] }))];
  const { port, balancer } = await startBalancer(t, settingsFor(certificates), { workers: 3 });
  let isOver = false;
  const failed: string[] = [];
  let count = 0;
  const load = Array.from({ length: 6 }, async () => {
    while (!isOver) {
      const { error, answer } = await visit(port, { servername: 'a.test' });
      count++;
      if (error !== '' || answer !== 'HTTP/1.1 200 OK') failed.push(`${error} ${answer}`);
    }
  });
  for (let round = 0; round < 5; round++) {
    const next = await authority.issue({ names: ['a.test'] });
    write(next);
    const { changed, refused } = await balancer.reloadCertificates();
    t.equal(changed.length, 1);
    t.same(refused, []);
    const serials = (await visits(port, MANY, { servername: 'a.test' })).map(({ serial }) => serial);
    t.same(distinct(serials), [next.serial], `round ${round}`);
  }
  isOver = true;
  await Promise.all(load);
  t.comment(`${count} connections beside the reloads`);
  t.same(failed, []);
  t.ok(count > 50, `${count}`);
});

t.test('a revoked client is let in by no thread, and its open connections end', THREADS, async (t) => {
  const folder = t.testdir({ 'ca.pem': authority.cert });
  const crl = join(folder, 'crl.pem');
  writeFileSync(crl, await authority.revoke());
  const certificates = [writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }))];
  const client_auth = { ca: join(folder, 'ca.pem'), crl };
  const { port, balancer } = await startBalancer(t, settingsFor(certificates, {}, { client_auth }), {
    workers: 3,
  });
  const alice = await authority.issue({ names: [], commonName: 'alice' });
  const options = { servername: 'a.test', cert: alice.cert, key: alice.key };
  const before = await visits(port, MANY, options);
  t.same(distinct(before.map(({ answer }) => answer)), ['HTTP/1.1 200 OK']);
  const [{ session } = { session: undefined }] = before;
  for (const { answer } of await visits(port, MANY, { servername: 'a.test' }))
    t.notMatch(answer, /200/, 'without a certificate');

  // Idle connections, spread over the threads.
  const idle = await Promise.all(
    Array.from({ length: MANY }, async () => {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve));
      socket.resume();
      return socket;
    }),
  );
  t.teardown(() => {
    for (const socket of idle) socket.destroy();
  });
  writeFileSync(crl, await authority.revoke(alice.serial));
  await balancer.reloadCertificates();
  await until(() => idle.every(({ readableEnded, destroyed }) => readableEnded || destroyed));
  for (const more of [{}, { session: session as Buffer }]) {
    const seen = await visits(port, MANY, { ...options, ...more });
    t.same(distinct(seen.map(({ answer }) => answer.includes(' 200 '))), [false]);
    t.same(distinct(seen.map(({ resumed }) => resumed)), [false]);
  }
});

t.test('another configuration brings its certificates to all threads', THREADS, async (t) => {
  const folder = t.testdir();
  const first = await authority.issue({ names: ['a.test'] });
  const second = await authority.issue({ names: ['b.test'] });
  const [a, b] = [writeCertificate(folder, 'a', first), writeCertificate(folder, 'b', second)];
  const { port, balancer } = await startBalancer(t, settingsFor([a]), { workers: 3 });
  const address = '127.0.0.1:0';
  const listen = [
    { address, tls: true },
    { address: '127.0.0.2:0', tls: { certificates: [b] } },
  ];
  await balancer.reload(createConfig(settingsFor([a, b], { listen }) as Parameters<typeof createConfig>[0]));
  const seen = await visits(port, MANY, { servername: 'b.test' });
  t.same(distinct(seen.map(({ serial }) => serial)), [second.serial]);
  const [, other] = balancer.addresses;
  if (other?.kind !== 'tcp') throw new Error('it listens on a port');
  const there = await visits(other.port, MANY, { host: '127.0.0.2', servername: 'a.test' });
  t.same(distinct(there.map(({ serial }) => serial)), [second.serial]);
  await t.rejects(
    balancer.reload(
      createConfig(
        settingsFor([{ cert: join(folder, 'none.pem') }], { listen }) as Parameters<typeof createConfig>[0],
      ),
    ),
    { name: 'CertificateError' },
  );
  t.same(distinct((await visits(port, MANY, { servername: 'a.test' })).map(({ serial }) => serial)), [
    first.serial,
  ]);
});

t.test('a thread in the place of another one shows what was renewed since the start', THREADS, async (t) => {
  const folder = t.testdir();
  const certificates = [writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }))];
  const { port, balancer } = await startBalancer(t, settingsFor(certificates), { workers: 3 });
  const next = await authority.issue({ names: ['a.test'] });
  writeCertificate(folder, 'a', next);
  await balancer.reloadCertificates();
  const { session } = await visit(port, { servername: 'a.test' });
  const before = runningWorkers();
  t.equal(before.length, 3);
  for (const worker of before) await worker.terminate();
  await until(() => runningWorkers().length === 3);
  await until(
    async () => (await visit(port)).error === '',
    'the new threads serve',
    () => rest(50),
  );
  const options = { servername: 'a.test', session: session as Buffer };
  const seen = await visits(port, MANY, options);
  t.same(distinct(seen.map(({ resumed }) => resumed)), [true], 'the keys of tickets are the same');
  t.same(distinct((await visits(port, MANY, { servername: 'a.test' })).map(({ serial }) => serial)), [
    next.serial,
  ]);
});

t.test('threads that hang hold up a reload of certificates for five seconds', THREADS, async (t) => {
  startHangable(true);
  t.teardown(() => startHangable(false));
  const folder = t.testdir();
  const certificates = [writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }))];
  const { balancer } = await startBalancer(t, settingsFor(certificates), { workers: 2 });
  await hangAll();
  writeCertificate(folder, 'a', await authority.issue({ names: ['a.test'] }));
  const begun = performance.now();
  t.match(await balancer.reloadCertificates(), { changed: [/^a\.test/] });
  const took = performance.now() - begun;
  t.ok(took > 4000 && took < 15_000, `${took} ms`);
});
