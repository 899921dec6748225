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

/** Backlog of connections the kernel accepts for us; it is cut to net.core.somaxconn. */
const BACKLOG = 4096;

/** What a listener goes by. */
export interface ListenerSettings {
  readonly address: Address;
  /** Anything: connections are encrypted. */
  readonly tls?: object | null;
  readonly redirect?: 'https' | null;
  readonly mode?: number | null;
  readonly connections?: number | null;
  readonly proxyProtocol?: readonly string[] | null;
}

/** How listeners encrypt. */
export interface ListenerTls<Settings> {
  /** null: the listener is one of plain HTTP. Asked when it is made, and when it gets other settings. */
  termsOf(settings: Settings): TlsTerms | null;
  readonly handshakes: HandshakeDeps;
}

/** What listeners need, the same for all of one balancer. */
export interface ListenerDeps<Settings = ListenerSettings> {
  readonly acceptor: Acceptor;
  readonly sockets: Sockets;
  /** Told of connections that could not be accepted. */
  readonly onTrouble?: (error: NodeJS.ErrnoException) => void;
  /** Without it all are listeners of plain HTTP. */
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
  /** What is known of each of its connections when it comes. */
  #info: TransportInfo = PLAIN_TRANSPORT;
  /** The peers whose connections begin with a PROXY header; null: none do. */
  #proxies: AddressSet | null;
  /** null: it is one of plain HTTP. */
  #terms: TlsTerms | null;
  /** Of the file of a Unix socket; null: what the umask leaves. */
  #mode: number | null;
  #closed = false;
  #abort: () => void = () => {};

  constructor(settings: Settings, deps: ListenerDeps<Settings>) {
    this.wanted = settings.address;
    this.#address = settings.address;
    this.#mode = settings.mode ?? null;
    this.#deps = deps;
    this.#terms = deps.tls?.termsOf(settings) ?? null;
    this.#proxies = proxiesOf(settings);
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  }

  /** Where it was asked to listen. */
  readonly wanted: Address;

  /** Where it listens; after `open`, with the port the system chose if 0 was asked for. */
  get address(): Address {
    return this.#address;
  }

  /** Throws the system's error where the file of a Unix socket can't get its mode. */
  changeMode({ mode = null }: ListenerSettings): void {
    if (mode === this.#mode || this.#address.kind !== 'unix') return;
    chmodSync(this.#address.path, mode ?? 0o777 & ~process.umask());
    this.#mode = mode;
  }

  /** From now on. `httpsPort`: to which requests are redirected if the settings say so. */
  apply(settings: Settings, httpsPort: number): void {
    const { redirect = null, connections = null } = settings;
    this.state.httpsPort = redirect === null ? 0 : httpsPort;
    this.state.most = connections ?? 0;
    this.#terms = this.#deps.tls?.termsOf(settings) ?? null;
    this.#proxies = proxiesOf(settings);
  }

  /** A connection came. */
  enter(connection: RawConnection): void {
    const { proxyHeaders } = this.#deps;
    if (this.#proxies === null || proxyHeaders === undefined) this.#letIn(connection, this.#info, null);
    else this.#readHeader(connection, this.#proxies, proxyHeaders);
  }

  #readHeader(connection: RawConnection, proxies: AddressSet, deps: ProxyHeaderDeps): void {
    const { remoteAddress } = connection;
    const peer = parseIpAddress(remoteAddress);
    // Who may connect to a Unix socket is up to the mode of its file.
    if (this.#address.kind === 'unix' || (peer !== null && proxies.has(peer))) {
      new ProxyHeaderReader(this, deps).begin(connection);
      return;
    }
    // Without an address it is gone already, as the checks of HAProxy are that only connect.
    if (peer === null) deps.counts.count('closed', this.name, remoteAddress);
    else deps.counts.count('untrusted', this.name, peer.text, `${peer.text} is not in proxy_protocol`);
    connection.refuse();
  }

  /** Where it listens, for people. */
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

  /** Binds and listens. Rejects with the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL; or when it is closed first. */
  async open(): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      if (!(await this.#makesWay(error))) throw error;
      await this.#listen();
    }
  }

  /** Is the error only about a socket file on which no process listens any more? If so, the file is gone now. */
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
        // Binding looks the host up first, and a close in that time comes too early for Node.
        if (this.#closed) server.close();
        // An accept can fail later (ENOBUFS): the listener lives on.
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

  /** Stops accepting. Connections that were accepted are not its concern. */
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
 * Binds by `listen`, which does so before it returns, and gives the file its mode. The file has no right that `mode` has not,
 * not even before it has its mode: somebody could connect in that time.
 */
function withMode(path: string, mode: number, server: net.Server, listen: () => void): void {
  const restore = narrowUmask(~mode & 0o777);
  try {
    listen();
  } finally {
    restore();
  }
  // If not, the file is that of another process.
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
    // A worker thread may not change it.
    return () => {};
  }
}

function resolved(wanted: Address, bound: string | net.AddressInfo | null): Address {
  if (wanted.kind === 'unix' || bound === null || typeof bound === 'string' || wanted.port === bound.port)
    return wanted;
  return { ...wanted, port: bound.port, text: wanted.text.replace(/0$/, String(bound.port)) };
}

/**
 * A process that was killed leaves the file of its Unix socket, and the next process could not listen.
 * Takes the file away if it is a socket and no process listens there; false when it is anything else.
 */
async function removeStale(path: string): Promise<boolean> {
  try {
    // Asked for first: a connection to a plain file is refused too.
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
