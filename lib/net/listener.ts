import * as net from 'node:net';
import type { Address } from '../base/address.js';
import { AddressSet } from '../base/address-set.js';
import { parseIpAddress } from '../base/ip-address.js';
import { ListenerState, type OpenCount } from '../base/listener-state.js';
import { PLAIN_TRANSPORT, type TransportInfo } from '../base/transport-info.js';
import {
  type Acceptor,
  type Admission,
  acceptFrom,
  descriptorOf,
  type Entrance,
  Incoming,
  type RawConnection,
} from './accept.js';
import {
  describeInherited,
  discard,
  type InheritedSocket,
  type InheritedSockets,
} from './inherited-sockets.js';
import {
  type ProxyHeaderDeps,
  type ProxyHeaderOwner,
  ProxyHeaderReader,
  type ToldConnection,
} from './proxy-header-reader.js';
import { removeStale, SocketFile } from './socket-file.js';
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

/**
 * How the threads of a balancer share addresses. `alone`: there is one thread. `first`: others bind the same TCP ports.
 * `further`: likewise, and Unix sockets, which cannot be shared in this way, are left to the first.
 */
export type ListenerSharing = 'alone' | 'first' | 'further';

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
  /** Sockets that this process was started with: a listener takes the next one of its address instead of binding. */
  readonly inherited?: InheritedSockets;
  /** The open connections of a listener in all threads, by its address; null: there is one thread. */
  readonly countOf?: (address: string) => OpenCount | null;
  /** By default `alone`. */
  readonly sharing?: ListenerSharing;
}

/** One bound address. */
export class Listener<Settings extends ListenerSettings = ListenerSettings>
  implements Entrance, ProxyHeaderOwner
{
  readonly state: ListenerState;
  readonly #server: net.Server;
  readonly #deps: ListenerDeps<Settings>;
  /** Where to bind. */
  readonly #at: Address;
  #address: Address;
  /** What is known of each new connection. */
  #info: TransportInfo = PLAIN_TRANSPORT;
  /** The peers whose connections begin with a PROXY header; null: none. */
  #proxies: AddressSet | null;
  /** null: plain HTTP. */
  #terms: TlsTerms | null;
  /** The mode of the file of a Unix socket; null: according to the umask. */
  #mode: number | null;
  /** null: it does not listen on a Unix socket, or not yet. */
  #file: SocketFile | null = null;
  #closed = false;
  #abort: () => void = () => {};

  /** `at`: the address that another thread has bound for these settings. */
  constructor(settings: Settings, deps: ListenerDeps<Settings>, at: Address = settings.address) {
    this.state = new ListenerState(deps.countOf?.(settings.address.text) ?? null);
    this.wanted = settings.address;
    this.#at = at;
    this.#address = at;
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
    this.#file?.changeMode(mode);
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
      if (this.#deps.acceptor.waits?.(connection, null, this.state, this) !== true)
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
    if (held === null && acceptor.waits?.(connection, connection.remoteAddress, this.state, this) === true)
      return;
    if (this.#terms !== null && tls !== undefined) {
      new Handshake(info, this.#terms, tls.handshakes).begin(connection, this.state, held);
      return;
    }
    const admission = acceptor.admit(connection.remoteAddress, this.state, null, held);
    if (admission === null) connection.refuse();
    else acceptor.onAccept(new Incoming(connection.transport(), info, connection.source), admission);
  }

  /**
   * Listens on a socket that this process has inherited, or binds one. Rejects with the system's error (EADDRINUSE, EACCES,
   * EADDRNOTAVAIL), or when closed before.
   */
  async open(): Promise<void> {
    if (this.#deps.sharing === 'further' && this.wanted.kind === 'unix') return;
    const inherited = this.#deps.inherited === undefined ? null : await this.#inherit(this.#deps.inherited);
    try {
      await this.#listen(inherited);
    } catch (error) {
      if (inherited !== null || !(await this.#makesWay(error))) throw this.#explained(error);
      await this.#listen(null);
    }
  }

  /** Names the inherited socket that has the port on another interface, if there is one. */
  #explained(error: unknown): unknown {
    const { wanted } = this;
    const holder = wanted.kind === 'tcp' ? (this.#deps.inherited?.onPort(wanted.port) ?? null) : null;
    if (holder === null || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
    return Object.assign(error as Error, { heldByInherited: describeInherited(holder), wanted: wanted.text });
  }

  /** Looking for it may take as long as the name of the host needs to be resolved. */
  async #inherit(sockets: InheritedSockets): Promise<InheritedSocket | null> {
    const inherited = await sockets.take(this.wanted);
    if (!this.#closed) return inherited;
    if (inherited !== null) discard(inherited);
    throw new Error(`closed before it listened on ${this.wanted.text}`);
  }

  /** The descriptor of its socket; null while it does not listen, or if this Node does not report descriptors. */
  get descriptor(): number | null {
    return descriptorOf(this.#server);
  }

  /** Does a service manager hold its socket too? */
  isHeld = false;

  /** Does it have a socket file that has to be removed at the end? */
  get ownsFile(): boolean {
    return this.#file?.isOwn ?? false;
  }

  /** Is the only obstacle a socket file on which no process listens? If so, the file has been removed. */
  async #makesWay(error: unknown): Promise<boolean> {
    if (this.#address.kind !== 'unix' || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return false;
    return (await removeStale(this.#address.path)) && !this.#closed;
  }

  #listen(inherited: InheritedSocket | null): Promise<void> {
    const server = this.#server;
    const address = this.wanted;
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
      this.#bind(inherited);
    });
  }

  #bind(inherited: InheritedSocket | null): void {
    const server = this.#server;
    const address = this.#at;
    const options = { backlog: BACKLOG };
    if (inherited !== null) {
      this.isHeld = inherited.isHeld;
      // With a descriptor, Node takes 511 for whatever the options say.
      server.listen({ fd: inherited.descriptor }, BACKLOG);
      if (address.kind === 'unix') this.#file = SocketFile.inherited(address.path, inherited.ownsFile);
    } else if (address.kind === 'unix') {
      this.#file = SocketFile.bind(server, address.path, this.#mode, options);
    } else {
      const { sharing = 'alone' } = this.#deps;
      const reusePort = sharing !== 'alone';
      server.listen({ ...options, host: address.host, port: address.port, ...(reusePort && { reusePort }) });
    }
  }

  /**
   * Stops accepting. Accepted connections are not affected. `keepFile`: another process goes on with the socket, so that its
   * file stays.
   */
  close({ keepFile = false } = {}): void {
    this.#closed = true;
    this.#abort();
    if (!keepFile) this.#file?.remove();
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

function resolved(wanted: Address, bound: string | net.AddressInfo | null): Address {
  if (wanted.kind === 'unix' || bound === null || typeof bound === 'string' || wanted.port === bound.port)
    return wanted;
  return { ...wanted, port: bound.port, text: wanted.text.replace(/0$/, String(bound.port)) };
}
