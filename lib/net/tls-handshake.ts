import type { EndsSource } from '../base/connection-ends.js';
import { type ListenerState, NO_LISTENER } from '../base/listener-state.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { TransportInfo } from '../base/transport-info.js';
import {
  type Acceptor,
  type Admission,
  Incoming,
  type PendingConnection,
  type RawConnection,
} from './accept.js';
import { Channel, type ChannelOwner } from './channel.js';
import { clientCertificate } from './client-certificate.js';
import { ALERT, type ClientHello, readClientHello } from './client-hello.js';
import { HandleTransport } from './handle-transport.js';
import type { HandshakeQueue } from './handshake-queue.js';
import { type HandshakeCounts, type HandshakeResult, resultOf } from './handshake-results.js';
import type { SocketTransport } from './socket-transport.js';
import { TlsClientTransport } from './tls-client-transport.js';
import { TlsSocketTransport } from './tls-socket-transport.js';
import type { TlsChoice, TlsTerms } from './tls-terms.js';
import type {
  RawTransport,
  SecuredTransport,
  ServerHandshakeListener,
  TlsServerOptions,
  TlsSession,
} from './transport.js';

/** What handshakes need, the same for all of one balancer. */
export interface HandshakeDeps {
  readonly acceptor: Acceptor;
  readonly wheel: TimerWheel;
  readonly queue: HandshakeQueue;
  readonly counts: HandshakeCounts;
  /** The most ms for a handshake, from when the connection is accepted; a reload may change it. */
  readonly timeout: () => number;
  /** Complete responses, for clients that spoke HTTP without TLS, or showed no valid certificate. */
  readonly replies: { plainHttp(): string; certificate(error: string): string };
}

/** A refused client has this long to read the reason, while its input is dropped; then the connection is cut. */
const LINGER_MS = 5000;
const LINGER_BYTES = 1024 * 1024;
/** An alert before OpenSSL takes part: type of the record, TLS 1.2 as in all records, length, and fatal. */
const ALERT_RECORD = Buffer.of(21, 3, 3, 0, 2, 2, 0);

/**
 * hello: the ClientHello is read. queued: it is complete, and waits. begun: OpenSSL processes it. refusing: the last
 * bytes are sent, and input is dropped. over: the connection is a client's, or closed.
 */
type HandshakeState = 'hello' | 'queued' | 'begun' | 'refusing' | 'over';

/**
 * A connection to a TLS listener, from when it is admitted until it is a client's. The ClientHello is read here, before
 * OpenSSL gets it: so the name decides about the whole handshake, in every version of TLS and for resumed sessions too; a
 * silent connection costs very little; and the number of handshakes that begin at once is limited.
 */
export class Handshake implements ChannelOwner, DeadlineOwner, ServerHandshakeListener, PendingConnection {
  readonly idleSince: number;
  readonly #deps: HandshakeDeps;
  readonly #terms: TlsTerms;
  readonly #info: TransportInfo;
  readonly #deadline: Deadline;
  #listener: ListenerState = NO_LISTENER;
  #admission: Admission | null = null;
  #source: EndsSource | undefined;
  #state: HandshakeState = 'hello';
  /** The socket below, and then the transport over TLS. */
  #raw: RawTransport | null = null;
  #secured: SecuredTransport | null = null;
  /** While the hello is read, or the last bytes are sent. */
  #channel: Channel | null = null;
  #bytes: Buffer | null = null;
  #hello: ClientHello | null = null;
  #choice: TlsChoice | null = null;
  #dropped = 0;

  constructor(info: TransportInfo, terms: TlsTerms, deps: HandshakeDeps) {
    this.#info = info;
    this.#terms = terms;
    this.#deps = deps;
    this.idleSince = deps.wheel.now;
    this.#deadline = new Deadline(deps.wheel, this);
  }

