import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import type { Address } from '../base/address.js';
import { AddressSet } from '../base/address-set.js';
import { parseIpAddress } from '../base/ip-address.js';
import { ListenerState } from '../base/listener-state.js';
import { PLAIN_TRANSPORT, type TransportInfo } from '../base/transport-info.js';
import {
  type Acceptor,
  type Admission,
  acceptFrom,
  type Entrance,
  Incoming,
  type RawConnection,
} from './accept.js';
import {
  type ProxyHeaderDeps,
  type ProxyHeaderOwner,
  ProxyHeaderReader,
  type ToldConnection,
} from './proxy-header-reader.js';
import { Handshake, type HandshakeDeps } from './tls-handshake.js';
import type { TlsTerms } from './tls-terms.js';
import type { Sockets } from './transport.js';

/** The length of the kernel's accept queue; limited by net.core.somaxconn. */
const BACKLOG = 4096;

/** The settings of a listener. */
export interface ListenerSettings {
  readonly address: Address;
  /** If not null, connections are encrypted. */
  readonly tls?: object | null;
  readonly redirect?: 'https' | null;
  readonly mode?: number | null;
  readonly connections?: number | null;
  readonly proxyProtocol?: readonly string[] | null;
}

/** How listeners use TLS. */
export interface ListenerTls<Settings> {
  /** null: the listener is plain HTTP. Called when the listener is made, and when its settings change. */
  termsOf(settings: Settings): TlsTerms | null;
  readonly handshakes: HandshakeDeps;
}

/** What listeners need, the same for all of one balancer. */
export interface ListenerDeps<Settings = ListenerSettings> {
  readonly acceptor: Acceptor;
  readonly sockets: Sockets;
  /** Called when a connection could not be accepted. */
  readonly onTrouble?: (error: NodeJS.ErrnoException) => void;
  /** Without it all listeners are plain HTTP. */
  readonly tls?: ListenerTls<Settings>;
  /** Without it no listener reads PROXY headers. */
  readonly proxyHeaders?: ProxyHeaderDeps;
}

