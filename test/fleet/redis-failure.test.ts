import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { explainFailure } from '../../lib/fleet/redis-failure.js';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { nothingIsLeft } from '../support/leaks.js';
import { deadAddress } from '../support/origin.js';
import { sharedOf, startNodes, until } from './nodes.js';
import { startSentinel } from './redis-groups.js';
import { type RedisCertificate, RedisServer, skipWithoutRedis } from './redis-server.js';

const skip = skipWithoutRedis;
const settings = { respond: { status: 200, body: 'served' } };
t.setTimeout(120_000);

async function certificate(t: Test, name: string): Promise<RedisCertificate> {
  const folder = mkdtempSync(join(tmpdir(), 'lb-redis-failure-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const authority = await TestAuthority.create(name);
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, authority.cert);
  return { ...writeCertificate(folder, 'redis', await authority.issue({ names: ['127.0.0.1'] })), ca };
}

/** A node with wrong settings, and what it has to say of them. */
type Mistake = readonly [name: string, redis: string, shared: object, says: RegExp];

/** Starts a node for each mistake, and waits until each has said it: in its status, and in the event. */
async function saysAll(t: Test, mistakes: readonly Mistake[]): Promise<void> {
  const nodes = [];
  for (const [, redis, shared] of mistakes) nodes.push(...(await startNodes(t, 1, redis, settings, shared)));
  for (const [index, [name, , , says]] of mistakes.entries()) {
    const { balancer } = nodes[index] as (typeof nodes)[0];
    await until(name, () => {
      const { state, error } = sharedOf(balancer);
      return state === 'lost' && says.test(error);
    });
    const { reason = '' } = balancer.events().find(({ what }) => what === 'shared_lost') ?? {};
    t.match(reason, says, `${name}: ${reason}`);
  }
}

await t.test('what is wrong with one server is reported with the setting to mend', { skip }, async (t) => {
  const [files, others] = [await certificate(t, 'Right CA'), await certificate(t, 'Wrong CA')];
  const open = await RedisServer.start(t);
  const locked = await RedisServer.start(t, '--requirepass', 'right');
  const secure = await RedisServer.startTls(t, files);
  open.command('ACL', 'SETUSER', 'poor', 'on', '>poor', '~lb:*', '+@read');
  await saysAll(t, [
    ['no authority', secure.url, {}, /certificate of Redis at \S+ cannot be verified .*: set shared\.ca/],
    ['another authority', secure.url, { ca: others.ca }, /: shared\.ca is not the authority that issued it/],
    [
      'TLS to a plain port',
      open.url.replace('redis:', 'rediss:'),
      {},
      /answers nothing to TLS: .* write redis:\/\//,
    ],
    ['plain to a port of TLS', secure.url.replace('rediss:', 'redis:'), {}, /write rediss:\/\/ in place of/],
    ['no password', locked.url, {}, /Redis at \S+ asks for a password: set shared\.password/],
    ['a wrong password', locked.url, { password: 'x' }, /correct shared\.user and shared\.password/],
    [
      'a wrong password in the URL',
      locked.url.replace('//', '//:x@'),
      {},
      /refuses the user or the password: correct them in the first URL of shared\.redis/,
    ],
    [
      'too few rights',
      open.url,
      { user: 'poor', password: 'poor' },
      /lacks a right \(NOPERM.*~lb:\* \+@read/,
    ],
    ['no cluster', open.url, { cluster: true }, /Redis.* is no cluster: leave out shared\.cluster/],
    ['nobody listens', `redis://${await deadAddress()}`, {}, /ECONNREFUSED 127\.0\.0\.1/],
  ]);
});

await t.test('what is wrong with sentinels is reported with the setting to mend', { skip }, async (t) => {
  const [files, others] = [await certificate(t, 'Right CA'), await certificate(t, 'Wrong CA')];
  const primary = await RedisServer.start(t, '--requirepass', 'right');
  const port = await startSentinel(t, primary, { password: 'right', sentinelPassword: 'watch' });
  const secure = await RedisServer.startTls(t, files, '--requirepass', 'right');
  const securePort = await startSentinel(t, secure, { password: 'right', sentinelPassword: 'watch', files });
  const plain = `redis://:watch@127.0.0.1:${port}`;
  const tls = `rediss://:watch@127.0.0.1:${securePort}`;
  const right = { sentinel: 'main', password: 'right' };
  await saysAll(t, [
    ['no authority', tls, right, /certificate of the sentinel \S+ cannot be verified .*: set shared\.ca/],
    [
      'another authority',
      tls,
      { ...right, ca: others.ca },
      /the sentinel .*: shared\.ca is not the authority/,
    ],
    [
      'TLS to a plain sentinel',
      plain.replace('redis:', 'rediss:'),
      right,
      /the sentinel \S+ answers nothing to TLS: .* write redis:\/\//,
    ],
    [
      'plain to a sentinel with TLS',
      tls.replace('rediss:', 'redis:'),
      right,
      /the sentinel \S+ ends connections at once: .* write rediss:\/\//,
    ],
    [
      'a wrong password of the sentinel',
      plain.replace('watch', 'x'),
      right,
      /the sentinel \S+ refuses the user or the password: correct those of sentinels in the first URL/,
    ],
    [
      'no password of the sentinel',
      plain.replace(':watch@', ''),
      right,
      /the sentinel \S+ asks for a password: write it in the first URL/,
    ],
    [
      'a wrong password of the primary',
      plain,
      { ...right, password: 'x' },
      /Redis at \S+ refuses the user or the password: correct shared\.user and shared\.password/,
    ],
    [
      'a wrong name of the group',
      plain,
      { ...right, sentinel: 'mian' },
      /the sentinel \S+ knows no group mian \(it knows main\): correct shared\.sentinel/,
    ],
    [
      'a server in place of a sentinel',
      `redis://:right@127.0.0.1:${primary.port}`,
      right,
      /the sentinel \S+ is no sentinel: .*leave out shared\.sentinel/,
    ],
    [
      'a sentinel in place of a server',
      plain,
      {},
      /runs no scripts: if it is a sentinel, set shared\.sentinel/,
    ],
    ['no sentinel there', `redis://${await deadAddress()}`, right, /ECONNREFUSED 127\.0\.0\.1/],
  ]);
});

t.test('errors that take more than one server to happen are explained too', async (t) => {
  const place = { address: '10.0.0.9:6379', role: 'server' } as const;
  const terms = { kind: 'single', password: null, pem: null, prefix: 'shop' } as const;
  const explained = (message: string, code?: string): string =>
    explainFailure({ message, ...(code !== undefined && { code }) }, place, terms);
  t.match(
    explained('MOVED 866 10.0.0.8:6379'),
    /10\.0\.0\.9:6379 is a node of a cluster: set shared\.cluster/,
  );
  t.equal(
    explainFailure(new Error('MOVED 866 10.0.0.8:6379'), place, { ...terms, kind: 'cluster' }),
    'MOVED 866 10.0.0.8:6379',
    'a cluster that moves slots says so',
  );
  t.match(explained('DENIED Redis is running in protected mode because …'), /set a password there/);
  t.match(explained('ERR max number of clients reached'), /raise its maxclients/);
  t.match(explained('wrong version number', 'EPROTO'), /does not speak TLS: write redis:\/\//);
  t.match(explained('certificate has expired', 'CERT_HAS_EXPIRED'), /has expired: renew it/);
  t.match(explained('tlsv13 alert certificate required', 'ERR_SSL_X'), /set tls-auth-clients no/);
  t.equal(explained('OOM command not allowed'), 'OOM command not allowed', 'who runs Redis mends this');
  t.equal(explained('', 'ECONNREFUSED'), 'ECONNREFUSED', 'of a name with several addresses');
});

nothingIsLeft(t);
