import * as tls from 'node:tls';
import { parseAddress } from '../base/address.js';
import { systemClock, TimerWheel } from '../base/timer-wheel.js';
import type { Acceptor, Admission, Incoming } from './accept.js';
import type { Channel } from './channel.js';
import { HandshakeQueue } from './handshake-queue.js';
import { HandshakeCounts } from './handshake-results.js';
import { Listener } from './listener.js';
import type { TlsTerms } from './tls-terms.js';
import type { SocketMode } from './transport.js';

/** It takes so long only where bytes are lost; else some ms. */
const LIMIT_MS = 2000;
/** More than TLS has in a piece, and than one write takes. */
const BYTES = 300_000;

/** Ciphers that need no certificate; only this test offers them. */
const ANONYMOUS = {
  ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;

/**
 * Has a client of Node's send bytes over TLS through loopback to what serves clients, which sends them back. Resolves with what
 * went wrong, as a clause; null when nothing did. Everything is closed by then.
 */
export async function tryTls(means: SocketMode): Promise<string | null> {
  const wheel = new TimerWheel(systemClock);
  const echo = new Echo();
  const loopback = parseAddress('127.0.0.1:0', { defaultHost: '127.0.0.1' });
  const handshakes = {
    acceptor: echo,
    wheel,
    queue: new HandshakeQueue(),
    counts: new HandshakeCounts(),
    timeout: () => LIMIT_MS,
    replies: { plainHttp: () => '', certificate: () => '' },
  };
  const listener = new Listener(
    { address: loopback },
    { acceptor: echo, sockets: { mode: means }, tls: { termsOf: anonymousTerms, handshakes } },
  );
  try {
    await listener.open();
    const { address } = listener;
    return await ask(address.kind === 'tcp' ? address.port : 0);
  } catch (error) {
    return (error as Error).message;
  } finally {
    listener.close();
    echo.channel?.destroy();
    wheel.close();
  }
}

function anonymousTerms(): TlsTerms {
  const context = tls.createSecureContext(ANONYMOUS);
  const choice = { context, clientAuth: 'none', policy: '', ocsp: null, onlyProtocol: null } as const;
  return { protocols: ['http/1.1'], policyOf: null, choose: () => choice };
}

/** Sends all that it reads back, and ends when its client does. */
class Echo implements Acceptor {
  channel: Channel | null = null;

  admit(): Admission {
    return { leave() {} };
  }

  onAccept(incoming: Incoming): void {
    const channel: Channel = incoming.take({
      onBytes: (buffer, length) => {
        if (!channel.write(buffer, 0, length)) channel.pause();
      },
      onEnd: () => channel.end(),
      onBlocked: () => channel.pause(),
      onDrain: () => channel.resume(),
      onClose() {},
    });
    this.channel = channel;
  }
}

function ask(port: number): Promise<string | null> {
  const bytes = Buffer.alloc(BYTES, 'of the self-test ');
  const received: Buffer[] = [];
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    ...ANONYMOUS,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['http/1.1'],
  });
  return new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => resolve(`bytes over TLS did not arrive within ${LIMIT_MS} ms`), LIMIT_MS);
    const settle = (fault: string | null): void => {
      clearTimeout(timer);
      resolve(fault);
    };
    socket.on('error', (error) => settle(`TLS: ${error.message}`));
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('end', () =>
      settle(Buffer.concat(received).equals(bytes) ? null : 'other bytes arrived over TLS than were sent'),
    );
    socket.on('close', () => settle('a connection over TLS was closed before its end'));
    socket.end(bytes);
  }).finally(() => socket.destroy());
}