/** One bound address. */
export class Listener<Settings extends ListenerSettings = ListenerSettings>
  implements Entrance, ProxyHeaderOwner
{
  readonly state = new ListenerState();
  readonly #server: net.Server;
  readonly #deps: ListenerDeps<Settings>;
  #address: Address;
  /** What is known of each new connection. */
  #info: TransportInfo = PLAIN_TRANSPORT;
  /** The peers whose connections begin with a PROXY header; null: none. */
  #proxies: AddressSet | null;
  /** null: plain HTTP. */
  #terms: TlsTerms | null;
  /** The mode of the file of a Unix socket; null: according to the umask. */
  #mode: number | null;
  #closed = false;
  #abort: () => void = () => {};

  constructor(settings: Settings, deps: ListenerDeps<Settings>) {
    this.wanted = settings.address;
    this.#address = settings.address;
    this.#mode = settings.mode ?? null;
    this.#deps = deps;
    this.#terms = deps.tls?.termsOf(settings) ?? null;
    this.state.policies = this.#terms;
    this.#proxies = proxiesOf(settings);
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  }

  /** The configured address. */
  readonly wanted: Address;

  /** The bound address; after `open`, with the port that the system chose for port 0. */
  get address(): Address {
    return this.#address;
  }

  /** Throws the system's error when the mode of the socket file can't be changed. */
  changeMode({ mode = null }: ListenerSettings): void {
    if (mode === this.#mode || this.#address.kind !== 'unix') return;
    chmodSync(this.#address.path, mode ?? 0o777 & ~process.umask());
    this.#mode = mode;
  }

  /** Applies from now on. `httpsPort`: the port that requests are redirected to if the settings say so. */
  apply(settings: Settings, httpsPort: number): void {
    const { redirect = null, connections = null } = settings;
    this.state.httpsPort = redirect === null ? 0 : httpsPort;
    this.state.most = connections ?? 0;
    this.#terms = this.#deps.tls?.termsOf(settings) ?? null;
    this.state.policies = this.#terms;
    this.#proxies = proxiesOf(settings);
  }

  /** A connection was accepted. */
  enter(connection: RawConnection): void {
    // The system forgets the address of a peer that has reset the connection, but not what it sent before: a request that no
    // address list could judge.
    if (this.#address.kind === 'tcp' && connection.remoteAddress === '') {
      connection.refuse();
      return;
    }
    const { proxyHeaders } = this.#deps;
    if (this.#proxies === null || proxyHeaders === undefined) this.#letIn(connection, this.#info, null);
    else this.#readHeader(connection, this.#proxies, proxyHeaders);
  }

  #readHeader(connection: RawConnection, proxies: AddressSet, deps: ProxyHeaderDeps): void {
    const { remoteAddress } = connection;
    const peer = parseIpAddress(remoteAddress);
    // Access to a Unix socket is controlled by the mode of its file.
    if (this.#address.kind === 'unix' || (peer !== null && proxies.has(peer))) {
      new ProxyHeaderReader(this, deps).begin(connection);
      return;
    }
    // Without an address it is gone already, as the checks of HAProxy are that only connect.
    if (peer === null) deps.counts.count('closed', this.name, remoteAddress);
    else deps.counts.count('untrusted', this.name, peer.text, `${peer.text} is not in proxy_protocol`);
    connection.refuse();
  }

  /** The address as text. */
  get name(): string {
    return this.#address.text;
  }

  get info(): TransportInfo {
    return this.#info;
  }

  onHeader(connection: ToldConnection, held: Admission): void {
    this.#letIn(connection, connection.info, held);
  }

  /** `held`: the place that the connection has had while its PROXY header was read. */
  #letIn(connection: RawConnection, info: TransportInfo, held: Admission | null): void {
    const { acceptor, tls } = this.#deps;
    if (this.#terms !== null && tls !== undefined) {
      new Handshake(info, this.#terms, tls.handshakes).begin(connection, this.state, held);
      return;
    }
    const admission = acceptor.admit(connection.remoteAddress, this.state, null, held);
    if (admission === null) connection.refuse();
    else acceptor.onAccept(new Incoming(connection.transport(), info, connection.source), admission);
  }

  /** Binds and listens. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL), or when closed before. */
  async open(): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      if (!(await this.#makesWay(error))) throw error;
      await this.#listen();
    }
  }

  /** Is the only obstacle a socket file on which no process listens? If so, the file has been removed. */
  async #makesWay(error: unknown): Promise<boolean> {
    if (this.#address.kind !== 'unix' || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return false;
    return (await removeStale(this.#address.path)) && !this.#closed;
  }

  #listen(): Promise<void> {
    const server = this.#server;
    const address = this.#address;
    return new Promise((resolve, reject) => {
      const onError = (error: Error): void => {
        server.off('listening', onListening);
        reject(error);
      };
      this.#abort = () => reject(new Error(`closed before it listened on ${address.text}`));
      const onListening = (): void => {
        server.off('error', onError);
        // Binding resolves the host first, and a close during that time comes too early for Node.
        if (this.#closed) server.close();
        // An accept can fail later (ENOBUFS): the listener continues.
        server.on('error', this.#deps.onTrouble ?? ignore);
        this.#address = resolved(address, server.address());
        this.#info = Object.freeze({ ...PLAIN_TRANSPORT, port: portOf(this.#address) });
        acceptFrom(server, this, this.#deps.sockets.mode);
        resolve();
      };
      server.once('error', onError);
      server.once('listening', onListening);
      const options =
        address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
      const listen = (): void => void server.listen({ ...options, backlog: BACKLOG });
      if (address.kind !== 'unix' || this.#mode === null) listen();
      else withMode(address.path, this.#mode, server, listen);
    });
  }

  /** Stops accepting. Accepted connections are not affected. */
  close(): void {
    this.#closed = true;
    this.#abort();
    this.#server.close(() => {});
  }
}

function proxiesOf({ proxyProtocol = null }: ListenerSettings): AddressSet | null {
  return proxyProtocol === null ? null : new AddressSet(proxyProtocol);
}

function ignore(): void {}

function portOf(address: Address): number {
  return address.kind === 'tcp' ? address.port : 0;
}

/**
 * Binds by `listen`, which does so before it returns, and sets the mode of the file. The file never has a right beyond
 * `mode`, not even before its mode is set: a process could connect in that time.
 */
function withMode(path: string, mode: number, server: net.Server, listen: () => void): void {
  const restore = narrowUmask(~mode & 0o777);
  try {
    listen();
  } finally {
    restore();
  }
  // Otherwise the file belongs to another process.
  if (!server.listening) return;
  try {
    chmodSync(path, mode);
  } catch (error) {
    server.close();
    throw error;
  }
}

function narrowUmask(denied: number): () => void {
  try {
    const before = process.umask(denied);
    process.umask(before | denied);
    return () => void process.umask(before);
  } catch {
    // A worker thread may not change the umask.
    return () => {};
  }
}

function resolved(wanted: Address, bound: string | net.AddressInfo | null): Address {
  if (wanted.kind === 'unix' || bound === null || typeof bound === 'string' || wanted.port === bound.port)
    return wanted;
  return { ...wanted, port: bound.port, text: wanted.text.replace(/0$/, String(bound.port)) };
}

/**
 * A killed process leaves the file of its Unix socket, so that the next process could not listen. Removes the file if it
 * is a socket and no process listens there; returns false for anything else.
 */
async function removeStale(path: string): Promise<boolean> {
  try {
    // Checked first: a connection to a plain file is refused too.
    if (!lstatSync(path).isSocket() || !(await isDeserted(path))) return false;
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
