// Lays the program out as it is installed, for the tarball, the Debian package and the container image: the files of the
// npm package and the packages it needs when it runs. `node packaging/layout.mjs FOLDER`, after `make build`. It needs no
// network: what is installed for development holds all of it.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What npm packs whether or not `files` of the manifest names it. */
const ALWAYS = ['package.json', 'README.md', 'LICENSE'];

/** The manifest of the program. */
export function manifest() {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}

/** When the source was last changed, in seconds since 1970: archives of the same source carry the same times. */
export function sourceTime() {
  const { SOURCE_DATE_EPOCH: given = '' } = process.env;
  if (/^\d+$/.test(given)) return Number(given);
  const { stdout = '' } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' });
  return Number(stdout) || Math.floor(statSync(join(ROOT, 'package.json')).mtimeMs / 1000);
}

/** Fills a folder, which is emptied first, with the program and what it needs but Node. */
export async function layOut(folder) {
  if (!existsSync(join(ROOT, 'dist/lib/cli/main.js'))) throw new Error('not built yet, run: make build');
  await import('./npm/add-llhttp.mjs');
  await import('./add-schema-check.mjs');
  rmSync(folder, { recursive: true, force: true });
  const { files } = manifest();
  for (const path of new Set([...ALWAYS, ...files.filter((name) => !name.startsWith('!'))])) copyOwn(path, folder);
  for (const path of productionPackages())
    cpSync(join(ROOT, path), join(folder, path), { recursive: true, filter: (file) => !isNested(path, file) });
}

/** Copies a file or a folder of ours. The compiler names a source map in each file, which is not packed. */
function copyOwn(path, folder) {
  cpSync(join(ROOT, path), join(folder, path), { recursive: true, filter: (file) => !file.endsWith('.map') });
  if (path.startsWith('dist/')) forgetMaps(join(folder, path));
}

function forgetMaps(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js')) continue;
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  }
}

/** Packages of a package are listed by themselves. */
function isNested(path, file) {
  return relative(join(ROOT, path), file).split('/')[0] === 'node_modules';
}

/** The folders of the packages that run with the program, by the lock file: those it depends on, and so on. */
export function productionPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const follow = (from) => {
    const { dependencies = {}, optionalDependencies = {} } = packages[from];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const path = nearestFolder(packages, from, name);
      if (path === undefined || found.has(path)) continue;
      found.add(path);
      follow(path);
    }
  };
  follow('');
  return [...found].sort();
}

/** Where Node finds a package: beside the one that asks for it, or the next further up. */
function nearestFolder(packages, from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (packages[path] !== undefined && existsSync(join(ROOT, path))) return path;
    if (base === '') return undefined;
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('name the folder to lay it out in');
  mkdirSync(dirname(resolve(folder)), { recursive: true });
  await layOut(resolve(folder));
}
