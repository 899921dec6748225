import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startBackend } from '../../fixtures/backend.js';
import { get, start, url } from './program.js';

t.test('SIGHUP takes over a good file, and keeps to the old one when the new one is bad', async (t) => {
  const first = await startBackend({ name: 'first' });
  const second = await startBackend({ name: 'second' });
  t.teardown(() => Promise.all([first.close(), second.close()]));
  const directory = mkdtempSync(join(tmpdir(), 'lb-reload-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'lb.yaml');
  const write = (servers: string, more = ''): void =>
    writeFileSync(
      file,
      `listen: 127.0.0.1:0\nhealth_check: { path: /healthcheck }\nservers: [${servers}]\n${more}`,
    );
  write(first.address);
  const program = start(t, ['-c', file]);
  const target = await url(program);
  t.match(await get(target), { text: /Hello from first/ });

  write(second.address);
  program.child.kill('SIGHUP');
  await program.onStderr(/reloaded .*lb\.yaml/);
  t.match(await get(target), { text: /Hello from second/ }, 'on the same port');

  write(first.address, 'timeots: {}\nlimits: { headers: many }\n');
  program.child.kill('SIGHUP');
  await program.onStderr(/not taken over/);
  t.match(program.stderr, /lb\.yaml:4:1 {2}timeots: unknown key\. Did you mean timeouts\?/);
  t.match(program.stderr, /lb\.yaml:5:20 {2}limits\.headers: /, 'every problem is told');
  t.match(await get(target), { text: /Hello from second/ });

  write(first.address, 'tests:\n  - { request: GET http://a/x, expect: { path: /y } }\n');
  program.child.kill('SIGHUP');
  await program.onStderr(/not taken over[\s\S]*not taken over/);
  t.match(program.stderr, /- path: \/y\n.*\+ path: \/x\n/, 'a test that fails refuses the file');
  t.match(await get(target), { text: /Hello from second/ });

  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});
