import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import type { Test } from 'tap';
import { PeerGone, RawConnection, type Script } from '../../fixtures/raw-server.js';

/** A scripted server behind TLS. */
export interface TlsOrigin {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** Of each handshake that was completed. */
  readonly handshakes: readonly SeenHandshake[];
  /** Connections of TCP that were accepted. */
  readonly accepted: number;
  /** The TCP connections below, in the order in which they came. */
  readonly sockets: readonly net.Socket[];
  close(): Promise<void>;
}

export interface SeenHandshake {
  /** false: the client sent no name. */
  readonly sni: string | false;
  readonly alpn: string | false;
  readonly version: string | null;
  readonly reused: boolean;
}

/** Starts a scripted server behind TLS that is closed after the test. */
export async function tlsOrigin(
  t: Test,
  options: tls.TlsOptions,
  script: Script,
  port = 0,
  host = '127.0.0.1',
): Promise<TlsOrigin> {
  const handshakes: SeenHandshake[] = [];
  const sockets: net.Socket[] = [];
  const server = tls.createServer({ ALPNProtocols: ['http/1.1'], allowHalfOpen: true, ...options });
  server.on('connection', (socket: net.Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  let index = 0;
  server.on('secureConnection', (socket) => {
    handshakes.push({
      sni: socket.servername ?? false,
      alpn: socket.alpnProtocol ?? false,
      version: socket.getProtocol(),
      reused: socket.isSessionReused(),
    });
    const run = async (): Promise<void> => script(new RawConnection(socket), index++);
    run().catch((error: unknown) => {
      if (!(error instanceof PeerGone)) throw error;
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const bound = (server.address() as net.AddressInfo).port;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  t.teardown(close);
  const address = `${host}:${bound}`;
  return {
    url: `https://${address}`,
    address,
    port: bound,
    handshakes,
    sockets,
    get accepted() {
      return sockets.length;
    },
    close,
  };
}

/** A folder that is removed after the test; returns a function that writes a file there and returns its path. */
export function folder(t: Test): (name: string, text: string) => string {
  const path = mkdtempSync(join(tmpdir(), 'lb-tls-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return (name, text) => {
    const file = join(path, name);
    writeFileSync(file, text);
    return file;
  };
}
