import { isIP, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { TlsOptions } from './tls-options.js';

/** Where a server, a sentinel or a node of a cluster listens. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** A connection. */
export type RedisStream = Socket;

/**
 * Called once with the reason why a connection cannot be used. `isSilent`: the peer accepted it, and has sent nothing.
 */
export type OnStreamFailure = (error: Error, isSilent: boolean) => void;

/** What a server sends, unasked, before it closes a connection that it refuses. */
const REFUSAL = /^-(DENIED|ERR max number of clients)[^\r\n]*/;

/**
 * Opens a connection. The client reports only that it was closed; `onFailure` gets the reason. Over TLS, the name of the
 * peer is sent, if it has one (SNI).
 */
export function openStream(
  { host, port }: RedisAddress,
  tls: TlsOptions | undefined,
  onFailure: OnStreamFailure,
): RedisStream {
  const stream =
    tls === undefined
      ? netConnect({ host, port })
      : tlsConnect({ host, port, ...tls, ...(isIP(host) === 0 && { servername: host }) });
  const isTls = tls !== undefined;
  let hasSpoken = false;
  /** connecting: the peer has not accepted the connection. handshake: it has, and TLS has not begun. */
  let state: 'connecting' | 'handshake' | 'open' | 'failed' = 'connecting';
  const fail = (error: Error, isSilent: boolean): void => {
    if (state === 'failed') return;
    state = 'failed';
    onFailure(error, isSilent);
  };
  stream.once('connect', () => {
    state = isTls ? 'handshake' : 'open';
  });
  stream.once('secureConnect', () => {
    state = 'open';
  });
  stream.once('data', (bytes: Buffer) => {
    hasSpoken = true;
    const refusal = REFUSAL.exec(bytes.toString('latin1', 0, 512));
    if (refusal !== null) fail(new Error(refusal[0].slice(1)), false);
  });
  // A server that expects TLS closes at the first bytes in plain text. After an end of this side, the end of the peer is
  // only the answer to it.
  stream.once('end', () => {
    if (state === 'open' && !hasSpoken && !stream.writableEnded)
      fail(new Error('the connection was ended'), !isTls);
  });
  // A server without TLS takes the ClientHello for the beginning of a command, and waits for the rest: the client gives up.
  stream.once('close', () => {
    if (state === 'handshake') fail(new Error('no handshake'), true);
  });
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const isCut = error.code === 'ECONNRESET' && (state === 'handshake' || (!isTls && !hasSpoken));
    fail(error, isCut && state !== 'connecting');
  });
  return stream;
}
