import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT } from './compose-set.js';

const run = promisify(execFile);

/** Runs docker and resolves with what it prints, on both streams; rejects with that too when it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', [...args], { maxBuffer: 16 * 1024 * 1024 });
  return `${stdout}${stderr}`;
}

/** Why containers cannot be tested here; undefined if they can. */
export async function whyNoDocker(): Promise<string | undefined> {
  try {
    await docker('version', '--format', '{{.Server.Version}}');
    return undefined;
  } catch (error) {
    const { code, stderr = '' } = error as NodeJS.ErrnoException & { stderr?: string };
    return code === 'ENOENT' ? 'docker is not installed' : `no docker engine answers: ${stderr.trim()}`;
  }
}

/** Builds the image of the Dockerfile under a name, on the base image that can be had, in `folder`; needs no network. */
export async function buildImage(name: string, folder: string): Promise<void> {
  const context = join(folder, 'context');
  await run(process.execPath, [join(PROJECT, 'packaging/layout.mjs'), context]);
  mkdirSync(join(context, 'packaging/docker'), { recursive: true });
  cpSync(join(PROJECT, 'packaging/docker/build.mjs'), join(context, 'packaging/docker/build.mjs'));
  const { stdout: base } = await run(join(PROJECT, 'compose/base-image.sh'));
  const words = ['--quiet', '--tag', name, '--file', join(PROJECT, 'Dockerfile')];
  await docker('build', ...words, '--build-arg', `NODE_IMAGE=${base.trim()}`, context);
}
