import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { decodeGraph, encodeGraph } from '../../lib/base/object-graph.js';
import { atOnce } from '../../lib/base/slices.js';
import { sharedText, textOf } from '../../lib/shared/shared-text.js';
import { CertificateStore } from '../../lib/tls/certificate-store.js';
import type { CertificateNews, CertificateState } from '../../lib/tls/published-certificates.js';
import { ThreadCertificates } from '../../lib/tls/thread-certificates.js';
import { TICKET_KEY_LIFE } from '../../lib/tls/ticket-keys.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { ManualClock } from '../support/manual-clock.js';
import { Store, serve, shake, tlsConfig } from './support.js';

const authority = await TestAuthority.create('Root');

function write(folder: string, ...issued: IssuedCertificate[]): { cert: string; key: string }[] {
  return issued.map((one, at) => writeCertificate(folder, `c${at}`, one));
}

/** A thread that has all that was published. */
function threadOf(state: CertificateState): ThreadCertificates {
  const certificates = new ThreadCertificates(state.ticketKeys);
  for (const news of state.news) certificates.take(news);
  certificates.install(atOnce(certificates.prepare(state.published)));
  return certificates;
}

t.test('a text in shared memory is the same text, and is not copied when it is cloned', async (t) => {
  for (const text of ['', 'abc', 'Zürich \u{1f680}']) t.equal(textOf(sharedText(text)), text);
  const shared = sharedText('secret');
  t.equal(structuredClone(shared).buffer.constructor.name, 'SharedArrayBuffer');
  const clone = structuredClone(shared);
  shared[0] = 'S'.charCodeAt(0);
  t.equal(textOf(clone), 'Secret');
});

for (const [how, copy] of [
  ['structuredClone', (state: CertificateState): CertificateState => structuredClone(state)],
  [
    'chunks of an object graph',
    (state: CertificateState): CertificateState => {
      const chunks = structuredClone(encodeGraph(state)).values();
      return atOnce(decodeGraph(() => chunks.next().value ?? null)) as CertificateState;
    },
  ],
] as const)
  t.test(`what is published comes through ${how}, and the same certificates are shown`, async (t) => {
    const folder = t.testdir({ 'ca.pem': authority.cert });
    const crl = join(folder, 'crl.pem');
    writeFileSync(crl, await authority.revoke());
    const rsa = await authority.issue({ names: ['a.test'], key: 'rsa' });
    const ec = await authority.issue({ names: ['a.test', '*.a.test'] });
    const closed = await authority.issue({ names: ['closed.test'] });
    const [first, second, third] = write(folder, rsa, ec, closed) as [IssuedPaths, IssuedPaths, IssuedPaths];
    const store = new Store(t, {
      certificates: [first, second, { ...third, client_auth: { ca: join(folder, 'ca.pem'), crl } }],
    });
    const thread = threadOf(copy(store.store.state));
    // A copy of the configuration names the same terms.
    const terms = thread.termsOf(structuredClone(store.config));
    const port = await serve(t, terms);
    for (const [sigalgs, issued] of [
      ['rsa_pss_rsae_sha256', rsa],
      ['ecdsa_secp256r1_sha256', ec],
    ] as const)
      for (const servername of ['a.test', 'unknown.test'])
        t.match(await shake(port, { servername, sigalgs }), {
          error: '',
          serial: issued.serial.toUpperCase(),
        });
    t.match(await shake(port, { servername: 'x.a.test' }), { serial: ec.serial.toUpperCase() });
    const { clientAuth, policy } = terms.choose('closed.test', []) ?? {};
    t.equal(clientAuth, 'require');
    t.equal(policy, store.terms.choose('closed.test', [])?.policy);
    const asking = await serve(t, terms, 'closed.test');
    const { cert, key } = await authority.issue({ names: [], commonName: 'alice' });
    t.match(await shake(asking, { servername: 'closed.test', cert, key }), { error: '' });
    t.match(await shake(asking, { servername: 'closed.test' }), { error: /.+/ });
  });

