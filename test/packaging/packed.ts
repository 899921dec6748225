import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../docs/markdown.js';
import { run } from './command.js';

/** npm's own checks of newer versions and the like are of no use here. */
export const NPM = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline'];

export interface Packed {
  /** The tarball, in the folder that it was packed into. */
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs the package into a folder. What is built is packed as it is: tests run from the same folder. */
export async function packInto(folder: string): Promise<Packed> {
  await run(process.execPath, [join(ROOT, 'packaging/npm/add-llhttp.mjs')]);
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  });
  const [packed] = JSON.parse(stdout) as [Packed];
  return packed;
}

/** The same package as if it were another version, beside it; gives its name. */
export async function repacked(folder: string, filename: string, version: string): Promise<string> {
  const name = `lb-http-${version}.tgz`;
  await run('tar', ['-xzf', filename], { cwd: folder });
  const manifest = join(folder, 'package/package.json');
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, text.replace(/"version": "[^"]*"/, `"version": "${version}"`));
  await run('tar', ['-czf', name, 'package'], { cwd: folder });
  return name;
}
