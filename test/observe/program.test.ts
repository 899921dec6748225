import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { get, start, url } from '../cli/program.js';
import { deadAddress } from '../support/origin.js';
import { startListener } from './troubled-site.js';

const lines = (file: string): { [field: string]: unknown }[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { [field: string]: unknown });

t.test(
  'each request is one line with its attempts, log files are rotated, and the webhook gets events',
  async (t) => {
    const good = await startFixtureServer({ name: 'good' });
    t.teardown(() => good.close());
    const dead = await deadAddress();
    const { url: webhook, until } = await startListener(t);
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
    await until('down', 'dead');

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
  },
);