  /** `listener` and `held` as in `Acceptor.admit`. */
  begin(connection: RawConnection, listener: ListenerState, held: Admission | null): void {
    this.#listener = listener;
    this.#admission = this.#deps.acceptor.admit(connection.remoteAddress, listener, this, held);
    if (this.#admission === null) {
      this.#state = 'over';
      connection.refuse();
      return;
    }
    this.#deadline.arm(this.#deps.timeout());
    this.#source = connection.source;
    this.#raw = connection.transport();
    this.#channel = new Channel(this.#raw, this);
  }

  // Reading the ClientHello.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#state === 'refusing') this.#drop(length);
    if (this.#state !== 'hello') return;
    const read = buffer.subarray(0, length);
    const bytes = this.#bytes === null ? read : Buffer.concat([this.#bytes, read]);
    const hello = readClientHello(bytes);
    if (hello !== null && 'fault' in hello) {
      this.#refuse(
        hello.fault,
        hello.fault === 'plain_http' ? this.#deps.replies.plainHttp() : '',
        hello.alert,
      );
      return;
    }
    // The bytes lie in the buffer that the next read overwrites.
    this.#bytes = bytes === read ? Buffer.from(bytes) : bytes;
    if (hello === null) return;
    this.#hello = hello;
    this.#state = 'queued';
    this.#channel?.pause();
    this.#deps.queue.push(this);
  }

  /** Called by the queue. False when there is nothing to do. */
  run(): boolean {
    const { name, protocols } = this.#hello as ClientHello;
    if (this.#state !== 'queued') return false;
    const choice = this.#terms.choose(name, protocols);
    if (choice === null) {
      this.#refuse('unrecognized_name', '', ALERT.unrecognizedName);
      return true;
    }
    this.#choice = choice;
    this.#begin(choice);
    return true;
  }

  #begin(choice: TlsChoice): void {
    const raw = this.#raw as RawTransport;
    this.#channel?.leave();
    this.#channel = null;
    this.#state = 'begun';
    raw.detach(null);
    this.#deps.queue.noteBegun(this);
    const protocols = choice.onlyProtocol === null ? this.#terms.protocols : onlyList(choice.onlyProtocol);
    const first = this.#bytes as Buffer;
    this.#bytes = null;
    try {
      const secured = secure(raw, { choice, protocols, first, listener: this });
      // The handshake may have failed already.
      if (this.#isBegun) this.#secured = secured;
    } catch (error) {
      raw.destroy();
      this.onUnsecured(error as NodeJS.ErrnoException);
    }
  }

  get #isBegun(): boolean {
    return this.#state === 'begun';
  }

  // Called by OpenSSL.

  onUnsecured(error: NodeJS.ErrnoException | null): void {
    if (this.#isBegun) this.#over(resultOf(error));
  }

  onSecured(): void {
    const transport = this.#secured as SecuredTransport;
    const choice = this.#choice as TlsChoice;
    const { session } = transport;
    this.#deps.queue.noteFinished(this);
    if (choice.onlyProtocol !== null) {
      // RFC 8737, 3: the certificate is the whole answer.
      this.#count(session.resumed ? 'resumed' : 'ok');
      this.#sayOverTls('');
    } else if (choice.clientAuth === 'require' && !isValid(session)) {
      // Node can't end a handshake because of a certificate that OpenSSL has read: the client gets an HTTP response, as
      // with nginx.
      const { peerCertificate, verifyError } = session;
      this.#count(peerCertificate === null ? 'no_certificate' : 'bad_certificate');
      this.#sayOverTls(this.#deps.replies.certificate(peerCertificate === null ? '' : verifyError));
    } else {
      this.#handOver(transport, session, choice);
    }
  }

  #handOver(transport: SecuredTransport, session: TlsSession, choice: TlsChoice): void {
    const admission = this.#admission as Admission;
    const { acceptor } = this.#deps;
    const name = this.#hello?.name ?? null;
    const info = infoOf(this.#info, name, session, choice, this.#listener);
    this.#count(info.tls?.resumed === true ? 'resumed' : 'ok');
    this.#state = 'over';
    this.#admission = null;
    this.#deadline.release();
    acceptor.onAccept(new Incoming(transport, info, this.#source), admission);
  }

  // Endings.

  /** Sends `text` or an alert in clear text, if any, and closes. */
  #refuse(result: HandshakeResult, text: string, alert: number): void {
    this.#count(result);
    this.#state = 'refusing';
    const channel = this.#channel as Channel;
    if (alert !== 0) {
      const record = Buffer.from(ALERT_RECORD);
      record[record.length - 1] = alert;
      channel.write(record, 0, record.length);
    }
    if (alert === 0 && text === '') channel.destroy();
    else this.#linger(channel, text);
  }

  #sayOverTls(text: string): void {
    this.#linger(new Channel(this.#secured as SecuredTransport, this), text);
  }

  #linger(channel: Channel, text: string): void {
    this.#state = 'refusing';
    this.#channel = channel;
    this.#secured = null;
    this.#bytes = null;
    this.#deadline.arm(LINGER_MS);
    if (text !== '') channel.writeText(text);
    channel.resume();
    channel.end();
  }

  #drop(length: number): void {
    this.#dropped += length;
    if (this.#dropped > LINGER_BYTES) this.#channel?.destroy();
  }

  /** Ends the handshake without an answer. */
  #over(result: HandshakeResult): void {
    if (this.#state === 'over') return;
    if (this.#state !== 'refusing') this.#count(result);
    this.#state = 'over';
    this.#deps.queue.noteFinished(this);
    this.#deadline.release();
    this.#bytes = null;
    this.#admission?.leave();
    this.#admission = null;
  }

  #count(result: HandshakeResult): void {
    this.#deps.counts.count(result);
  }

  get isSilent(): boolean {
    return this.#state === 'hello' && this.#bytes === null;
  }

  /** Another connection needs its place. */
  abandon(): void {
    this.#cut('gave_way');
  }

  onDeadline(): void {
    this.#cut('timeout');
  }

  #cut(result: HandshakeResult): void {
    const channel = this.#channel;
    const secured = this.#secured;
    this.#over(result);
    if (channel !== null) channel.destroy();
    else secured?.destroy();
  }

  // Other events of the channel.

  onEnd(): void {
    if (this.#state === 'refusing') return;
    this.#cut('client_left');
  }

  onBlocked(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#over('client_left');
  }
}

