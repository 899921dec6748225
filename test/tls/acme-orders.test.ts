import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { examineAcme } from '../../lib/tls/acme-check.js';
import { AcmeLock } from '../../lib/tls/acme-lock.js';
import { renewalTime, retryDelay, timeInWindow, windowDelay } from '../../lib/tls/acme-schedule.js';
import { Findings } from '../../lib/tls/finding.js';
import { until } from '../support/loop-ticks.js';
import { JumpClock, settled, startRig, want } from './acme-rig.js';
import { FakeDirectory } from './fake-directory.js';
import { scratch } from './pebble.js';

// Each manager starts a thread, which takes a second on a busy machine.
t.setTimeout(120_000);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Long enough for several ticks, in which something would happen that must not. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

function names(count: number): string[][] {
  return Array.from({ length: count }, (_, index) => [`host-${index}.example.com`]);
}

t.test('certificates are renewed between 61 % and 67 % of their lifetime', async (t) => {
  const life = { notBefore: 0, notAfter: 90 * DAY };
  t.equal(
    renewalTime(life, () => 0),
    60 * DAY,
  );
  t.equal(Math.round(renewalTime(life, () => 1)), 55.5 * DAY);
  t.equal(
    renewalTime({ notBefore: DAY, notAfter: 7 * DAY }, () => 0),
    5 * DAY,
    'short ones too',
  );
});

t.test('the time of a renewal is anywhere in the window that the authority suggests', async (t) => {
  const life = { notBefore: 0, notAfter: 90 * DAY };
  const window = { start: 50 * DAY, end: 52 * DAY };
  t.equal(
    timeInWindow(window, life, () => 0),
    50 * DAY,
  );
  t.equal(
    timeInWindow(window, life, () => 0.5),
    51 * DAY,
  );
  t.equal(
    timeInWindow({ start: 100 * DAY, end: 200 * DAY }, life, () => 0.5),
    81 * DAY,
    'but before it expires',
  );
  t.equal(windowDelay(0), 6 * HOUR);
  t.equal(windowDelay(1), MINUTE);
  t.equal(windowDelay(100 * DAY), DAY);
});

t.test('the intervals between failures grow from a minute to a day', async (t) => {
  const middle = (): number => 0.5;
  t.same(
    [1, 2, 3, 4, 10, 11, 12, 50].map((failures) => retryDelay(failures, middle) / MINUTE),
    [1, 2, 4, 8, 512, 1024, 1440, 1440],
  );
  t.equal(
    retryDelay(1, () => 0),
    48_000,
  );
  t.equal(Math.round(retryDelay(1, () => 1)), 72_000);
});

t.test('four orders are under way at a time, however many are due', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  const { manager, told } = rig.manager({ directory: fake.directory, store: scratch(t) });
  await want(manager, names(10));
  await told.next('certificate_ordered', 10);
  t.equal(fake.mostOpen, 4);
  t.equal(fake.count('/account'), 1, 'one account');
  t.equal(fake.count('/order'), 10);
  t.same(new Set(manager.statuses.map(({ state }) => state)), new Set(['valid']));
});

t.test('a rate limit of a name is waited for, and the other names pause', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  const detail = 'too many certificates (5) already issued for this exact set of domains';
  const headers = { 'Retry-After': String((26 * HOUR) / 1000) };
  fake.refusals.set('/order', { status: 429, type: 'rateLimited', detail, headers });
  const store = scratch(t);
  const { manager, told, clock } = rig.manager({ directory: fake.directory, store });
  await want(manager, [['a.example.com']]);
  const { reason, retryMs } = await told.next('certificate_failed');
  t.equal(reason, detail);
  t.ok(Math.abs(retryMs - 26 * HOUR) < 1000, `${retryMs} ms`);
  fake.refusals.clear();
  await settled(manager);
  clock.jump(25 * HOUR);
  await want(manager, [['a.example.com']]);
  await moment();
  t.equal(fake.count('/order'), 1, 'a reload does not ask again');
  manager.stop();
  const restarted = rig.manager({ directory: fake.directory, store }, clock);
  await want(restarted.manager, [['a.example.com']]);
  await moment();
  t.equal(fake.count('/order'), 1, 'nor does a restart');
  clock.jump(HOUR + MINUTE);
  await restarted.told.next('certificate_ordered');
  t.match(restarted.manager.statuses, [{ failures: 0, error: null }]);
});

