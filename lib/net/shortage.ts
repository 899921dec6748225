import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';

/** What this process can run out of when it opens a connection, and what its operator can do about it. */
const SHORTAGES: { readonly [code: string]: string } = {
  EMFILE: 'this process has as many files open as it may. Raise ulimit -n (systemd: LimitNOFILE=)',
  ENFILE: 'the system has as many files open as it may. Raise fs.file-max',
  EADDRNOTAVAIL:
    'no local port is free for another connection. Widen net.ipv4.ip_local_port_range, or keep more connections (pool.max_idle)',
  ENOBUFS: 'the kernel has no buffer left for another connection',
  ENOMEM: 'the kernel has no memory left for another connection',
};

/** An operator is told of the same shortage at most once in so long. */
const TELL_MS = 10_000;

/** Did a connection fail for want of something here, so that it says nothing of the other end? */
export function isShortage({
  code = '',
  address = '',
}: NodeJS.ErrnoException & { address?: string }): boolean {
  if (!Object.hasOwn(SHORTAGES, code)) return false;
  // Without IPv6 no address is available either, however many ports are.
  return code !== 'EADDRNOTAVAIL' || !isIPv6(address) || hasIPv6();
}

function hasIPv6(): boolean {
  try {
    return Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'));
  } catch {
    // A sandbox may forbid the question: Node throws then.
    return true;
  }
}

/** Tells the operator what this process is short of, in a line that says what to do. One for a whole balancer. */
export class ShortageAlarm {
  readonly #wheel: TimerWheel;
  readonly #observer: Observer;
  readonly #toldAt = new Map<string, number>();

  constructor(wheel: TimerWheel, observer: Observer) {
    this.#wheel = wheel;
    this.#observer = observer;
  }

  /** `code`: the system's error; `doing`: what could not be done, as in "no connection to a server". */
  note(code: string, doing: string): void {
    this.#tell(code, `${doing} (${code}): ${SHORTAGES[code] ?? 'an error of the system'}`);
  }

  /** `most` clients are connected, and another came. */
  noteFull(most: number): void {
    this.#tell(
      'full',
      `no room for more clients: ${most} are connected (limits.connections), so idle ones are closed, or new ones turned away`,
    );
  }

  #tell(what: string, line: string): void {
    const { now } = this.#wheel;
    if (now - (this.#toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    this.#toldAt.set(what, now);
    this.#observer.event?.({ what: 'warning', message: line });
  }
}

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
 * them could be served: libuv then closes each new connection, and every server looks out of reach.
 */
export function clientRoom(files: number): number {
  return files === -1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((files - RESERVED) / 2));
}

/** What to tell the operator when many fewer clients are let in than were `asked` for; null when it is not worth a word. */
export function fewFiles(asked: number, most: number): string | null {
  if (most > asked * 0.9) return null;
  return `limits.connections is ${asked}, but with ulimit -n ${fileLimit()} at most ${most} clients are let in`;
}
