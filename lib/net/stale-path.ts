import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * A process that was killed leaves the file of its Unix socket behind, and whoever comes after it could not listen.
 * Takes the file away if it is a socket and nobody listens there; false when it is anything else.
 */
export async function removeStale(path: string): Promise<boolean> {
  try {
    // Asked for first: a connection to a plain file is refused too.
    if (!lstatSync(path).isSocket() || !(await isDeserted(path))) return false;
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
