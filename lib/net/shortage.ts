import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';

/** Resources that this process can run out of when it opens a connection, and what operators can do about it. */
const SHORTAGES: { readonly [code: string]: string } = {
  EMFILE: 'this process has as many files open as it may. Raise ulimit -n (systemd: LimitNOFILE=)',
  ENFILE: 'the system has as many files open as it may. Raise fs.file-max',
  EADDRNOTAVAIL:
    'no local port is free for another connection. Widen net.ipv4.ip_local_port_range, or keep more connections (pool.max_idle)',
  ENOBUFS: 'the kernel has no buffer left for another connection',
  ENOMEM: 'the kernel has no memory left for another connection',
};

/** The same shortage is reported to operators at most once in this long. */
const REPORT_MS = 10_000;

/** Did a connection fail for lack of a local resource? Then the failure says nothing about the other end. */
export function isShortage({
  code = '',
  address = '',
}: NodeJS.ErrnoException & { address?: string }): boolean {
  if (!Object.hasOwn(SHORTAGES, code)) return false;
  // Without IPv6 its addresses are not available either, whatever the number of ports.
  return code !== 'EADDRNOTAVAIL' || !isIPv6(address) || hasIPv6();
}

function hasIPv6(): boolean {
  try {
    return Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'));
  } catch {
    // A sandbox may forbid this call: Node throws then.
    return true;
  }
}

/** Reports to the operator which resource is lacking, in a line that says what to do. One for a whole balancer. */
export class ShortageAlarm {
  readonly #wheel: TimerWheel;
  readonly #observer: Observer;
  readonly #reportedAt = new Map<string, number>();

  constructor(wheel: TimerWheel, observer: Observer) {
    this.#wheel = wheel;
    this.#observer = observer;
  }

  /** `code`: the system's error; `doing`: what could not be done, as in "no connection to a server". */
  note(code: string, doing: string): void {
    this.#report(code, `${doing} (${code}): ${SHORTAGES[code] ?? 'an error of the system'}`);
  }

  /** `most` clients are connected, and another one came. */
  noteFull(most: number): void {
    this.#report(
      'full',
      `no room for more clients: ${most} are connected (limits.connections), so idle ones are closed, or new ones turned away`,
    );
  }

  #report(what: string, line: string): void {
    const { now } = this.#wheel;
    if (now - (this.#reportedAt.get(what) ?? Number.NEGATIVE_INFINITY) < REPORT_MS) return;
    this.#reportedAt.set(what, now);
    const limit = { kind: `shortage ${what}`, everyMs: REPORT_MS };
    this.#observer.event?.({ what: 'warning', message: line, limit });
  }
}

/** Files for everything except clients and their servers: listeners, logs, name servers, health checks, operators. */
const RESERVED = 64;

/** With fewer files a start is pointless: Node 20 can't even load the program, newer versions just can. */
export const FEWEST_FILES = 100;

/** How many files this process may have open; -1 where the system does not say. */
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
 * The number of client connections that leaves a file for a server connection each. More would take the last file, and
 * none could be served: libuv then closes each new connection, and every server seems unreachable.
 */
export function clientRoom(files: number): number {
  return files === -1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((files - RESERVED) / 2));
}

/** A line for the operator when many fewer clients are accepted than were `asked` for; null when the difference is small. */
export function fewFiles(asked: number, most: number): string | null {
  if (most > asked * 0.9) return null;
  return `limits.connections is ${asked}, but with ulimit -n ${fileLimit()} at most ${most} clients are accepted`;
}
