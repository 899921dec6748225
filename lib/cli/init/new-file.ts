import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { FileError } from '../../base/regular-file.js';

const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;

/**
 * Writes a file that must not exist: rejects with the system's EEXIST if it does. After a failed write there is no file.
 */
export async function createFile(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o666);
  await writeAll(handle, path, text);
}

/**
 * Writes a file, or replaces a regular one: a reader sees the old or the new content. If the name is a symbolic link,
 * its target is replaced; the permissions stay.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const old = await statusOf(path);
  if (old === null) return createFile(path, text);
  if (!old.isFile()) throw new FileError('it is not a regular file');
  const real = await realpath(path);
  const beside = `${real}.new`;
  // If there is a named pipe at this name, opening it does not wait.
  const handle = await open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, old.mode & 0o777);
  await writeAll(handle, beside, text);
  await rename(beside, real);
}

async function writeAll(handle: FileHandle, path: string, text: string): Promise<void> {
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

async function statusOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
