import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type ReadRequest, readHere, readSettings } from '../../lib/cli/read-settings.js';
import { StartSettingsError } from '../../lib/cli/start-settings.js';
import { NO_OPTIONS } from './no-options.js';

t.setTimeout(120_000);

/** A file that is too large to be read in the thread of the requests. */
function large(t: Test, more = ''): ReadRequest {
  const hosts = Array.from(
    { length: 1500 },
    (_, index) => `  - host: h${index}.example\n    servers: [127.0.0.1:${1000 + index}]\n`,
  );
  const directory = t.testdir({ 'bad.txt': '10.0.0.0/8\n192.0.2.1\n' });
  const file = join(directory, 'lb.yaml');
  const firewall = 'firewall_rules: { ip_reject: [{ file: bad.txt }], path_reject: ["~ ^/a(b|c)+$"] }\n';
  writeFileSync(file, `${firewall}hosts:\n${hosts.join('')}${more}`);
  return { options: NO_OPTIONS, file, inColour: true };
}

t.test('a large file is read in another thread, and comes to what it comes to in this one', async (t) => {
  const request = large(t, 'tests:\n  - { request: GET http://h7.example/x, expect: { path: /y } }\n');
  const here = readHere(request);
  const there = await readSettings(request);
  t.strictSame(there, here);
  t.match(there.failures, 'path: /x');
  t.not(there.config, here.config);
  t.ok(Object.isFrozen(there.config.hosts[7]?.scope.fallback));
});

t.test('problems of a large file are reported in the same words', async (t) => {
  const request = large(t, 'timeots: {}\n');
  let report = '';
  try {
    readHere(request);
  } catch (error) {
    ({ report } = error as StartSettingsError);
  }
  t.match(report, 'Did you mean timeouts?');
  await t.rejects(readSettings(request), new StartSettingsError(report));
  const told = await readSettings(request).catch((error: StartSettingsError) => error.report);
  t.equal(told, report);
});

t.test('a small file that names a large one is read in another thread too', async (t) => {
  const lines = Array.from({ length: 5000 }, (_, index) => `10.0.${index >> 8}.${index & 255}\n`);
  const directory = t.testdir({ 'list.txt': lines.join('') });
  const file = join(directory, 'lb.yaml');
  writeFileSync(file, 'firewall_rules: { ip_reject: [{ file: list.txt }] }\nrespond: { status: 204 }\n');
  const { config, files } = await readSettings({ options: NO_OPTIONS, file, inColour: false });
  t.match(config.firewall?.ipReject, [{ file: 'list.txt', entries: 5000 }]);
  t.strictSame(files, [file, join(directory, 'list.txt')]);
});

t.test(
  'a small file that includes a large one is read in another thread, with what is wrong in its place',
  async (t) => {
    const hosts = Array.from({ length: 1500 }, (_, n) => `  - { host: h${n}.example, respond: {} }\n`);
    const text = `hosts:\n${hosts.join('')}`;
    const directory = t.testdir({ 'conf.d': { 'a.yaml': text, 'b.yaml': 'hosts: []\n' } });
    const file = join(directory, 'lb.yaml');
    const read = () => readSettings({ options: NO_OPTIONS, file, inColour: false });
    writeFileSync(file, 'include: conf.d/*.yaml\n');
    const { config, files } = await read();
    t.equal(config.hosts.length, 1500);
    const names = ['lb.yaml', 'conf.d', 'conf.d/a.yaml', 'conf.d/b.yaml'];
    t.strictSame(
      files,
      names.map((name) => join(directory, name)),
    );
    writeFileSync(join(directory, 'conf.d/a.yaml'), `${text}    timeots: {}\n`);
    const refused = await read().catch((error: StartSettingsError) => error);
    t.match(refused, { report: /^\S*conf\.d\/a\.yaml:1502:/, files });
  },
);

t.test('where there may be no other thread the file is read in this one', async (t) => {
  const { file } = large(t);
  const program = fileURLToPath(new URL('../../lib/cli/read-settings.js', import.meta.url));
  const script = `
    const { readSettings } = await import(${JSON.stringify(`file://${program}`)});
    const options = ${JSON.stringify(NO_OPTIONS)};
    const { config } = await readSettings({ options, file: ${JSON.stringify(file)}, inColour: false });
    console.log(config.hosts.length);
  `;
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const run = promisify(execFile)(process.execPath, [
    permission,
    '--allow-fs-read=*',
    '--no-warnings',
    '--input-type=module',
    '-e',
    script,
  ]);
  t.equal((await run).stdout.trim(), '1500');
});
