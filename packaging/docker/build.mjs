// The steps of the Dockerfile, which has no shell. `install` installs what the lock file names, `assemble FOLDER` builds and
// lays out what the image holds. Without a lock file the program is built already: it is taken as it is.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const [step, folder = ''] = process.argv.slice(2);
const isClone = existsSync('package-lock.json');

if (step === 'install') {
  if (isClone) execFileSync('npm', ['ci', '--ignore-scripts'], { stdio: 'inherit' });
} else if (step === 'assemble' && folder !== '') {
  const app = join(folder, 'app');
  mkdirSync(app, { recursive: true });
  if (isClone) {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], { stdio: 'inherit' });
    const { layOut } = await import('../layout.mjs');
    await layOut(app);
  } else cpSync('.', app, { recursive: true, filter: (path) => path !== 'packaging/docker/build.mjs' });
  chmodSync(join(app, 'bin/lb.js'), 0o755);
  mkdirSync(join(folder, 'etc/lb'), { recursive: true });
  mkdirSync(join(folder, 'usr/local/bin'), { recursive: true });
  symlinkSync('/app/bin/lb.js', join(folder, 'usr/local/bin/lb'));
} else throw new Error('build.mjs install, or build.mjs assemble FOLDER');
