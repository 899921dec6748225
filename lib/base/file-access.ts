import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHERS_READ = 0o004;
const OTHERS_SEARCH = 0o001;

/** May every user of the machine read this file, by its mode and those of the folders above it? False when they can't be read. */
export function isReadableByAll(path: string): boolean {
  try {
    if ((statSync(path).mode & OTHERS_READ) === 0) return false;
    for (let folder = dirname(realpathSync(path)); ; folder = dirname(folder)) {
      if ((statSync(folder).mode & OTHERS_SEARCH) === 0) return false;
      if (folder === dirname(folder)) return true;
    }
  } catch {
    return false;
  }
}
