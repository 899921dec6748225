import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { RawClient } from '../support/client.js';
import { turns } from '../support/loop-ticks.js';
import { SWITCHED } from '../support/thread-switch.js';

const LEAVER = fileURLToPath(new URL('./leaver.js', import.meta.url));
// Each is a process of its own, which a busy machine starts slowly.
t.setTimeout(120_000);

for (const when of [
  'started',
  'starting',
  'asked',
  'drained',
  'draining',
  'checked',
  'tunnelling',
  'removed',
]) {
  t.test(`nothing holds the process once it was stopped when ${when}`, async (t) => {
    const child: ChildProcess = spawn(process.execPath, [LEAVER, when], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let text = '';
    child.stdout?.on('data', (bytes) => {
      text += bytes;
    });
    const [code] = await once(child, 'close');
    t.equal(code, 0);
    t.equal(text, 'stopped\n');
  });
}

t.test('a balancer that is stopped while it starts does not listen afterwards', async (t) => {
  const balancer = createBalancer(
    createConfig({ listen: ['localhost:0', '127.0.0.1:0'], health_check: false }),
    {},
    SWITCHED,
  );
  const starting = balancer.start();
  balancer.stop();
  await t.rejects(starting, /stopped|closed/);
  await turns(50);
  for (const address of balancer.addresses) {
    if (address.kind === 'tcp' && address.port !== 0) await t.rejects(RawClient.connect(address.port));
  }
  await t.rejects(balancer.start(), /stopped/);
});

t.test('a second listener that cannot be bound takes the first with it', async (t) => {
  const taken = createBalancer(createConfig({ listen: '127.0.0.1:0', health_check: false }), {}, SWITCHED);
  await taken.start();
  t.teardown(() => taken.stop());
  const [address] = taken.addresses;
  const port = address?.kind === 'tcp' ? address.port : 0;
  const second = createBalancer(
    createConfig({ listen: ['127.0.0.1:0', `127.0.0.1:${port}`], health_check: false }),
    {},
    SWITCHED,
  );
  await t.rejects(second.start(), { code: 'EADDRINUSE' });
  const [first] = second.addresses;
  await turns();
  await t.rejects(RawClient.connect(first?.kind === 'tcp' ? first.port : 0), { code: 'ECONNREFUSED' });
});

t.test('stopping twice, or before it was started, is allowed', async (t) => {
  const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', health_check: false }), {}, SWITCHED);
  balancer.stop();
  balancer.stop();
  t.equal(await balancer.drain(), true);
});