interface IssuedPaths {
  readonly cert: string;
  readonly key: string;
}

t.test('no context is made before a handshake needs it', async (t) => {
  const store = new Store(t, {
    certificates: write(t.testdir(), await authority.issue({ names: ['a.test'] })),
  });
  const state = structuredClone(store.store.state);
  const damaged = sharedText('nonsense');
  const tables = state.published.tables.map((table) => ({
    ...table,
    choices: table.choices.map((choice) => ({
      ...choice,
      pairs: choice.pairs.map((pair) => ({ ...pair, certPem: damaged })),
    })),
  }));
  const thread = threadOf({ ...state, published: { ...state.published, tables } });
  const choice = thread.termsOf(store.config).choose('a.test', []);
  t.throws(() => choice?.context, 'and its failure is that of the handshake');
});

t.test('tables that were published earlier do not take the place of later ones', async (t) => {
  const folder = t.testdir();
  const store = new Store(t, { certificates: write(folder, await authority.issue({ names: ['a.test'] })) });
  const early = structuredClone(store.store.state.published);
  const thread = threadOf(store.store.state);
  const terms = thread.termsOf(store.config);
  write(folder, await authority.issue({ names: ['b.test'] }));
  store.load();
  const late = structuredClone(store.store.state.published);
  await thread.follow({ kind: 'certificates', published: late });
  const choice = terms.choose('b.test', []);
  await thread.follow({ kind: 'certificates', published: early });
  t.equal(terms.choose('b.test', []), choice);
  thread.install(atOnce(thread.prepare(early)));
  t.equal(terms.choose('b.test', []), choice, 'also when a configuration is installed');
});