t.test('a rate limit without Retry-After is waited for an hour', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  fake.refusals.set('/order', { status: 429, text: 'slow down', headers: {} });
  const { manager, told, clock } = rig.manager({ directory: fake.directory, store: scratch(t) });
  await want(manager, names(8));
  const { retryMs } = await told.next('certificate_failed');
  t.ok(retryMs >= HOUR && retryMs < HOUR + MINUTE, `${retryMs} ms`);
  await settled(manager);
  const asked = fake.count('/order');
  t.ok(asked <= 4, `${asked} of 8 names were asked for`);
  clock.jump(9 * MINUTE);
  await moment();
  t.equal(fake.count('/order'), asked, 'the others wait as well');
  fake.refusals.clear();
  clock.jump(2 * MINUTE);
  await told.next('certificate_ordered', 8 - asked);
});

t.test('what is wrong with the authority counts once, however many names wait', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  fake.refusals.set('/order', { status: 503, text: '<html>busy</html>', headers: { 'Retry-After': '600' } });
  const { manager, told, clock } = rig.manager({ directory: fake.directory, store: scratch(t) });
  await want(manager, names(8));
  const { reason, retryMs } = await told.next('certificate_failed');
  t.equal(reason, 'it answered 503');
  t.ok(retryMs > 599_000 && retryMs <= 600_000, `${retryMs} ms`);
  await settled(manager);
  t.same(new Set(manager.statuses.map(({ failures }) => failures)), new Set([0]), 'no name is to blame');
  t.equal(manager.statuses[7]?.error, 'it answered 503');
  fake.refusals.clear();
  clock.jump(11 * MINUTE);
  await told.next('certificate_ordered', 8);
});

t.test(
  'a certificate is renewed when the authority suggests it, and named as the one that is replaced',
  async (t) => {
    const rig = await startRig(t);
    const fake = await FakeDirectory.start(t);
    const now = Date.now();
    fake.window = {
      start: new Date(now + 80 * DAY),
      end: new Date(now + 80 * DAY + MINUTE),
      retryAfter: 7200,
    };
    const { manager, told, clock } = rig.manager({ directory: fake.directory, store: scratch(t) });
    await want(manager, [['www.example.com']]);
    await told.next('certificate_ordered');
    const nextOrder = (): number => (manager.statuses[0]?.nextOrderAt ?? 0) - now;
    await until(() => nextOrder() >= 79 * DAY, undefined, moment);
    t.ok(nextOrder() >= 80 * DAY && nextOrder() <= 80 * DAY + MINUTE, 'it waits for the window');
    const [asked] = fake.asked.filter(({ path }) => path.startsWith('/window/'));
    t.match(asked?.path, /^\/window\/[\w-]{27}\.[\w-]{11}$/);
    // A window that has passed means now: the certificate is to be revoked.
    fake.window = { start: new Date(now - 2 * DAY), end: new Date(now - DAY) };
    clock.jump(HOUR);
    await moment();
    t.equal(told.count('certificate_ordered'), 1, 'it is not asked before its Retry-After');
    clock.jump(HOUR + MINUTE);
    await told.next('certificate_ordered', 2);
    const orders = fake.asked.filter(({ path }) => path === '/order');
    t.equal(orders[0]?.payload.replaces, undefined);
    t.equal(`/window/${orders[1]?.payload.replaces}`, asked?.path);
  },
);

t.test('two processes that share a store order once', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  let release = (): void => {};
  fake.hold = new Promise((resolve) => {
    release = resolve;
  });
  const store = scratch(t);
  const clock = new JumpClock();
  const one = rig.manager({ directory: fake.directory, store }, clock);
  const other = rig.manager({ directory: fake.directory, store }, clock);
  await want(one.manager, names(2));
  await until(() => fake.count('/finalize/1') > 0, undefined, moment);
  await want(other.manager, names(2));
  await moment();
  t.same(
    other.manager.statuses.map(({ state }) => state),
    ['self_signed', 'self_signed'],
  );
  const lock = join(store, readdirSync(store)[0] as string, 'lock');
  for (let minutes = 0; minutes < 5; minutes++) {
    const before = readFileSync(lock, 'utf8');
    clock.jump(MINUTE);
    // The lock is kept fresh while the order takes long.
    await until(() => readFileSync(lock, 'utf8') !== before, 'the lock is written again', moment);
  }
  release();
  await one.told.next('certificate_ordered', 2);
  await until(
    () => other.manager.statuses.every(({ state }) => state === 'valid'),
    'the other process has both certificates',
    () => {
      clock.jump(11_000);
      return moment();
    },
  );
  t.equal(fake.count('/order'), 2);
  const [host] = names(1)[0] as [string];
  t.equal(other.manager.certificateFor(host)?.cert, one.manager.certificateFor(host)?.cert);
});

