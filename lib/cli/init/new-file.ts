import type { Stats } from 'node:fs';
import { open, realpath, stat, unlink } from 'node:fs/promises';
import { FileError } from '../../base/regular-file.js';
import { replaceFile } from '../../base/replace-file.js';

/**
 * Writes a file that must not exist: rejects with the system's EEXIST if it does. After a failed write there is no file.
 */
export async function createFile(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o666);
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

/**
 * Writes a file, or replaces a regular one, whose permissions stay. If the name is a symbolic link, its target is
 * replaced. Rejects with a FileError if there is no regular file at that name, and with the system's error.
 */
export async function overwriteFile(path: string, text: string): Promise<void> {
  const old = await statusOf(path);
  if (old === null) return createFile(path, text);
  if (!old.isFile()) throw new FileError('it is not a regular file');
  const real = await realpath(path);
  // Not `.new` alone: a person may have such a file.
  await replaceFile(real, text, old.mode & 0o7777, `${real}.${process.pid}.new`);
}

async function statusOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
