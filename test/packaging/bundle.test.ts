import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { VERSION } from '../../lib/base/version.js';
import { freePorts } from '../bench/machine.js';
import { ROOT } from '../docs/markdown.js';
import { until } from '../support/loop-ticks.js';
import { lacking, run } from './command.js';

// Programs of a hundred megabytes are copied and packed.
t.setTimeout(300_000);

/** Each file of a folder that is no folder itself. */
function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Fills a folder with what the launcher needs of a system, and no Node; gives the environment that has nothing else. */
async function withoutNode(folder: string): Promise<NodeJS.ProcessEnv> {
  for (const tool of ['readlink', 'dirname'])
    symlinkSync((await run('which', [tool])).stdout.trim(), join(folder, tool));
  return { PATH: folder };
}

/** Runs an installed lb in front of two servers, and stops it. */
async function balances(t: Test, lb: string, env: NodeJS.ProcessEnv): Promise<void> {
  const servers = [await startFixtureServer({ name: 'one' }), await startFixtureServer({ name: 'two' })];
  const [port = 0] = await freePorts(1);
  const program = spawn(lb, [String(port), ...servers.map(({ address }) => address)], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => program.kill('SIGKILL'));
  let said = '';
  program.stderr.on('data', (text) => {
    said += text;
  });
  await until(() => said.includes('try it'), 'the program has started');
  const get = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    return response.text();
  };
  t.same([await get(), await get()].sort(), ['Hello from one\n', 'Hello from two\n']);
  program.kill('SIGTERM');
  t.same(await once(program, 'close'), [0, null]);
  await Promise.all(servers.map((server) => server.close()));
}

const onLinux = { skip: process.platform !== 'linux' && 'it is for Linux' };

t.test('the tarball', onLinux, async (t) => {
  const folder = t.testdir({ empty: {}, made: {}, tools: {} });
  await run(process.execPath, [join(ROOT, 'packaging/tarball/make-tarball.mjs'), join(folder, 'made')], {
    env: { ...process.env, TAR_COMPRESSION: '1' },
  });
  const name = `lb-${VERSION}-linux-${process.arch}`;
  t.same(readdirSync(join(folder, 'made')), [`${name}.tar.gz`]);
  await run('tar', ['-xzf', join('../made', `${name}.tar.gz`)], { cwd: join(folder, 'empty') });
  const unpacked = join(folder, 'empty', name);
  await t.test('what is laid out is what npm packs, and the packages that run with it', (t) =>
    holdsThePackage(t, unpacked),
  );
  await t.test(
    'it runs where it is unpacked, on a machine without Node, and takes nothing from outside',
    (t) => runsWithoutNode(t, unpacked, folder),
  );
});

async function holdsThePackage(t: Test, unpacked: string): Promise<void> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const all = filesOf(unpacked);
  const own = all.filter((file) => !/^(node_modules\/|node\/|bin\/lb$)/.test(file));
  t.same(own, files.map(({ path }) => path).sort());
  const packages = new Set(
    all.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
  );
  t.ok(packages.has('ajv') && packages.has('fast-uri'), 'what it depends on, and what that depends on');
  t.notOk(packages.has('typescript') || packages.has('tap'), 'nothing of its making');
  const ls = await run('npm', ['ls', '--all', '--omit=dev'], { cwd: unpacked });
  t.notMatch(ls.stdout, /UNMET|invalid|extraneous/);
  const scripts = own.filter((file) => file.startsWith('dist/') && file.endsWith('.js'));
  t.ok(scripts.length > 100);
  t.same(
    scripts.filter((file) => readFileSync(join(unpacked, file), 'utf8').includes('sourceMappingURL')),
    [],
    'no file names a source map that is not there',
  );
}