t.test('other threads have each change before its promise resolves', async (t) => {
  const store = new CertificateStore({ clock: new ManualClock(Date.now()) });
  t.teardown(() => store.stop());
  const config = tlsConfig({ acme: { hosts: ['a.test'], store: '/none' } });
  store.install(atOnce(store.prepare([config])));
  const told: CertificateNews['kind'][] = [];
  let release = (): void => {};
  store.tellAlso((news) => {
    told.push(news.kind);
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  let isDone = false;
  const done = store.setTokens([{ token: 't', answer: 'a' }]).then(() => {
    isDone = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.same(told, ['tokens']);
  t.notOk(isDone, 'it waits for the threads');
  release();
  await done;
  const pair = await authority.issue({ names: ['a.test'] });
  const changed = store.useAcme({ certificateFor: () => null, challengeFor: () => pair });
  const second = Promise.resolve(changed(['a.test']));
  await new Promise((resolve) => setImmediate(resolve));
  t.same(told, ['tokens', 'challenge', 'certificates']);
  release();
  const early = await Promise.race([second.then(() => 'done'), new Promise((r) => setImmediate(r, 'waits'))]);
  t.equal(early, 'waits', 'one of the two news has not arrived');
});

/** A thread that listens, and how it is told. */
async function startThread(t: Test, store: Store): Promise<{ port: number; worker: Worker }> {
  const worker = new Worker(new URL('./certificate-thread.js', import.meta.url), {
    workerData: { config: store.config, state: store.store.state },
    execArgv: [],
  });
  t.teardown(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  return { port, worker };
}

/** Tells all of them, and resolves when each has followed. */
function tellThreads(workers: readonly Worker[]): (news: CertificateNews) => Promise<void> {
  return async (news) => {
    const followed = workers.map((worker) => once(worker, 'message'));
    for (const worker of workers) worker.postMessage(news);
    await Promise.all(followed);
  };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  t.test(`threads resume the ${version} sessions of one another, also after a rotation`, async (t) => {
    const store = new Store(t, {
      certificates: write(t.testdir(), await authority.issue({ names: ['a.test'] })),
    });
    const threads = [await startThread(t, store), await startThread(t, store)];
    const [one, other] = threads.map(({ port }) => port) as [number, number];
    const options = { servername: 'a.test', minVersion: version, maxVersion: version };
    const first = await shake(one, options);
    t.match(first, { error: '', resumed: false });
    const session = first.session as Buffer;
    t.match(await shake(other, { ...options, session }), { error: '', resumed: true });
    t.match(await shake(await serve(t, store.terms), { ...options, session }), { resumed: true });
    // One hears of the rotation before the other, and its new tickets are good at both.
    let told: Promise<void>[] = [];
    store.store.tellAlso((news) => {
      told = threads.map(({ worker }) => tellThreads([worker])(news));
      return told[0] as Promise<void>;
    });
    store.clock.advance(TICKET_KEY_LIFE);
    await told[0];
    const second = await shake(one, options);
    t.match(await shake(other, { ...options, session: second.session as Buffer }), { resumed: true });
    await Promise.all(told);
    t.match(await shake(other, { ...options, session }), { resumed: true });
  });

t.test('a key of tickets is known an hour before a ticket is made with it', async (t) => {
  const store = new Store(t, {
    certificates: write(t.testdir(), await authority.issue({ names: ['a.test'] })),
  });
  // This thread is told of no rotation.
  const deaf = threadOf(structuredClone(store.store.state));
  const port = await serve(t, deaf.termsOf(store.config));
  store.clock.advance(TICKET_KEY_LIFE);
  const { session } = await shake(await serve(t, store.terms), { servername: 'a.test' });
  t.match(await shake(port, { servername: 'a.test', session: session as Buffer }), { resumed: true });
});

t.test('threads follow new certificates, challenges and what is asked of clients', async (t) => {
  const folder = t.testdir({ 'ca.pem': authority.cert });
  const crl = join(folder, 'crl.pem');
  writeFileSync(crl, await authority.revoke());
  const client_auth = { ca: join(folder, 'ca.pem'), crl };
  const certificates = write(folder, await authority.issue({ names: ['a.test'] }));
  const store = new Store(t, { certificates, client_auth });
  const threads = [await startThread(t, store), await startThread(t, store), await startThread(t, store)];
  store.store.tellAlso(tellThreads(threads.map(({ worker }) => worker)));
  const alice = await authority.issue({ names: [], commonName: 'alice' });
  const known = { servername: 'a.test', cert: alice.cert, key: alice.key };
  const all = (options: object): Promise<unknown[]> =>
    Promise.all(threads.map(({ port }) => shake(port, options)));
  const sessions = (await all(known)) as { session: Buffer; error: string }[];
  t.match(sessions, [{ error: '' }, { error: '' }, { error: '' }]);

  const next = await authority.issue({ names: ['a.test'] });
  write(folder, next);
  store.load();
  await store.store.spread();
  const serial = next.serial.toUpperCase();
  t.match(await all(known), [{ serial }, { serial }, { serial }]);

  writeFileSync(crl, await authority.revoke(alice.serial));
  store.load();
  await store.store.spread();
  const session = sessions[0]?.session;
  for (const options of [known, { ...known, session }])
    t.match(await all(options), [{ error: /.+/ }, { error: /.+/ }, { error: /.+/ }]);

  const challenge = await authority.issue({ names: ['a.test'] });
  let open: IssuedCertificate | null = challenge;
  const changed = store.store.useAcme({ certificateFor: () => null, challengeFor: () => open });
  await changed(['a.test']);
  const asked = { servername: 'a.test', ALPNProtocols: ['acme-tls/1'] };
  const proof = challenge.serial.toUpperCase();
  t.match(await all(asked), [{ serial: proof }, { serial: proof }, { serial: proof }]);
  open = null;
  await changed(['a.test']);
  t.match(await all(asked), [{ error: /.+/ }, { error: /.+/ }, { error: /.+/ }]);
});