t.test('a lock whose process has ended is taken over, one whose process lives is not', async (t) => {
  const folder = scratch(t);
  const clock = new JumpClock();
  const one = new AcmeLock(folder, clock);
  const other = new AcmeLock(folder, clock);
  t.equal(await one.acquire(), true);
  t.equal(await other.acquire(), false);
  await one.release();
  t.equal(await other.acquire(), true);
  const file = join(folder, 'lock');
  const holder = JSON.parse(readFileSync(file, 'utf8')) as object;
  await other.release();
  t.same(readdirSync(folder), []);
  const leave = (change: object): void =>
    writeFileSync(file, JSON.stringify({ ...holder, id: 'gone', ...change }));
  leave({ pid: 2 ** 30 });
  t.equal(await one.acquire(), true, 'of a process that has ended');
  await one.release();
  leave({ pid: 2 ** 30, place: 'another machine' });
  t.equal(await one.acquire(), false, 'of a process that nobody here can know of');
  clock.jump(2 * MINUTE + 1000);
  t.equal(await one.acquire(), true, 'without a sign of it for two minutes');
  await one.release();
  writeFileSync(file, '');
  t.equal(await one.acquire(), true, 'an empty file is nobody');
  await one.release();
  t.same(readdirSync(folder), []);
});

t.test('a certificate that cannot be kept is used, and kept as soon as it can be', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  let release = (): void => {};
  fake.hold = new Promise((resolve) => {
    release = resolve;
  });
  const store = scratch(t);
  const { manager, told, clock } = rig.manager({ directory: fake.directory, store });
  await want(manager, [['www.example.com']]);
  await until(() => fake.count('/finalize/0') > 0, undefined, moment);
  // A folder in the place of the file that is to be renamed.
  const folder = join(store, readdirSync(store)[0] as string);
  mkdirSync(join(folder, 'www.example.com.pem.new'));
  release();
  await told.next('certificate_ordered');
  t.match(told.warnings.join('\n'), /certificate of www\.example\.com is used, but could not be kept: E/);
  t.equal(manager.certificateFor('www.example.com')?.isSelfSigned, false);
  rmSync(join(folder, 'www.example.com.pem.new'), { recursive: true });
  clock.jump(2 * MINUTE);
  await until(() => readdirSync(folder).includes('www.example.com.pem'), 'it is kept', moment);
  t.equal(fake.count('/order'), 1);
});

t.test('a certificate that lacks a name which was added to its group is ordered anew', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  const store = scratch(t);
  const { manager, told } = rig.manager({ directory: fake.directory, store });
  await want(manager, [['example.com']]);
  await told.next('certificate_ordered');
  const before = manager.certificateFor('example.com');
  await want(manager, [['example.com', 'www.example.com']]);
  t.equal(manager.certificateFor('example.com')?.cert, before?.cert, 'what it has is served meanwhile');
  t.equal(manager.certificateFor('www.example.com')?.isSelfSigned, true);
  await told.next('certificate_ordered', 2);
  t.same([...(manager.certificateFor('www.example.com')?.hosts ?? [])].sort(), [
    'example.com',
    'www.example.com',
  ]);
});

t.test('a check finds a store that cannot be made, and a file of `ca` that is none', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'no PEM');
  const rest = { directory: '', email: null, hosts: [], groups: [], externalAccount: null } as const;
  const find = (store: string, ca: string | null): string[] => {
    const findings = new Findings(7);
    examineAcme({ ...rest, challenge: 'http-01', store, ca }, findings);
    return findings.all.map(({ severity, message }) => `${severity} ${message}`);
  };
  t.same(find(folder, null), []);
  t.same(find(join(folder, 'new', 'store'), null), [], 'it is made when it is needed');
  t.same(find(join(file, 'store'), null), [`error ${file} is not a folder`]);
  t.same(find(folder, file), ['error no certificate: it has none in PEM']);
  t.match(find(folder, join(folder, 'none')), [/^error ENOENT/]);
  t.match(find(folder, '/dev/zero'), [/^error it is a device/]);
});

t.test('nothing of an order goes on after the end', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  fake.hold = new Promise(() => {});
  const { manager, told } = rig.manager({ directory: fake.directory, store: scratch(t) });
  await want(manager, [['www.example.com']]);
  await until(() => fake.count('/finalize/0') > 0, undefined, moment);
  manager.stop();
  await moment();
  t.equal(told.count('certificate_failed'), 0);
  t.equal(told.count('certificate_ordered'), 0);
});

t.test('the event loop goes on while certificates are made and ordered', async (t) => {
  const rig = await startRig(t);
  const fake = await FakeDirectory.start(t);
  const store = scratch(t);
  chmodSync(store, 0o700);
  // In a process of their own the authority and this test would not count.
  fake.refusals.set('/order', { status: 403, type: 'rejectedIdentifier', detail: 'no' });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const { manager, told } = rig.manager({ directory: fake.directory, store });
  delay.enable();
  await want(manager, names(8));
  await told.next('certificate_failed', 8);
  delay.disable();
  t.ok(delay.percentile(99) / 1e6 < 50, `${delay.percentile(99) / 1e6} ms at the 99th percentile`);
});
