// The program together with the Node that runs it, as a folder: what the tarball holds and the Debian package installs.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { layOut, manifest, ROOT } from '../layout.mjs';

/** Where a Node's own licence lies: beside an unpacked one, or where Debian packages put it. */
const LICENCES = ['../LICENSE', '../share/doc/nodejs/LICENSE', '../share/doc/nodejs/copyright', '../LICENSE.md'];
/** The libraries that every Linux with glibc has. */
const COMMON = /^(?:lib(?:c|m|dl|rt|pthread|stdc\+\+|gcc_s|atomic)\.so|linux-(?:vdso|gate)|ld-linux|\/lib)/;

/** The Node that goes along: the one that runs this, or another. */
export function chosenNode(path = process.env.NODE ?? '') {
  const file = realpathSync(path === '' ? process.execPath : path);
  const [version, arch, platform] = JSON.parse(
    execFileSync(file, ['-p', 'JSON.stringify([process.versions.node, process.arch, process.platform])'], {
      encoding: 'utf8',
    }),
  );
  if (platform !== 'linux') throw new Error(`${file} is a Node for ${platform}: the bundle is for Linux`);
  const { node: range } = manifest().engines;
  if (isOlder(version, range.replace('>=', ''))) throw new Error(`${file} is Node ${version}: lb needs ${range}`);
  const unusual = librariesOf(file).filter((name) => !COMMON.test(name));
  if (unusual.length > 0)
    throw new Error(`${file} needs ${unusual.join(', ')}, which other machines lack: name one of nodejs.org with NODE=`);
  return { file, version, arch };
}

/** Fills a folder, which is emptied first. */
export async function bundle(folder, node) {
  await layOut(folder);
  copyFileSync(join(ROOT, 'packaging/tarball/lb'), join(folder, 'bin/lb'));
  mkdirSync(join(folder, 'node/bin'), { recursive: true });
  cpSync(node.file, join(folder, 'node/bin/node'));
  chmodSync(join(folder, 'node/bin/node'), 0o755);
  const licence = LICENCES.map((path) => join(dirname(node.file), path)).find(existsSync);
  if (licence === undefined) throw new Error(`the licence of ${node.file} is not beside it: it has to go along`);
  copyFileSync(licence, join(folder, 'node/LICENSE'));
}

function isOlder(version, least) {
  const [a = 0, b = 0] = version.split('.').map(Number);
  const [c = 0, d = 0] = least.split('.').map(Number);
  return a < c || (a === c && b < d);
}

function librariesOf(file) {
  const listed = execFileSync('ldd', [file], { encoding: 'utf8' });
  return listed.split('\n').flatMap((line) => /^\s+(\S+)/.exec(line)?.[1] ?? []);
}
