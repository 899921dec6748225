import type { Address } from '../base/address.js';
import { Deadline, type DeadlineOwner } from '../base/timer-wheel.js';
import { Channel, type ChannelOwner } from './channel.js';
import { type Connecting, type ConnectListener, connect } from './connecting.js';
import type { HostAddresses, ResolveListener } from './host-addresses.js';
import type { ProxyVersion } from './proxy-header-encoder.js';
import type { ServerTls } from './server-tls.js';
import { isShortage } from './shortage.js';
import type { Handshake, HandshakeListener } from './tls-connecting.js';
import type { TlsError } from './tls-failure.js';
import type { Sockets } from './transport.js';

/** Where connections to one server go: one address, or all addresses of a name in rotation. */
export interface Endpoint {
  readonly address: Address;
  /** null when the address is not a name. */
  readonly host: HostAddresses | null;
  readonly sockets: Sockets;
  /** The PROXY header that every connection begins with; null: none. */
  readonly sendProxy: ProxyVersion | null;
  /** null: not encrypted. */
  readonly tls: ServerTls | null;
}

/** Called once with the result of a dial, and never before `dial` returns. */
export interface DialListener {
  /**
   * `open` makes the channel of its owner, and must be called at once. `peer` is the IP address, or the path of a Unix
   * socket.
   */
  onConnect(open: (owner: ChannelOwner) => Channel, peer: string): void;
  /** No address accepted the connection, or the handshake failed (`TlsError`): the error of the last attempt. */
  onDialFailed(error: NodeJS.ErrnoException): void;
}

/** RFC 8305, 5: after this long the next address is tried in parallel. */
const ATTEMPT_DELAY_MS = 250;

/**
 * Opens a connection to `endpoint`, including the TLS handshake. The caller keeps the deadline, and cancels the dial when
 * it passes. `greeting` is sent first, as latin1: a PROXY header; TLS comes after it.
 */
export function dial(endpoint: Endpoint, dialler: DialListener, greeting = ''): Dial {
  return new Dial(endpoint, dialler, greeting);
}

/**
 * One connection being opened. The addresses of a name race: the next one is tried when one has failed or is slow, and
 * the first to connect wins (RFC 8305).
 */
export class Dial implements DeadlineOwner, ResolveListener, ConnectListener, HandshakeListener {
  readonly #address: Address;
  readonly #host: HostAddresses | null;
  readonly #sockets: Sockets;
  readonly #tls: ServerTls | null;
  readonly #dialler: DialListener;
  readonly #greeting: string;
  readonly #deadline: Deadline | null;
  readonly #attempts = new Set<Connecting>();
  #candidates: readonly string[] = [];
  #tried = 0;
  /** The address that has connected, and its handshake. */
  #peer = '';
  #handshake: Handshake | null = null;

  constructor({ address, host, sockets, tls }: Endpoint, dialler: DialListener, greeting: string) {
    this.#address = address;
    this.#host = host;
    this.#sockets = sockets;
    this.#tls = tls;
    this.#dialler = dialler;
    this.#greeting = greeting;
    this.#deadline = host === null ? null : new Deadline(host.wheel, this);
    if (host === null) this.#begin([address.kind === 'unix' ? address.path : address.host]);
    else if (host.isKnown) this.#begin(host.candidates());
    else host.wait(this);
  }

  /** Gives up; the dialler is not called. */
  cancel(): void {
    this.#end();
  }

  onKnown(): void {
    this.#begin((this.#host as HostAddresses).candidates());
  }

  onUnknown(error: NodeJS.ErrnoException): void {
    this.#end();
    this.#dialler.onDialFailed(error);
  }

  /** The last attempt is slow. */
  onDeadline(): void {
    this.#tryNext();
  }

  #begin(candidates: readonly string[]): void {
    this.#candidates = candidates;
    this.#tryNext();
  }

  #tryNext(): void {
    const peer = this.#candidates[this.#tried++] as string;
    if (this.#tried < this.#candidates.length) this.#deadline?.arm(ATTEMPT_DELAY_MS);
    else this.#deadline?.disarm();
    const { kind } = this.#address;
    const place = kind === 'unix' ? { path: peer } : { host: peer, port: this.#address.port };
    this.#attempts.add(connect(place, this, this.#sockets.mode, this.#tls !== null));
  }

  onConnected(attempt: Connecting): void {
    const { peer } = attempt;
    this.#attempts.delete(attempt);
    if (this.#greeting !== '') attempt.greet(this.#greeting);
    if (this.#tls !== null) {
      this.#cancelAttempts();
      this.#peer = peer;
      this.#handshake = attempt.secure(this.#tls, this);
      return;
    }
    this.#host?.noteConnected(peer);
    this.#end();
    this.#dialler.onConnect((owner) => new Channel(attempt.transport(), owner), peer);
  }

  onSecured(handshake: Handshake): void {
    this.#handshake = null;
    this.#host?.noteConnected(this.#peer);
    this.#end();
    this.#dialler.onConnect((owner) => new Channel(handshake.transport(), owner), this.#peer);
  }

  onNotSecured(_handshake: Handshake, error: TlsError): void {
    this.#handshake = null;
    this.#noteFailed(this.#peer, error);
  }

  onRefused(attempt: Connecting, error: NodeJS.ErrnoException): void {
    this.#attempts.delete(attempt);
    this.#noteFailed(attempt.peer, error);
  }

  #noteFailed(peer: string, error: NodeJS.ErrnoException): void {
    if (!isShortage(error)) this.#host?.noteFailed(peer);
    if (this.#tried < this.#candidates.length) {
      this.#tryNext();
    } else if (this.#attempts.size === 0) {
      this.#end();
      this.#dialler.onDialFailed(error);
    }
  }

  /** Is it connected, and waits for the end of its handshake? */
  get isSecuring(): boolean {
    return this.#handshake !== null;
  }

  #end(): void {
    this.#deadline?.release();
    this.#host?.cancel(this);
    this.#handshake?.cancel();
    this.#cancelAttempts();
  }

  #cancelAttempts(): void {
    this.#deadline?.disarm();
    for (const attempt of this.#attempts) attempt.cancel();
    this.#attempts.clear();
  }
}
