import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsTerms } from '../../lib/net/tls-terms.js';

/**
 * With LB_TEST_TLS=1 the balancers of `startBalancer` listen with TLS, and those who connect to them speak it, so that a suite
 * that was written for plain connections runs over TLS too (`make test TLS=1 ONLY="client/ exchange/"`).
 */
export const OVER_TLS = process.env.LB_TEST_TLS === '1';

/** What servers are told that clients speak. */
export const SCHEME = OVER_TLS ? 'https' : 'http';
/** How a cookie of the balancer ends that says nothing of it otherwise. */
export const SECURE = OVER_TLS ? '; Secure' : '';

/** The option of a test that is about what TLS does not have. */
export function unlessTls(reason: string): { readonly skip: string | false } {
  return { skip: OVER_TLS && `over TLS ${reason}` };
}

/** Where a balancer listens with TLS because of the switch. */
const ports = new Set<number>();
let terms: Promise<TlsTerms> | null = null;

/** What such a balancer goes by; null: the switch is off. */
export function switchedTerms(): Promise<TlsTerms | null> {
  if (!OVER_TLS) return Promise.resolve(null);
  terms ??= makeTerms();
  return terms;
}

/** What makes certificates is loaded when it is needed: it takes 0.14 s of a processor, which every file would spend. */
async function makeTerms(): Promise<TlsTerms> {
  const { makeTls, termsOf } = await import('./tls.js');
  const { choice } = await makeTls();
  return termsOf(choice);
}

export function noteSwitched(port: number): void {
  if (OVER_TLS) ports.add(port);
}

/** Does TLS have to be spoken there? */
export function isSwitched(port: number): boolean {
  return ports.has(port);
}

/** A client's connection to a balancer: what is spoken on it, and the socket below that. */
export interface ClientSocket {
  readonly socket: net.Socket;
  readonly raw: net.Socket;
  /** Resolves when it is connected, over TLS when the handshake is done. */
  readonly ready: Promise<unknown>;
}

/**
 * The client's handshake is over before the balancer's, which then sends tickets. What is written while OpenSSL tells of a ticket
 * would stay in OpenSSL.
 */
async function bothAreDone(socket: tls.TLSSocket): Promise<void> {
  await Promise.all([once(socket, 'secureConnect'), once(socket, 'session')]);
  await new Promise((resolve) => setImmediate(resolve));
}

export function connectTo(port: number, options: Partial<net.TcpNetConnectOpts> = {}): ClientSocket {
  const raw = net.connect({ host: '127.0.0.1', noDelay: true, ...options, port });
  if (!isSwitched(port)) return { socket: raw, raw, ready: once(raw, 'connect') };
  const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
  return { socket, raw, ready: bothAreDone(socket) };
}