async function runsWithoutNode(t: Test, unpacked: string, folder: string): Promise<void> {
  const env = await withoutNode(join(folder, 'tools'));
  const at = { cwd: unpacked, env };
  t.equal((await run('bin/lb', ['--version'], at)).stdout, `lb ${VERSION}\n`);
  t.match((await run('bin/lb', ['--help'], at)).stdout, '\n  bin/lb 8080 localhost:5001 localhost:5002\n');
  t.match((await run('bin/lb', ['help', 'sticky'], at)).stdout, /^sticky\n/);
  symlinkSync(join(unpacked, 'bin/lb'), join(folder, 'lb'));
  t.equal((await run(join(folder, 'lb'), ['--version'], { env })).stdout, `lb ${VERSION}\n`, 'by a link');
  await balances(t, join(unpacked, 'bin/lb'), env);
  for (const file of [
    'node/LICENSE',
    'LICENSE',
    'README.md',
    'docs/operations.md',
    'docs/man/lb.1',
    'packaging/systemd/lb.service',
    'packaging/systemd/lb.socket',
  ])
    t.ok(statSync(join(unpacked, file)).size > 0, file);
}

t.test('a Node that would not do is refused before anything is written', async (t) => {
  const cases: readonly (readonly [answer: string, complaint: RegExp])[] = [
    ['["18.20.0","x64","linux"]', /is Node 18\.20\.0: lb needs >=20/],
    ['["24.0.0","arm64","darwin"]', /is a Node for darwin: the bundle is for Linux/],
  ];
  for (const [answer, complaint] of cases) {
    const folder = t.testdir({ node: `#!/bin/sh\necho '${answer}'\n`, out: {} });
    chmodSync(join(folder, 'node'), 0o755);
    const made = run(
      process.execPath,
      [join(ROOT, 'packaging/tarball/make-tarball.mjs'), join(folder, 'out')],
      {
        env: { ...process.env, NODE: join(folder, 'node') },
      },
    );
    await t.rejects(made, { message: complaint });
    t.same(readdirSync(join(folder, 'out')), []);
  }
});

/** What a machine does with the package, in an overlay of this one: nothing of it stays. */
const INSTALLS = `
set -eu
base=$1 package=$2
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
cp "$package" "$base/root/lb.deb"
mount --rbind /dev "$base/root/dev"
mount -t proc proc "$base/root/proc"
# The index of all man pages of the machine is of no use here.
rm -f "$base/root/var/lib/man-db/auto-update"
exec chroot "$base/root" sh -euc '
  dpkg -i /lb.deb
  echo "== installed"
  lb --version
  id -un lb
  lb check -c /etc/lb/loadbalancer.yaml
  dpkg -V lb-http
  man -w lb
  echo "== unit"
  systemd-analyze verify lb.service lb.socket
  systemd-analyze security --offline=true --threshold=40 lb.service >/dev/null
  echo "== upgraded"
  echo "# mine" >>/etc/lb/loadbalancer.yaml
  dpkg -i /lb.deb >/dev/null
  tail -n 1 /etc/lb/loadbalancer.yaml
  echo "== removed"
  dpkg -r lb-http >/dev/null
  ls /usr/bin/lb /usr/lib/lb /etc/lb 2>&1 || true
  echo "== purged"
  dpkg -P lb-http >/dev/null
  ls /etc/lb /etc/default/lb /etc/logrotate.d/lb 2>&1 || true
'`;

