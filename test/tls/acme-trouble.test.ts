import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { TestAuthority } from '../support/certificates.js';
import { until } from '../support/loop-ticks.js';
import { startRig, want } from './acme-rig.js';
import { Pebble, scratch, skipWithoutPebble } from './pebble.js';

// Each test starts an authority, and threads that take a second on a busy machine.
t.setTimeout(120_000);

const HOUR = 60 * 60 * 1000;
const needsPebble = { skip: skipWithoutPebble };

/** The folder of the only authority in a store. */
function folderOf(store: string): string {
  return join(store, readdirSync(store)[0] as string);
}

/** Long enough for several ticks, in which something would happen that must not. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

t.test('damaged files of the store are reported, set aside and made anew', needsPebble, async (t) => {
  const rig = await startRig(t);
  const { directory, ca } = await Pebble.start(t, { httpPort: rig.httpPort });
  const store = scratch(t);
  const first = rig.manager({ directory, ca, store });
  await want(first.manager, [['www.example.com'], ['api.example.com']]);
  await first.told.next('certificate_ordered', 2);
  first.manager.stop();
  const folder = folderOf(store);
  const other = await (await TestAuthority.create()).issue({ names: ['www.example.com'] });
  const pem = readFileSync(join(folder, 'www.example.com.pem'), 'utf8');
  const foreignKey = pem.replace(/-----BEGIN PRIVATE KEY-----[\s\S]*$/, other.key);
  writeFileSync(join(folder, 'www.example.com.pem'), foreignKey);
  writeFileSync(join(folder, 'api.example.com.pem'), pem.slice(0, 400));
  writeFileSync(join(folder, 'account.json'), '{"key": "none"');
  writeFileSync(join(folder, 'failures.json'), '[');
  const { manager, told } = rig.manager({ directory, ca, store });
  await want(manager, [['www.example.com'], ['api.example.com']]);
  await told.next('certificate_ordered', 2);
  const said = told.warnings.join('\n');
  for (const file of ['www.example.com.pem', 'api.example.com.pem', 'account.json', 'failures.json'])
    t.match(said, new RegExp(`${file} cannot be understood \\(.*\\); it is ${file}.bad now`));
  t.match(said, /its key is that of another certificate/);
  t.match(
    readdirSync(folder).sort().join(' '),
    /account\.json account\.json\.bad api\.example\.com\.pem api/,
  );
});

t.test('an authority that asks for external account binding gets it', needsPebble, async (t) => {
  const rig = await startRig(t);
  const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
  const externalAccounts = { 'kid-1': hmacKey };
  const { directory, ca } = await Pebble.start(t, { httpPort: rig.httpPort, externalAccounts });
  const without = rig.manager({ directory, ca, store: scratch(t) });
  await want(without.manager, [['www.example.com']]);
  const { reason } = await without.told.next('certificate_failed');
  t.match(reason, /^no account: .*externalAccountBinding/);
  const externalAccount = { kid: 'kid-1', hmacKey };
  const { manager, told } = rig.manager({ directory, ca, store: scratch(t), externalAccount });
  await want(manager, [['www.example.com']]);
  await told.next('certificate_ordered');
  t.equal(manager.certificateFor('www.example.com')?.isSelfSigned, false);
});

t.test(
  'a directory whose own certificate is not trusted is reported, and tried again later',
  needsPebble,
  async (t) => {
    const rig = await startRig(t);
    const { directory } = await Pebble.start(t, { httpPort: rig.httpPort });
    const { manager, told } = rig.manager({ directory, store: scratch(t) });
    await want(manager, [['www.example.com']]);
    const { reason, retryMs } = await told.next('certificate_failed');
    t.match(reason, /^no account: 127\.0\.0\.1:\d+: unable to verify the first certificate/);
    t.ok(retryMs > 40_000 && retryMs < 80_000, `${retryMs} ms`);
    t.equal(manager.certificateFor('www.example.com')?.isSelfSigned, true);
  },
);

t.test('a file of `ca` that is not there is told, and read when it is there', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort });
  const folder = scratch(t);
  const ca = join(folder, 'later.pem');
  const { manager, told, clock } = rig.manager({
    directory: pebble.directory,
    ca,
    store: join(folder, 'store'),
  });
  await want(manager, [['www.example.com']]);
  t.match(told.warnings.join('\n'), /ENOENT.*later\.pem/);
  writeFileSync(ca, readFileSync(pebble.ca));
  clock.jump(HOUR);
  await told.next('certificate_ordered');
});

t.test('a directory that is away for a while is asked again at growing intervals', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort });
  const { directory, ca } = pebble;
  await pebble.stop();
  const { manager, told, clock } = rig.manager({ directory, ca, store: scratch(t) });
  await want(manager, [['www.example.com']]);
  const delays: number[] = [];
  for (let tries = 1; tries <= 4; tries++) {
    const { reason, retryMs } = await told.next('certificate_failed', tries);
    t.match(reason, /ECONNREFUSED/);
    delays.push(retryMs);
    clock.jump(retryMs - 1000);
    await moment();
    t.equal(told.count('certificate_failed'), tries, 'not before that time');
    if (tries < 4) clock.jump(1000);
  }
  t.ok(delays[3]! > 4 * delays[0]!, delays.join(' '));
  await pebble.start();
  // On a busy machine the next try may have come before the authority.
  await until(
    () => told.count('certificate_ordered') > 0,
    'the certificate is ordered once the authority is there',
    () => {
      clock.jump(10 * 60_000);
      return moment();
    },
  );
  t.equal(manager.statuses[0]?.error, null);
});

t.test('a name that does not lead here is reported in the words of the authority', needsPebble, async (t) => {
  const rig = await startRig(t);
  // Nothing listens on that port.
  const { directory, ca } = await Pebble.start(t, { httpPort: 1 });
  const store = scratch(t);
  const { manager, told, clock } = rig.manager({ directory, ca, store });
  await want(manager, [['www.example.com']]);
  const { host, reason, retryMs } = await told.next('certificate_failed');
  t.equal(host, 'www.example.com');
  t.match(reason, /^http-01 for www\.example\.com failed: .*(?:connection|refused)/i);
  t.ok(retryMs > 40_000 && retryMs < 80_000, `${retryMs} ms`);
  t.match(manager.statuses, [{ state: 'self_signed', failures: 1, error: reason }]);
  t.ok(rig.challenges.isEmpty, 'no challenge is left');
  clock.jump(retryMs + 1000);
  const second = await told.next('certificate_failed', 2);
  t.ok(second.retryMs > retryMs, 'the next try is later');
  manager.stop();
  const restarted = rig.manager({ directory, ca, store }, clock);
  await want(restarted.manager, [['www.example.com']]);
  t.match(restarted.manager.statuses, [{ failures: 2, error: second.reason }], 'a restart knows of it');
  t.equal(restarted.told.count('certificate_failed'), 0);
});

t.test('a store that cannot be written is reported, and nothing is ordered', needsPebble, async (t) => {
  const rig = await startRig(t);
  const pebble = await Pebble.start(t, { httpPort: rig.httpPort });
  const { directory, ca } = pebble;
  const folder = scratch(t);
  writeFileSync(join(folder, 'file'), '');
  const store = join(folder, 'file', 'store');
  const { manager, told, clock } = rig.manager({ directory, ca, store });
  await want(manager, [['www.example.com']]);
  t.match(told.warnings.join('\n'), /acme: the store cannot be used: ENOTDIR.*; tried again in [\d.]+[sm]/);
  t.equal(manager.certificateFor('www.example.com')?.isSelfSigned, true);
  clock.jump(HOUR);
  await moment();
  t.equal(pebble.count('order-plz'), 0);
});

t.test('the proxy that the environment names is used to reach the authority', needsPebble, async (t) => {
  const rig = await startRig(t);
  const { directory, ca } = await Pebble.start(t, { httpPort: rig.httpPort });
  const tunnels: string[] = [];
  const proxy = createServer().listen(0, '127.0.0.1');
  proxy.on('connect', (request, client) => {
    tunnels.push(request.url ?? '');
    const [host, port] = (request.url ?? '').split(':');
    const server = connect(Number(port), host, () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  });
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  process.env.HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  t.teardown(() => {
    delete process.env.HTTPS_PROXY;
  });
  const { manager, told } = rig.manager({ directory, ca, store: scratch(t) });
  await want(manager, [['www.example.com']]);
  await told.next('certificate_ordered');
  t.same(new Set(tunnels), new Set([new URL(directory).host]));
});
