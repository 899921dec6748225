import { readFileSync } from 'node:fs';

/** Files for all else than clients and their servers: listeners, logs, name servers, health checks, operators. */
const RESERVED = 64;

/** With fewer files than these there is no point in a start: Node 20 can't even load the program, newer ones just so. */
export const FEWEST_FILES = 100;

/** How many files this process may have open; -1 where the system does not tell. */
export function fileLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit ?? -1);
  } catch {
    return -1;
  }
}

/**
 * Client connections that leave a file for a connection to a server each. More would take the last file, and none of
 * them could be served: libuv then closes whoever comes, and every server looks out of reach.
 */
export function clientRoom(files: number): number {
  return files === -1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((files - RESERVED) / 2));
}

/** What to tell the operator when many fewer clients are let in than were `asked` for; null when it is not worth a word. */
export function fewFiles(asked: number, most: number): string | null {
  if (most > asked * 0.9) return null;
  return `limits.connections is ${asked}, but with ulimit -n ${fileLimit()} at most ${most} clients are let in`;
}
