import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startBackend } from '../../fixtures/backend.js';
import { get, start, url } from '../cli/program.js';
import { deadAddress } from '../support/origin.js';

/** Whoever is told of events: their kinds, as they come. */
async function listener(
  t: Test,
): Promise<{ url: string; told: string[]; until(what: string): Promise<void> }> {
  const told: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      const { events } = JSON.parse(text) as { events: { what: string; server: string }[] };
      for (const { what, server } of events) told.push(`${what} ${server}`.trim());
      response.writeHead(204).end();
      server.emit('told');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    told,
    async until(what) {
      while (!told.includes(what)) await once(server, 'told');
    },
  };
}

const lines = (file: string): { [field: string]: unknown }[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { [field: string]: unknown });

t.test('one line tells the whole story, files are rotated, and somebody else is told', async (t) => {
  const good = await startBackend({ name: 'good' });
  t.teardown(() => good.close());
  const dead = await deadAddress();
  const { url: webhook, told, until } = await listener(t);
  const directory = t.testdir({});
  const [file, log] = [join(directory, 'lb.yaml'), join(directory, 'access.log')];
  const write = (more: string): void =>
    writeFileSync(
      file,
      `listen: 127.0.0.1:0
health_check: { path: /healthcheck, interval: 1h, fall: 1, timeout: 1s }
servers:
  - { address: "${dead}", name: dead }
  - { address: "${good.address}", name: good }
access_log: { file: ${log}${more} }
events: { webhook: "${webhook}" }
`,
    );
  write('');
  const program = start(t, ['-c', file]);
  const target = await url(program);
  for (let i = 0; i < 2; i++) await get(`${target}/a?b=1`);
  await until('down dead');

  renameSync(log, `${log}.1`);
  program.child.kill('SIGUSR2');
  write(', status: 500-599');
  program.child.kill('SIGHUP');
  await until('reloaded');
  await get(`${target}/quiet`);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);

  const [first] = lines(`${log}.1`);
  t.match(first, {
    route: 'default',
    target: '/a?b=1',
    status: 200,
    server: 'good',
    reason: '',
    client: '127.0.0.1',
  });
  const all = lines(`${log}.1`).flatMap(({ tries }) => tries as { server: string; result: string }[]);
  t.ok(all.every(({ server, result }) => server === 'dead' || result === '200'));
  t.equal(readFileSync(log, 'utf8'), '', 'no request failed since');
  t.ok(told.includes('down dead'), told.join(', '));
});
