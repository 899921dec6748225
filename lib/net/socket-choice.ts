import { ValueError } from '../base/units.js';
import { tryLoopback } from './loopback-self-test.js';
import { loadBindings } from './stream-binding.js';
import { hasTlsHandles } from './tls-handle.js';
import { tryTls } from './tls-self-test.js';
import type { SocketMode, Sockets } from './transport.js';

const MEANS: readonly string[] = ['fast', 'documented'] satisfies SocketMode[];

/** Reads a mode from text; throws a ValueError that names `source`. undefined or an empty text: no mode. */
export function socketMeans(text: string | undefined, source: string): SocketMode | undefined {
  if (text === undefined || text === '') return undefined;
  if (MEANS.includes(text)) return text as SocketMode;
  throw new ValueError(`${source} is ${MEANS.join(' or ')}, not ${JSON.stringify(text)}`);
}

/**
 * How one balancer uses sockets: as its options say, else as LB_SOCKETS in the environment says, else by the fast means.
 * If these are missing or do not work, by documented means.
 */
export class SocketChoice implements Sockets {
  #means: SocketMode;
  /** Why the fast means are not used; empty when they are. */
  #cause = '';

  constructor(asked?: SocketMode) {
    const fromCaller = socketMeans(asked, 'sockets');
    this.#means = fromCaller ?? socketMeans(process.env.LB_SOCKETS, 'LB_SOCKETS') ?? 'fast';
    if (this.#means === 'documented') this.#cause = fromCaller === undefined ? 'LB_SOCKETS' : 'as asked for';
    else this.#doWithout(loadBindings() ?? (hasTlsHandles() ? null : 'what TLS needs is missing'));
  }

  get mode(): SocketMode {
    return this.#means;
  }

  /** A line for the operator when the fast means are not in use, else null. */
  get notice(): string | null {
    if (this.#means === 'fast') return null;
    return `sockets: documented means only, which cost more CPU per request (${this.#cause})`;
  }

  /** Before the balancer listens or connects: tests once in this process that the fast means work. */
  async prove(): Promise<void> {
    if (this.#means === 'fast') this.#doWithout(await proven());
  }

  #doWithout(fault: string | null): void {
    if (fault === null) return;
    this.#means = 'documented';
    this.#cause = fault;
  }
}

let proof: Promise<string | null> | null = null;

function proven(): Promise<string | null> {
  proof ??= findFault();
  return proof;
}

/** What is wrong with the fast means; null when nothing is, or when nothing can be tested on this machine. */
async function findFault(): Promise<string | null> {
  for (const attempt of [tryLoopback, tryTls]) {
    const fault = await attempt('fast');
    if (fault !== null && (await attempt('documented')) === null)
      return `the fast ones failed their test: ${fault}`;
  }
  return null;
}
