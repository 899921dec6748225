import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import type { KeyPair } from '../../lib/tls/key-pair.js';
import {
  AuthorityError,
  authorityFile,
  authorityFolder,
  issueLocally,
  pairsOf,
} from '../../lib/tls/local-authority.js';
import { answerRequest } from '../../lib/tls/local-authority-issuer.js';

const DAY_MS = 24 * 3_600_000;

/** What the thread does, in this thread: starting one takes a second. */
async function issueHere(folder: string, names: readonly string[], now: number): Promise<KeyPair[]> {
  return pairsOf(await answerRequest({ folder, names: [names], now }));
}

t.test('the local authority is made once and kept for its owner alone', async (t) => {
  const folder = join(t.testdir(), 'data', 'lb');
  const [first] = await issueHere(folder, ['localhost', '127.0.0.1', '::1', '*.mango.com'], Date.now());
  t.match(first?.leaf.facts, {
    names: ['localhost', '*.mango.com'],
    addresses: ['127.0.0.1', '::1'],
    keyType: 'EC P-256',
  });
  const text = readFileSync(authorityFile(folder), 'utf8');
  const authority = new X509Certificate(text);
  t.ok(first?.leaf.x509.verify(authority.publicKey));
  t.ok(authority.ca);
  t.same(readdirSync(folder).sort(), ['ca.key', 'ca.pem']);
  t.equal(statSync(join(folder, 'ca.key')).mode & 0o777, 0o600);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.notMatch(text, /KEY/);
  const [second] = await issueHere(folder, ['localhost'], Date.now());
  t.equal(readFileSync(authorityFile(folder), 'utf8'), text);
  t.ok(second?.leaf.x509.verify(authority.publicKey));
  t.not(second?.leaf.facts.serial, first?.leaf.facts.serial);
});

t.test('processes that make the authority at the same time share one', async (t) => {
  const folder = t.testdir();
  const issued = await Promise.all(
    Array.from({ length: 6 }, () => issueHere(folder, ['localhost'], Date.now())),
  );
  const authority = new X509Certificate(readFileSync(authorityFile(folder)));
  for (const [pair] of issued) t.ok(pair?.leaf.x509.verify(authority.publicKey));
  t.same(readdirSync(folder).sort(), ['ca.key', 'ca.pem']);
});

t.test('an authority that ends before its certificates would is made anew', async (t) => {
  const folder = t.testdir();
  await issueHere(folder, ['localhost'], Date.now() - 3600 * DAY_MS);
  const old = readFileSync(authorityFile(folder), 'utf8');
  const [pair] = await issueHere(folder, ['localhost'], Date.now());
  t.not(readFileSync(authorityFile(folder), 'utf8'), old);
  t.ok((pair?.leaf.facts.notAfter ?? 0) > Date.now() + 80 * DAY_MS);
});

t.test('many names are spread over several certificates', async (t) => {
  const names = Array.from({ length: 250 }, (_, at) => `h${at}.test`);
  const pairs = await issueLocally(t.testdir(), names, Date.now());
  t.equal(pairs.length, 3);
  t.same(
    pairs.flatMap(({ leaf }) => leaf.facts.names),
    names,
  );
});

t.test('an authority that cannot be read or written is reported in one line', async (t) => {
  const folder = t.testdir({ 'ca.key': 'nonsense', file: '' });
  await t.rejects(issueHere(folder, ['a'], Date.now()), {
    message: /ca\.key is damaged: remove it to have a new one made/,
  });
  await t.rejects(issueHere(join(folder, 'file', 'lb'), ['a'], Date.now()), AuthorityError);
  const other = join(folder, 'other');
  mkdirSync(join(other, 'ca.key'), { recursive: true });
  await t.rejects(issueHere(other, ['a'], Date.now()), { message: /a directory, not a regular file/ });
  if (process.getuid?.() !== 0) {
    writeFileSync(join(folder, 'ca.key'), '');
    chmodSync(folder, 0o500);
    await t.rejects(issueHere(folder, ['a'], Date.now()), AuthorityError);
  }
});

t.test('the event loop goes on while keys are made', async (t) => {
  let longest = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const used = process.cpuUsage();
  await issueLocally(t.testdir(), ['localhost'], Date.now());
  clearInterval(watch);
  t.comment(`held for ${Math.round(longest)} ms`);
  t.ok(process.cpuUsage(used).user > 0);
  t.ok(longest < 500, `${longest} ms`);
});

t.test('the local authority is kept in the data folder of the user', async (t) => {
  t.equal(authorityFolder({ XDG_DATA_HOME: '/data' }), '/data/lb');
  t.match(authorityFolder({ XDG_DATA_HOME: 'relative' }), /^\/.*\/\.local\/share\/lb$/);
  t.match(authorityFolder({}), /\/\.local\/share\/lb$/);
});
