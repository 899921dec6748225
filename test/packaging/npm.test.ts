import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { run } from './command.js';
import { NPM, packInto } from './packed.js';

// npm takes its time on a busy machine.
t.setTimeout(240_000);

t.test('the package installs into an empty project and works there by itself', async (t) => {
  const folder = t.testdir({
    app: { 'package.json': '{ "name": "app", "version": "1.0.0", "private": true, "type": "module" }' },
  });
  const app = join(folder, 'app');
  const packed = await packInto(folder);
  const paths = packed.files.map(({ path }) => path);
  t.same(
    paths.filter(
      (path) => path.endsWith('.map') || path.startsWith('test/') || path.startsWith('dist/test/'),
    ),
    [],
  );
  for (const path of [
    'bin/lb.js',
    'dist/lib/http/llhttp.wasm',
    'dist/lib/http/llhttp.LICENSE',
    'lib/config/schema.json',
    'docs/man/lb.1',
    'packaging/systemd/lb.service',
    'packaging/prometheus/alerts.yml',
    'LICENSE',
    'README.md',
  ])
    t.ok(paths.includes(path), path);

  await run('npm', ['install', ...NPM, join(folder, packed.filename)], { cwd: app });
  const tree = await run('npm', ['ls', '--all'], { cwd: app });
  t.notMatch(tree.stdout, /typescript|UNMET|invalid|extraneous/);
  const bill = await run('npm', ['sbom', '--sbom-format', 'cyclonedx'], { cwd: app });
  t.equal((JSON.parse(bill.stdout) as { bomFormat: string }).bomFormat, 'CycloneDX');

  const version = await run('npx', ['--no-install', 'lb', '--version'], { cwd: app });
  t.match(version.stdout, /^lb \d+\.\d+\.\d+\n$/);
  const help = await run('node_modules/.bin/lb', ['help', 'timeouts.connect'], { cwd: app });
  t.match(help.stdout, 'Default');

  const servers = [await startFixtureServer({ name: 'one' }), await startFixtureServer({ name: 'two' })];
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  writeFileSync(
    join(app, 'embed.js'),
    `import { createBalancer, createConfig } from 'lb-http';
const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', servers: ${JSON.stringify(servers.map(({ address }) => address))} }));
await balancer.start();
const url = 'http://127.0.0.1:' + balancer.addresses[0].port + '/';
const answers = [await (await fetch(url)).text(), await (await fetch(url)).text()];
console.log(answers.map((answer) => answer.trim()).sort().join(', '));
balancer.stop();
`,
  );
  const embedded = await run(process.execPath, ['embed.js'], { cwd: app });
  t.equal(embedded.stdout, 'Hello from one, Hello from two\n');
});
