import { availableParallelism } from 'node:os';
import type { Clock } from '../base/timer-wheel.js';
import { systemClock } from '../base/timer-wheel.js';
import type { Config } from '../config/types.js';
import type { InheritedSockets } from '../net/inherited-sockets.js';

/** More threads are used only when a number is asked for. */
const MOST_BY_ITSELF = 8;

/** How many threads serve clients, and why it is not as many as were asked for. */
export class WorkerChoice {
  readonly count: number;
  /** Does the settings file say how many? */
  readonly isFromSettings: boolean;
  /** A line for the operator; null when nothing is unusual. */
  readonly notice: string | null;

  constructor(config: Config, { workers = 1, clock = systemClock, tlsTerms, inherited }: WorkerTerms) {
    this.isFromSettings = workers === 'settings';
    const asked = workers === 'settings' ? countOf(config.workers) : workers;
    const obstacle = asked > 1 ? obstacleTo(config, asked, clock, tlsTerms !== undefined, inherited) : '';
    this.count = obstacle === '' ? asked : 1;
    this.notice =
      obstacle === '' ? null : `workers: one thread serves all clients instead of ${asked}: ${obstacle}`;
  }
}

/** What the number of threads depends on besides the configuration. */
export interface WorkerTerms {
  readonly workers?: number | 'settings';
  readonly clock?: Clock;
  readonly tlsTerms?: unknown;
  readonly inherited?: InheritedSockets;
}

/** As many as there are processors that this process may use; Node respects the quota of a control group. */
export function countOf(workers: Config['workers']): number {
  return workers === 'auto' ? Math.min(MOST_BY_ITSELF, availableParallelism()) : workers;
}

function obstacleTo(
  { listen }: Config,
  asked: number,
  clock: Clock,
  hasTerms: boolean,
  inherited?: InheritedSockets,
): string {
  if (!canSharePorts())
    return `Node ${process.versions.node} on ${process.platform} cannot share a port among threads. Use Node 22.12 or newer on Linux, or set workers: 1`;
  if (clock.isInAllThreads !== true) return 'the clock that was given is known to this thread only';
  if (hasTerms) return 'the TLS terms that were given are known to this thread only';
  for (const { address } of listen) {
    const sockets = inherited?.count(address) ?? 0;
    // The others could not bind the port beside a socket that does not share it.
    if (address.kind === 'tcp' && sockets > 0 && sockets < asked)
      return `this process was started with ${sockets} sockets for ${address.text}, and each thread needs one`;
  }
  return '';
}

/** The systems on which several sockets may listen on one port, and the kernel spreads connections over them. */
const SHARING: readonly string[] = ['linux', 'freebsd', 'sunos', 'aix'];

/** Does `reusePort` of `net.Server.listen` work here? */
export function canSharePorts(version = process.versions.node, platform: string = process.platform): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return isNew && SHARING.includes(platform);
}
