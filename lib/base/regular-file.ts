import { isAscii } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { formatSize } from './units.js';

/** Settings for ten thousand hosts take 5 MB. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
/** A million addresses of IPv6 with comments take 60 MB. */
export const MAX_LIST_BYTES = 256 * 1024 * 1024;

/**
 * Thrown when a path leads to something that is not a regular file; `message` says what it is: `it is a named pipe`.
 */
export class FileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FileError';
  }
}

/**
 * Returns the text of a regular file of at most `maxBytes`, read as UTF-8, or its bytes as latin1. Every file that a person names is read here:
 * reading a named pipe could wait for ever, and a device such as /dev/zero has no end. Throws a FileError for these and
 * for larger files, and the system's error otherwise.
 */
export function readRegularFile(
  path: string,
  maxBytes = MAX_TEXT_BYTES,
  encoding: 'utf8' | 'latin1' = 'utf8',
): string {
  // Checked before opening, because opening a device may have effects.
  refuseIrregular(statSync(path));
  // If the path leads to a pipe by now, O_NONBLOCK makes the call return at once.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    refuseIrregular(stats);
    if (stats.size > maxBytes) throw tooLarge(maxBytes);
    const bytes = readAll(descriptor, stats.size, maxBytes);
    // Most long lists are plain ASCII, which is decoded in a fraction of the time.
    return bytes.toString(isAscii(bytes) ? 'latin1' : encoding);
  } finally {
    closeSync(descriptor);
  }
}

/** The same without holding up the event loop: the folder may be on another machine. Rejects with what the other throws. */
export async function readRegularFileAsync(path: string, maxBytes = MAX_TEXT_BYTES): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    refuseIrregular(stats);
    if (stats.size > maxBytes) throw tooLarge(maxBytes);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** `size` is only an estimate: files of /proc report 0, and others may grow meanwhile. */
function readAll(descriptor: number, size: number, maxBytes: number): Buffer {
  let buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(length + 4096)]);
    const read = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (read === 0) return buffer.subarray(0, length);
    length += read;
    if (length > maxBytes) throw tooLarge(maxBytes);
  }
}

function refuseIrregular(stats: Stats): void {
  if (!stats.isFile()) throw new FileError(`it is ${kindOf(stats)}, not a regular file`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** Why a file that a person named could not be read, as the end of a sentence: `there is no such file`. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof FileError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file' : (code ?? message);
}

function tooLarge(maxBytes: number): FileError {
  return new FileError(`it is larger than ${formatSize(maxBytes)}`);
}
