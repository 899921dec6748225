// Writes lb-http_VERSION_ARCH.deb: what the tarball holds below /usr/lib/lb, with the unit, its user, its settings, man
// pages and Tab completion. `make deb`, with NODE=path for another Node than the one that runs this.
// `node packaging/deb/make-deb.mjs [FOLDER]`; DEB_COMPRESSION is gzip, xz (the default) or zstd.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { manifest, ROOT, sourceTime } from '../layout.mjs';
import { bundle, chosenNode } from '../tarball/bundle.mjs';

const PACKAGE = 'lb-http';
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64', arm: 'armhf', ppc64: 'ppc64el', s390x: 's390x' };
/** Where a file of ours goes, but for the program itself. */
const FILES = {
  'packaging/systemd/lb.service': 'usr/lib/systemd/system/lb.service',
  'packaging/systemd/lb.socket': 'usr/lib/systemd/system/lb.socket',
  'packaging/systemd/lb.sysusers': 'usr/lib/sysusers.d/lb.conf',
  'packaging/deb/default': 'etc/default/lb',
  'packaging/deb/logrotate': 'etc/logrotate.d/lb',
  'packaging/deb/copyright': `usr/share/doc/${PACKAGE}/copyright`,
};
const PACKED = {
  'docs/man/lb.1': 'usr/share/man/man1/lb.1.gz',
  'docs/man/loadbalancer.yaml.5': 'usr/share/man/man5/loadbalancer.yaml.5.gz',
  'CHANGELOG.md': `usr/share/doc/${PACKAGE}/changelog.gz`,
};
/** What an administrator edits: an upgrade asks before it touches one that was. */
const CONFFILES = ['etc/lb/loadbalancer.yaml', 'etc/default/lb', 'etc/logrotate.d/lb'];
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

const [into = join(ROOT, 'dist/packages')] = process.argv.slice(2);
const node = chosenNode();
const architecture = ARCHITECTURES[node.arch];
if (architecture === undefined) throw new Error(`Debian has no architecture for ${node.arch}`);
const { version, description } = manifest();
const file = join(resolve(into), `${PACKAGE}_${version}_${architecture}.deb`);
const tree = `${file}.tree`;

rmSync(tree, { recursive: true, force: true });
mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
await bundle(join(tree, 'usr/lib/lb'), node);
for (const [from, to] of Object.entries(FILES)) copyFileSync(join(ROOT, from), placeFor(to));
for (const [from, to] of Object.entries(PACKED)) put(to, gzipSync(readFileSync(join(ROOT, from)), { level: 9 }));
symlinkSync('../lib/lb/bin/lb', placeFor('usr/bin/lb'));
symlinkSync('../../../lib/lb/docs', placeFor(`usr/share/doc/${PACKAGE}/docs`));
put('usr/share/bash-completion/completions/lb', lb('completion', 'bash'));
put('usr/share/zsh/vendor-completions/_lb', lb('completion', 'zsh'));
mkdirSync(dirname(placeFor('etc/lb/loadbalancer.yaml')), { recursive: true });
lb('init', '-c', join(tree, 'etc/lb/loadbalancer.yaml'), 'localhost:5001', 'localhost:5002');
put('DEBIAN/md5sums', sums());
put('DEBIAN/conffiles', CONFFILES.map((path) => `/${path}\n`).join(''));
put('DEBIAN/control', control());
for (const script of SCRIPTS) copyFileSync(join(ROOT, 'packaging/deb', script), join(tree, 'DEBIAN', script));
execFileSync('chmod', ['-R', 'u=rwX,go=rX', tree]);
execFileSync(
  'dpkg-deb',
  ['--root-owner-group', `-Z${process.env.DEB_COMPRESSION || 'xz'}`, '--build', tree, file],
  { env: { ...process.env, SOURCE_DATE_EPOCH: String(sourceTime()) }, stdio: ['ignore', 'ignore', 'inherit'] },
);
rmSync(tree, { recursive: true });
process.stdout.write(`${file} (Node ${node.version})\n`);

function placeFor(path) {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  return join(tree, path);
}

function put(path, content) {
  writeFileSync(placeFor(path), content);
}

/** What the program that is packed prints. */
function lb(...words) {
  return execFileSync(join(tree, 'usr/bin/lb'), words, { encoding: 'utf8' });
}

function control() {
  const size = Math.ceil(installed().reduce((sum, path) => sum + lstatSync(join(tree, path)).size, 0) / 1024);
  return [
    `Package: ${PACKAGE}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Maintainer: the lb authors <lb@localhost>',
    `Installed-Size: ${size}`,
    'Section: httpd',
    'Priority: optional',
    // Of what a Node from nodejs.org is linked with; the versions are those of its oldest Debian.
    'Depends: adduser, libatomic1, libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)',
    // It has a program of the same name.
    'Conflicts: live-build',
    'Description: HTTP load balancer with health checks, safe retries and one YAML file',
    ` ${description}`,
    ' .',
    ' The package brings the Node that runs it.',
    '',
  ].join('\n');
}

/** Regular files and links, but for the package's own. */
function installed() {
  return readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('DEBIAN') && !lstatSync(join(tree, path)).isDirectory())
    .sort();
}

function sums() {
  return installed()
    .filter((path) => lstatSync(join(tree, path)).isFile() && !CONFFILES.includes(path))
    .map((path) => `${createHash('md5').update(readFileSync(join(tree, path))).digest('hex')}  ${path}\n`)
    .join('');
}
