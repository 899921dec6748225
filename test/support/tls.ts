import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsChoice, TlsTerms } from '../../lib/net/tls-terms.js';
import { type IssuedCertificate, TestAuthority } from './certificates.js';

/** What a test has of TLS: an authority, a certificate of it for localhost, and how they are used. */
export interface TlsParts {
  readonly authority: TestAuthority;
  readonly certificate: IssuedCertificate;
  readonly choice: TlsChoice;
}

/** Made once for a test file. */
export async function makeTls(options: tls.SecureContextOptions = {}): Promise<TlsParts> {
  const authority = await TestAuthority.create();
  const certificate = await authority.issue({ names: ['localhost', '127.0.0.1'] });
  return { authority, certificate, choice: choiceOf(certificate, {}, options) };
}

/** Terms of one choice, with some of it changed. */
export function choiceOf(
  { cert, key }: IssuedCertificate,
  changes: Partial<TlsChoice> = {},
  options: tls.SecureContextOptions = {},
): TlsChoice {
  const policy = changes.policy ?? 'none';
  const context = tls.createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.2',
    sessionIdContext: policy,
    ...options,
  });
  return { context, clientAuth: 'none', policy, ocsp: null, onlyProtocol: null, ...changes };
}

/** Terms that make the same choice for every name, or what `choose` says. */
export function termsOf(choice: TlsChoice, choose: TlsTerms['choose'] = () => choice): TlsTerms {
  return { protocols: ['http/1.1'], choose, policyOf: null };
}

/** How a handshake ended for a client: what it got, or what went wrong. */
export interface Handshaken {
  readonly socket: tls.TLSSocket;
  /** null: it is done. */
  readonly error: NodeJS.ErrnoException | null;
  /** What resumes its session; in TLS 1.3 it comes after the handshake. */
  readonly ticket: Promise<Buffer>;
}

/** A client of TLS that trusts everybody. Resolves when its handshake is done, or has failed. */
export function shakeHands(port: number, options: tls.ConnectionOptions = {}): Promise<Handshaken> {
  const raw = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
  const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ...options });
  const ticket = new Promise<Buffer>((resolve) => {
    socket.once('session', resolve);
  });
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve({ socket, error: null, ticket }));
    socket.once('close', () => resolve({ socket, error: new Error('closed'), ticket }));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ socket, error, ticket }));
    raw.on('error', () => {});
  });
}