t.test(
  'the Debian package brings all that belongs to a service, and installs, upgrades and goes',
  { skip: lacking([['dpkg-deb', 'dpkg']]) },
  async (t) => {
    const folder = t.testdir({ out: {}, unpacked: {}, overlay: {}, tools: {}, 'install.sh': INSTALLS });
    const made = await run(
      process.execPath,
      [join(ROOT, 'packaging/deb/make-deb.mjs'), join(folder, 'out')],
      {
        env: { ...process.env, DEB_COMPRESSION: 'none' },
      },
    );
    const file = made.stdout.split(' (')[0] ?? '';
    const { stdout: about } = await run('dpkg-deb', ['--info', file]);
    for (const line of [
      /^ Package: lb-http$/m,
      new RegExp(`^ Version: ${VERSION}$`, 'm'),
      /^ Depends: .*libc6/m,
      / postinst /,
    ])
      t.match(about, line);
    const { stdout: conffiles } = await run('dpkg-deb', ['--info', file, 'conffiles']);
    t.equal(conffiles, '/etc/lb/loadbalancer.yaml\n/etc/default/lb\n/etc/logrotate.d/lb\n');

    await run('dpkg-deb', ['--extract', file, join(folder, 'unpacked')]);
    const unpacked = join(folder, 'unpacked');
    const files = filesOf(unpacked);
    for (const path of [
      'usr/bin/lb',
      'usr/lib/systemd/system/lb.service',
      'usr/lib/systemd/system/lb.socket',
      'usr/lib/sysusers.d/lb.conf',
      'usr/share/man/man1/lb.1.gz',
      'usr/share/man/man5/loadbalancer.yaml.5.gz',
      'usr/share/bash-completion/completions/lb',
      'usr/share/zsh/vendor-completions/_lb',
      'usr/share/doc/lb-http/copyright',
      'usr/share/doc/lb-http/changelog.gz',
      'etc/lb/loadbalancer.yaml',
      'etc/default/lb',
    ])
      t.ok(files.includes(path), path);
    const { stdout: listed } = await run('dpkg-deb', ['--contents', file]);
    t.same(
      listed
        .split('\n')
        .filter((line) => line !== '' && !/^(?:l|[d-]rw[x-]r-[x-]r-[x-]) *\S* root\/root /.test(line)),
      [],
      "all of it is root's, and nobody else may change it",
    );
    await balances(t, join(unpacked, 'usr/bin/lb'), await withoutNode(join(folder, 'tools')));
    await installs(t, folder, file);
  },
);

/** Why this machine cannot be shown to a package below an overlay; false when it can, or when it has to. */
function whyNoOverlay(folder: string): string | false {
  if (process.env.LB_REQUIRE_PACKAGING === '1') return false;
  const mounts =
    'mount -t tmpfs tmpfs "$0" && cd "$0" && mkdir u w r && mount -t overlay -o lowerdir=/,upperdir=u,workdir=w o r';
  const { status } = spawnSync('unshare', ['--mount', 'sh', '-c', mounts, folder], { stdio: 'ignore' });
  return status !== 0 && 'no overlay can be mounted here: it takes root on Linux';
}

async function installs(t: Test, folder: string, file: string): Promise<void> {
  const [script, overlay] = [join(folder, 'install.sh'), join(folder, 'overlay')];
  const skip =
    whyNoOverlay(overlay) ||
    lacking([
      ['systemd-analyze', 'systemd'],
      ['man', 'man-db'],
    ]);
  await t.test('installed on this machine, as it is below an overlay', { skip }, async (t) => {
    const { stdout, stderr } = await run('unshare', ['--mount', 'sh', script, overlay, file], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
    const [, installed = '', unit = '', upgraded = '', removed = '', purged = ''] =
      stdout.split(/^== \w+\n/m);
    t.equal(
      installed,
      `lb ${VERSION}\nlb\n/etc/lb/loadbalancer.yaml is fine: 0 hosts, 1 route, 2 servers, no tests\n/usr/share/man/man1/lb.1.gz\n`,
    );
    t.equal(unit, '', 'systemd has nothing to say of the unit');
    t.equal(upgraded, '# mine\n', 'an upgrade keeps what was edited');
    t.match(removed, /cannot access '\/usr\/bin\/lb'/);
    t.match(removed, /^loadbalancer\.yaml$/m, 'settings stay');
    t.equal(purged.match(/cannot access/g)?.length, 3, 'until they are purged');
    t.notMatch(stderr, /warning|error/i);
    t.same(readdirSync(overlay), [], 'nothing of it stays');
  });
}
