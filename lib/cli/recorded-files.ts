import { readRegularFile } from '../base/regular-file.js';
import { filesIn } from '../config/include.js';

/**
 * What was read for settings, as plain data: files by their encodings and paths, and the names of the files in folders. With
 * it the settings in force can be compiled again, whatever has happened to the files since.
 */
export interface FileRecord {
  readonly texts: ReadonlyMap<string, string>;
  readonly folders: ReadonlyMap<string, readonly string[]>;
}

/** How files of settings are read. */
export interface FileAccess {
  readonly readFile: typeof readRegularFile;
  readonly readFolder: (path: string) => string[];
}

/** Longer texts, such as lists of a million addresses, are read again from the disk. */
const MOST_LETTERS = 8 * 1024 * 1024;

/** The files of the system. */
export const SYSTEM_FILES: FileAccess = { readFile: readRegularFile, readFolder: filesIn };

/** Files that are read through `access`, and are recorded. */
export function recordFiles(access: FileAccess): {
  readonly access: FileAccess;
  readonly record: FileRecord;
} {
  const texts = new Map<string, string>();
  const folders = new Map<string, readonly string[]>();
  const recording: FileAccess = {
    readFile(path, maxBytes, encoding) {
      const text = access.readFile(path, maxBytes, encoding);
      if (text.length <= MOST_LETTERS) texts.set(keyOf(path, encoding), text);
      return text;
    },
    readFolder(path) {
      const names = access.readFolder(path);
      folders.set(path, names);
      return names;
    },
  };
  return { access: recording, record: { texts, folders } };
}

/** Files as they were recorded; others as they are. */
export function recordedFiles({ texts, folders }: FileRecord): FileAccess {
  return {
    readFile: (path, maxBytes, encoding) =>
      texts.get(keyOf(path, encoding)) ?? readRegularFile(path, maxBytes, encoding),
    readFolder: (path) => [...(folders.get(path) ?? filesIn(path))],
  };
}

function keyOf(path: string, encoding = 'utf8'): string {
  return `${encoding} ${path}`;
}