/**
 * Begins TLS on a detached transport, as a server, in the same mode. Throws when OpenSSL rejects the options. The
 * listener may be called with a failure before this returns.
 */
function secure(transport: RawTransport, options: TlsServerOptions): SecuredTransport {
  return transport instanceof HandleTransport
    ? new TlsClientTransport(transport.handle, options)
    : new TlsSocketTransport((transport as SocketTransport).socket, options);
}

/** Lists of one protocol, one object each. */
const onlyLists = new Map<string, readonly string[]>();

function onlyList(protocol: string): readonly string[] {
  let list = onlyLists.get(protocol);
  if (list === undefined) {
    list = [protocol];
    onlyLists.set(protocol, list);
  }
  return list;
}

/** For a resumed session without a certificate OpenSSL reports in TLS 1.3 that it is valid. */
function isValid({ peerCertificate, verifyError }: TlsSession): boolean {
  return peerCertificate !== null && verifyError === '';
}

function infoOf(
  before: TransportInfo,
  name: string | null,
  session: TlsSession,
  { clientAuth, policy }: TlsChoice,
  listener: ListenerState,
): TransportInfo {
  const { version, cipher, resumed, alpn } = session;
  const der = clientAuth === 'none' ? null : session.peerCertificate;
  const certificate = der === null ? null : clientCertificate(der, session.verifyError);
  return {
    scheme: 'https',
    port: before.port,
    alpn,
    sni: name,
    tls: {
      version,
      cipher,
      resumed,
      policy,
      // A reload may bring other policies while the connection lasts.
      get policyOf(): ((host: string) => string) | null {
        return listener.policies?.policyOf ?? null;
      },
      clientCertificate: certificate,
    },
  };
}
