import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Test } from 'tap';
import { atOnce } from '../../lib/base/slices.js';
import { createConfig } from '../../lib/config/config.js';
import type { Config, TlsConfig } from '../../lib/config/types.js';
import type { TlsTerms } from '../../lib/net/tls-terms.js';
import { CertificateStore, type PreparedCertificates } from '../../lib/tls/certificate-store.js';
import { ManualClock } from '../support/manual-clock.js';

type TlsSettings = NonNullable<NonNullable<Parameters<typeof createConfig>[0]>['tls']>;

/** The configuration of a listener with these terms. */
export function tlsConfig(settings: TlsSettings): TlsConfig {
  const config: Config = createConfig({
    listen: [{ address: '127.0.0.1:0', tls: true }],
    servers: [1],
    tls: settings,
  });
  return config.tls as TlsConfig;
}

/** A store that was loaded with these terms, and the terms that it made. */
export class Store {
  readonly clock = new ManualClock(Date.now());
  readonly store: CertificateStore;
  readonly config: TlsConfig;
  prepared: PreparedCertificates;

  constructor(t: Test, settings: TlsSettings) {
    this.store = new CertificateStore({ clock: this.clock });
    t.teardown(() => this.store.stop());
    this.config = tlsConfig(settings);
    this.prepared = this.load();
  }

  /** Reads the files again. */
  load(lenient = false): PreparedCertificates {
    this.prepared = atOnce(this.store.prepare([this.config], lenient));
    this.store.install(this.prepared);
    return this.prepared;
  }

  get terms(): TlsTerms {
    return this.store.termsOf(this.config);
  }

  /** What was found, in one line each. */
  get found(): string[] {
    return this.prepared.findings.map(({ severity, message }) => `${severity}: ${message}`);
  }
}

/**
 * Serves these terms by documented means; each connection is sent `hello` and ended. Returns the port. Each handshake begins
 * with the context for `first`, and goes on with that for the name it has.
 */
export async function serve(t: Test, terms: TlsTerms, first: string | null = null): Promise<number> {
  const server = net.createServer((socket) => {
    const unnamed = terms.choose(first, []);
    const connection = new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: unnamed?.context ?? tls.createSecureContext(),
      SNICallback: (name, done) => {
        const choice = terms.choose(name, []);
        if (choice === null) done(new Error('unrecognized name'));
        // Changing the context in a handshake keeps one certificate of several on newer versions of Node.
        else if (choice === unnamed) done(null);
        else done(null, choice.context);
      },
      requestCert: unnamed !== null && unnamed.clientAuth !== 'none',
      rejectUnauthorized: unnamed?.clientAuth === 'require',
      ALPNProtocols: [...terms.protocols],
    });
    connection.on('error', () => socket.destroy());
    socket.on('error', () => socket.destroy());
    connection.on('secure', () => {
      const authorized = (
        connection as unknown as { ssl: { verifyError(): Error | null } }
      ).ssl.verifyError();
      if (unnamed?.clientAuth === 'require' && authorized !== null) connection.destroy();
      else connection.end('hello');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** How one handshake went. */
export interface Shaken {
  /** Empty when it worked and `hello` came. */
  readonly error: string;
  /** The serial of the certificate that was shown, in upper case. */
  readonly serial: string;
  readonly resumed: boolean;
  readonly session: Buffer | undefined;
  readonly cipher: string;
}

/** Makes one connection. */
export function shake(port: number, options: tls.ConnectionOptions = {}): Promise<Shaken> {
  return new Promise((resolve) => {
    let session: Buffer | undefined;
    let shaken = { serial: '', resumed: false, cipher: '' };
    let text = '';
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    const end = (error: string): void => {
      resolve({ error, session, ...shaken });
      socket.destroy();
    };
    socket.on('session', (one) => {
      session = one;
    });
    socket.on('secureConnect', () => {
      shaken = {
        serial: socket.getPeerX509Certificate()?.serialNumber.toUpperCase() ?? '',
        resumed: socket.isSessionReused(),
        cipher: socket.getCipher().standardName,
      };
    });
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', () => end(text === 'hello' ? '' : 'closed'));
  });
}
