import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { FileError } from './regular-file.js';

const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK, O_NOFOLLOW } = constants;

/**
 * Replaces a file as a whole, so that a reader sees the old or the new content: `text` is written to `beside`, which then
 * takes the place of `path`. `mode`: the permissions, whatever the umask. Rejects with a FileError if `beside` is no
 * regular file, and with the system's error; `path` is as it was then.
 */
export async function replaceFile(
  path: string,
  text: string,
  mode: number,
  beside = `${path}.new`,
): Promise<void> {
  // If there is a named pipe at this name, opening it does not wait.
  const handle = await open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOFOLLOW, 0o600);
  try {
    if (!(await handle.stat()).isFile()) throw new FileError(`${beside} is not a regular file`);
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    if (!(error instanceof FileError)) await unlink(beside).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
  await rename(beside, path);
}
