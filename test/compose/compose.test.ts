import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { ComposeSet, freePort, PROJECT, SERVICES, statusOf, until, whyNoCompose } from './compose-set.js';
import { Load } from './load.js';

const missing = await whyNoCompose();
if (missing !== undefined) {
  if (process.env.LB_REQUIRE_DOCKER === '1') t.fail(`LB_REQUIRE_DOCKER=1, but ${missing}`);
  else process.stderr.write(`\nSKIPPED, containers are not tested: ${missing}\n\n`);
}

// Containers start and stop at their own pace, and a first image may have to be pulled.
t.setTimeout(300_000);

await t.test('containers', { skip: missing ?? false }, async (t) => {
  const set = await ComposeSet.create();
  t.teardown(() => set.down());
  await set.compose('up', '-d', ...SERVICES);
  for (const service of SERVICES) await answers(set, service);

  await t.test('each is itself, and turns unhealthy alone', async (t) => {
    for (const service of SERVICES) {
      const response = await fetch(`http://${set.address(service)}/`);
      t.equal(await response.text(), `Hello from ${service}\n`);
    }
    await fetch(`http://${set.address('apple-1')}/unhealthy`, { method: 'POST' });
    t.equal(await statusOf(`http://${set.address('apple-1')}/healthcheck`), 500);
    t.equal(await statusOf(`http://${set.address('apple-2')}/healthcheck`), 200);
    await fetch(`http://${set.address('apple-1')}/healthy`, { method: 'POST' });
  });

  await t.test('the balancer rides over servers that stop, fail and return', async (t) => {
    const lb = await startBalancer(set);
    t.teardown(() => lb.child.kill('SIGKILL'));
    const load = new Load(`http://127.0.0.1:${lb.port}/work`, 8);
    t.teardown(() => load.stop());
    await until('every server has work', () => SERVICES.every((service) => load.servedBy(service) > 50));

    await t.test('a container stops under load', async (t) => {
      await set.compose('stop', 'mango-1');
      await lb.says(/is down/, set.address('mango-1'));
      t.ok(await moreFrom(load, 500), 'the others go on');
      const before = load.servedBy('mango-1');
      t.ok(await moreFrom(load, 500));
      t.equal(load.servedBy('mango-1'), before, 'and mango-1 is left alone');
    });

    await t.test('a container that starts again gets requests again', async (t) => {
      await set.compose('start', 'mango-1');
      await lb.says(/is back/, set.address('mango-1'));
      const before = load.servedBy('mango-1');
      await until('mango-1 has work', () => load.servedBy('mango-1') > before + 50);
      t.pass('mango-1 works');
    });

    await t.test(
      'a container is killed under load, in the middle of its work, and starts again',
      async (t) => {
        await set.compose('kill', 'mango-2');
        await lb.says(/is down/, set.address('mango-2'));
        t.ok(await moreFrom(load, 500), 'the others go on');
        await set.compose('start', 'mango-2');
        await lb.says(/is back/, set.address('mango-2'));
        const before = load.servedBy('mango-2');
        await until('mango-2 has work', () => load.servedBy('mango-2') > before + 50);
        t.pass('mango-2 works');
      },
    );

    await t.test('a failing health check takes a server out, a good one brings it back', async (t) => {
      const apple = `http://${set.address('apple-2')}`;
      await fetch(`${apple}/unhealthy`, { method: 'POST' });
      await lb.says(/is down: status 500/, set.address('apple-2'));
      await fetch(`${apple}/healthy`, { method: 'POST' });
      await lb.says(/is back/, set.address('apple-2'));
      t.pass('apple-2 went and came');
    });

    await load.stop();
    lb.child.kill('SIGTERM');
    t.same(await once(lb.child, 'close'), [0, null], 'the balancer drains and exits with 0');
    const logged = lb.accessLines().filter((line) => line.includes('/work'));
    const amiss = logged.filter((line) => !line.includes('"status":200') || !line.includes('"reason":""'));
    t.same(load.failures, [], `every one of ${load.answered} requests was answered with 200`, { amiss });
    t.same(amiss, [], 'nothing was amiss in the access log');
    t.equal(logged.length, load.answered + load.failures.length, 'where each request has its line');
  });

  await t.test('the balancer stands in front of them in a container', async (t) => {
    await set.compose('--profile', 'lb', 'up', '-d');
    await answers(set, 'lb');
    const load = new Load(`http://${set.address('lb')}/work`, 4);
    t.teardown(() => load.stop());
    await until('every server has work', () => SERVICES.every((service) => load.servedBy(service) > 20));
    await set.compose('stop', 'apple-1');
    t.ok(await moreFrom(load, 500));
    await load.stop();
    t.same(load.failures, [], `every one of ${load.answered} requests was answered with 200`);
    await set.compose('--profile', 'lb', 'stop', '--timeout', '10', 'lb');
    t.match(
      await set.compose('--profile', 'lb', 'ps', '-a', 'lb'),
      /Exit(ed)? \(?0/,
      'SIGTERM ends it with 0',
    );
  });
});

async function answers(set: ComposeSet, service: Parameters<ComposeSet['address']>[0]): Promise<void> {
  await until(`${service} answers`, async () => (await statusOf(`http://${set.address(service)}/`)) === 200);
}

/** Whether the load got `count` more answers within the time `until` allows. */
async function moreFrom(load: Load, count: number): Promise<boolean> {
  const before = load.answered;
  await until(`${count} more answers`, () => load.answered >= before + count);
  return true;
}

interface Balancer {
  readonly child: ChildProcess;
  readonly port: number;
  /** Waits for a line of stderr, after the last one waited for, that names the server and matches. */
  says(what: RegExp, server: string): Promise<void>;
  accessLines(): string[];
}

async function startBalancer(set: ComposeSet): Promise<Balancer> {
  const port = await freePort();
  const servers = SERVICES.map((service) => set.address(service));
  const options = ['--health-path', '/healthcheck', '--health-interval', '200ms', '--access-log', 'json'];
  const child = spawn(process.execPath, [`${PROJECT}bin/lb.js`, String(port), ...servers, ...options]);
  let stdout = '';
  let stderr = '';
  let read = 0;
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const waitingFor = (what: string) => (): string => `${what}; the balancer said:\n${stderr}`;
  await until(waitingFor('the balancer answers'), async () => {
    if (child.exitCode !== null) throw new Error(`the balancer exited with ${child.exitCode}: ${stderr}`);
    return (await statusOf(`http://127.0.0.1:${port}/`)) === 200;
  });
  return {
    child,
    port,
    says: (what, server) =>
      until(waitingFor(`a line with ${what} about ${server}`), () => {
        const lines = stderr.split('\n');
        const at = lines.findIndex((line, i) => i >= read && line.includes(server) && what.test(line));
        if (at >= 0) read = at + 1;
        return at >= 0;
      }),
    accessLines: () => stdout.split('\n').filter((line) => line.startsWith('{')),
  };
}
