// Writes lb-VERSION-linux-ARCH.tar.gz: unpacked anywhere, bin/lb runs without anything installed. `make dist`, with
// NODE=path for another Node than the one that runs this, and TAR_COMPRESSION=1 for a larger one that is made sooner.
// `node packaging/tarball/make-tarball.mjs [FOLDER]`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { manifest, ROOT, sourceTime } from '../layout.mjs';
import { bundle, chosenNode } from './bundle.mjs';

/** Of gzip, 1 to 9. */
const { TAR_COMPRESSION: level = '6' } = process.env;
const [into = join(ROOT, 'dist/packages')] = process.argv.slice(2);
const node = chosenNode();
const name = `lb-${manifest().version}-linux-${node.arch}`;
const folder = join(resolve(into), name);
mkdirSync(into, { recursive: true });
await bundle(folder, node);
// The same input is the same archive, whoever makes it and when.
const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go+rX,go-w', `--mtime=@${sourceTime()}`];
execFileSync(
  'tar',
  ['--create', ...same, `--use-compress-program=gzip -n -${level}`, '--file', `${folder}.tar.gz`, '-C', into, name],
  { stdio: 'inherit' },
);
rmSync(folder, { recursive: true });
process.stdout.write(`${folder}.tar.gz (Node ${node.version})\n`);
