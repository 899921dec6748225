import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { get, start, url } from './program.js';

const WATCH = /watch +(http:\S+\/) /;

t.test('the demo has a status page, on a free port when its own is taken', async (t) => {
  // By us, or by somebody else.
  const other = createServer().listen(9090, '127.0.0.1');
  t.teardown(() => other.close());
  await Promise.race([once(other, 'listening'), once(other, 'error')].map((event) => event.catch(() => {})));
  const program = start(t, ['0'], { cwd: t.testdir({}) });
  const page = await program.onStderr(WATCH);
  t.not(new URL(page).port, '9090');
  const { status, text } = await get(page);
  t.equal(status, 200);
  t.match(text, /<title>lb<\/title>/);
  t.match(await get(`${page}readyz`), { status: 200, text: 'ready\n' });
});

t.test('metrics, status and reload of a program that runs', async (t) => {
  const server = await startFixtureServer({ name: 'plain' });
  t.teardown(() => server.close());
  const settings = (more: string): string =>
    `servers: [{ address: "${server.address}", name: plain }]\nadmin: 0\n${more}`;
  const directory = t.testdir({ 'lb.yaml': settings('') });
  const file = join(directory, 'lb.yaml');
  const program = start(t, ['0', '-c', file]);
  const admin = await program.onStderr(WATCH);
  const lb = await url(program);
  t.equal((await get(lb)).status, 200);
  t.match((await get(`${admin}metrics`)).text, /^lb_requests_total\{.*\} 1$/m);
  t.match(JSON.parse((await get(`${admin}api/status`)).text), { config: { path: file } });
  const reload = async (): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`${admin}api/reload`, { method: 'POST', headers: { connection: 'close' } });
    return { status: response.status, body: await response.json() };
  };
  writeFileSync(file, settings('firewall_rules: { path_reject: [/a] }\n'));
  t.match(await reload(), { status: 200, body: { ok: true, message: /^reloaded / } });
  t.equal((await get(`${lb}a`)).status, 403);
  writeFileSync(file, settings('lisen: 1\n'));
  const refused = await reload();
  t.match(refused, {
    status: 422,
    body: { error: { code: 'bad_config', message: /not loaded$/, details: /lisen: unknown key/ } },
  });
  t.equal((await get(`${lb}a`)).status, 403, 'the settings from before stay in force');
  t.match(JSON.parse((await get(`${admin}api/servers/plain`)).text), {
    name: 'plain',
    state: /up|unchecked/,
  });
});
