import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { start, url } from './program.js';

interface Checked {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

async function healthcheck(t: Test, words: readonly string[], cwd: string): Promise<Checked> {
  const program = start(t, ['healthcheck', ...words], { cwd });
  const code = await program.end();
  const { stdout, stderr } = program;
  return { code, stdout, stderr };
}

t.setTimeout(120_000);

/** A free port of loopback. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

t.test(
  'lb healthcheck asks the admin listener of the file whether lb is alive, not whether it is ready',
  async (t) => {
    const admin = await freePort();
    const file = `listen: 127.0.0.1:0\nadmin: { listen: ${admin}, token: "0123456789abcdef" }\nservers: [localhost:1]\nhealth_check: { interval: 100ms }\n`;
    const cwd = t.testdir({ 'loadbalancer.yaml': file });
    const lb = start(t, [], { cwd });
    await url(lb);
    t.match(await healthcheck(t, [], cwd), { code: 0, stdout: `127.0.0.1:${admin} is alive\n`, stderr: '' });
    // The only server refuses connections: soon nothing is ready.
    await lb.onStderr(/(localhost:1) is down/);
    const ready = await healthcheck(t, ['--ready'], cwd);
    t.match(ready, { code: 1, stderr: `lb: 127.0.0.1:${admin} answers 503.\n` });
    t.equal(
      (await healthcheck(t, ['--admin', String(admin)], t.testdir())).code,
      0,
      'named on the command line',
    );
  },
);

t.test(
  'lb healthcheck speaks to each kind of listener as that expects, and asks the easiest first',
  async (t) => {
    const [plain, secure, told, both, closed] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const listeners = {
      plain: `{ address: "127.0.0.1:${plain}", redirect: https }`,
      secure: `{ address: "127.0.0.1:${secure}", tls: internal }`,
      told: `{ address: "127.0.0.1:${told}", proxy_protocol: [127.0.0.1] }`,
      both: `{ address: "127.0.0.1:${both}", tls: internal, proxy_protocol: [127.0.0.1] }`,
      closed: `{ address: "127.0.0.1:${closed}", proxy_protocol: [10.0.0.0/8] }`,
    };
    const file = (...listen: string[]): string =>
      `listen: [${listen.join(', ')}]\nservers: [localhost:1]\nreadiness_path: /ready\n`;
    const cwd = t.testdir({
      'loadbalancer.yaml': file(...Object.values(listeners)),
      secure: file(listeners.secure),
      told: file(listeners.told),
      both: file(listeners.both),
      easiest: file(listeners.closed, listeners.plain, listeners.secure),
      closed: file(listeners.closed),
    });
    const lb = start(t, [], { cwd, env: { HOME: cwd } });
    await lb.onStderr(/(try it)/);
    for (const [name, port] of [
      ['secure', secure],
      ['told', told],
      ['both', both],
      ['easiest', plain],
    ] as const) {
      const checked = await healthcheck(t, ['-c', name], cwd);
      t.match(checked, { code: 0, stdout: `127.0.0.1:${port} is alive\n`, stderr: '' }, name);
    }
    t.match(await healthcheck(t, ['-c', 'closed'], cwd), {
      code: 1,
      stderr: `lb: 127.0.0.1:${closed} closes the connection: this machine may not be in its proxy_protocol.\n`,
    });
  },
);

t.test(
  'without an admin listener the readiness path is asked; a 503 of it is alive and not ready',
  async (t) => {
    const port = await freePort();
    const file = `listen: 127.0.0.1:${port}\nreadiness_path: /ready\nservers: [localhost:1]\naccess_log: json\nhealth_check: { interval: 100ms }\n`;
    const cwd = t.testdir({ 'other.yaml': file });
    const lb = start(t, ['-c', 'other.yaml'], { cwd });
    await lb.onStderr(/(localhost:1) is down/);
    t.match(await healthcheck(t, ['-c', 'other.yaml'], cwd), {
      code: 0,
      stdout: `127.0.0.1:${port} is alive\n`,
    });
    const ready = await healthcheck(t, ['-c', 'other.yaml', '--ready'], cwd);
    t.match(ready, { code: 1, stderr: `lb: 127.0.0.1:${port} answers 503.\n` });
    t.equal(lb.stdout, '', 'and nothing is logged');
  },
);

t.test(
  'without either a request that ends at lb shows that it is alive, and no server sees it',
  async (t) => {
    const port = await freePort();
    const cwd = t.testdir();
    const lb = start(t, [String(port), 'localhost:1'], { cwd });
    await url(lb);
    t.match(await healthcheck(t, [String(port)], cwd), { code: 0, stdout: `${port} is alive\n` });
    const ready = await healthcheck(t, [String(port), '--ready'], cwd);
    t.match(ready, { code: 1, stderr: /^lb: --ready needs an admin listener or a readiness_path/ });
  },
);

t.test('lb healthcheck fails without an answer, without one in time, and with a bad file', async (t) => {
  const cwd = t.testdir();
  const port = await freePort();
  t.match(await healthcheck(t, [String(port)], cwd), { code: 1, stderr: /^lb: no answer at / });

  const deaf = createServer(() => {}).listen(0, '127.0.0.1');
  t.teardown(() => deaf.close());
  await once(deaf, 'listening');
  const { port: silent } = deaf.address() as { port: number };
  t.match(await healthcheck(t, [String(silent)], cwd), {
    code: 1,
    stderr: /does not answer within 2 s\.\n$/,
  });

  writeFileSync(join(cwd, 'loadbalancer.yaml'), 'lisen: 1\n');
  const bad = await healthcheck(t, [], cwd);
  t.match(bad, {
    code: 1,
    stderr: /^lb: loadbalancer\.yaml:1: lisen: unknown key|^lb: loadbalancer\.yaml:1: unknown key/,
  });
  t.match(await healthcheck(t, ['-c', 'none.yaml'], cwd), { code: 1, stderr: /cannot read none\.yaml/ });
});
