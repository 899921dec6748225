import type { Server } from './server.js';

/**
 * How a server stands in its group, as far as new requests are concerned. out: it gets none. open: it gets its share.
 * full: it has as many as it takes at once, more would wait in line. careful: it is tried again, with a request that
 * may be sent twice. busy: it is tried again, and has its request.
 */
export const OUT = 0;
export const OPEN = 1;
export const FULL = 2;
export const CAREFUL = 3;
export const BUSY = 4;
/** Added for a backup server. */
export const BACKUP = 5;
/** Standings there are, those of backup servers included. */
export const STANDINGS = 10;

/** Now: it changes with the server's state, and of one on trial or with a limit with each of its requests. */
export function standingOf(server: Server): number {
  if (!server.isUsable) return OUT;
  return kindOf(server) + (server.backup ? BACKUP : 0);
}

function kindOf(server: Server): number {
  if (server.isHalfOpen) {
    if (!server.hasRoom(true)) return BUSY;
    return server.hasRoom(false) ? OPEN : CAREFUL;
  }
  return server.active < server.capacity ? OPEN : FULL;
}
