import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { readRegularFile } from '../base/regular-file.js';
import type { AcmeConfig } from '../config/types.js';
import type { Findings } from './finding.js';

/** Finds what would keep certificates from being ordered: a store that cannot be written, a file that cannot be read. */
export function examineAcme({ store, ca }: AcmeConfig, findings: Findings): void {
  try {
    const folder = nearestFolder(store);
    if (!statSync(folder).isDirectory()) findings.error(store, `${folder} is not a folder`);
    // It may be checked by another user than the one who runs it.
    else if (!isWritable(folder)) findings.warning(store, `this user cannot write to ${folder}`);
  } catch (error) {
    findings.error(store, (error as Error).message);
  }
  if (ca === null) return;
  try {
    if (!readRegularFile(ca).includes('-----BEGIN CERTIFICATE-----'))
      findings.error(ca, 'no certificate: it has none in PEM');
  } catch (error) {
    findings.error(ca, (error as Error).message);
  }
}

/** The folder, or the nearest above it that exists: what is below is made. */
function nearestFolder(path: string): string {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      statSync(folder);
      return folder;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ENOTDIR: something above is a file.
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || folder === dirname(folder)) throw error;
    }
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
