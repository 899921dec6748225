import type { EndsSource } from '../base/connection-ends.js';
import type { ListenerState } from '../base/listener-state.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { TransportInfo } from '../base/transport-info.js';
import type { Admission, PendingConnection, RawConnection } from './accept.js';
import { Channel, type ChannelOwner } from './channel.js';
import { type ProxyHeader, ProxyHeaderParser, type ProxyRefusal } from './proxy-header.js';
import type { ProxyHeaderCounts, ProxyHeaderResult } from './proxy-header-counts.js';
import type { RawTransport } from './transport.js';

/** What reading PROXY headers needs, the same for all of one balancer. */
export interface ProxyHeaderDeps {
  readonly wheel: TimerWheel;
  readonly counts: ProxyHeaderCounts;
  readonly places: PlaceHolder;
  /** The most ms for a header, from when the connection is accepted; 0: no limit. A reload may change it. */
  readonly timeout: () => number;
}

/** Counts connections before their client is known. */
export interface PlaceHolder {
  /** null: there is no room, and the connection is reset. The place is passed to `Acceptor.admit` later. */
  hold(listener: ListenerState, pending: PendingConnection): Admission | null;
}

/** The listener of the connection. */
export interface ProxyHeaderOwner {
  readonly state: ListenerState;
  /** Its address, for people. */
  readonly name: string;
  /** What is known of each of its connections. */
  readonly info: TransportInfo;
  /** The header is complete: `connection` continues with its data. `held` is its place until it is admitted. */
  onHeader(connection: ToldConnection, held: Admission): void;
}

/** A connection from when it is accepted until its PROXY header is read. */
export class ProxyHeaderReader implements ChannelOwner, DeadlineOwner, PendingConnection {
  readonly idleSince: number;
  readonly #owner: ProxyHeaderOwner;
  readonly #deps: ProxyHeaderDeps;
  readonly #deadline: Deadline;
  readonly #parser = new ProxyHeaderParser();
  #peer = '';
  #raw: RawTransport | null = null;
  #channel: Channel | null = null;
  /** null before and after. */
  #held: Admission | null = null;

  constructor(owner: ProxyHeaderOwner, deps: ProxyHeaderDeps) {
    this.#owner = owner;
    this.#deps = deps;
    this.idleSince = deps.wheel.now;
    this.#deadline = new Deadline(deps.wheel, this);
  }

  begin(connection: RawConnection): void {
    this.#held = this.#deps.places.hold(this.#owner.state, this);
    if (this.#held === null) {
      connection.refuse();
      return;
    }
    this.#peer = connection.remoteAddress;
    const timeout = this.#deps.timeout();
    if (timeout > 0) this.#deadline.arm(timeout);
    const raw = connection.transport();
    this.#raw = raw;
    this.#channel = new Channel(raw, this);
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#held === null) return;
    const parser = this.#parser;
    const end = parser.read(buffer, 0, length);
    const { header, refusal } = parser;
    if (refusal !== null) this.#refuse(refusal.kind, whyOf(refusal));
    // The bytes lie in the buffer that the next read overwrites.
    else if (header !== null)
      this.#goOn(header, end === length ? null : Buffer.from(buffer.subarray(end, length)));
  }

  #goOn(header: ProxyHeader, rest: Buffer | null): void {
    const held = this.#held as Admission;
    const raw = this.#raw as RawTransport;
    this.#count(header.ends === null ? 'local' : 'accepted');
    this.#held = null;
    this.#deadline.release();
    this.#channel?.leave();
    raw.detach(rest);
    this.#owner.onHeader(new ToldConnection(raw, this.#peer, header, this.#owner.info), held);
  }

  #refuse(result: ProxyHeaderResult, why = ''): void {
    if (this.#held === null) return;
    this.#count(result, why);
    this.#end();
    this.#channel?.reset();
  }

  #count(result: ProxyHeaderResult, why = ''): void {
    this.#deps.counts.count(result, this.#owner.name, this.#peer === '' ? 'a Unix socket' : this.#peer, why);
  }

  #end(): void {
    const held = this.#held;
    this.#held = null;
    this.#deadline.release();
    held?.leave();
  }

  onDeadline(): void {
    this.#refuse('timeout', 'it expects a PROXY header, and had none in time (timeouts.proxy_header)');
  }

  get isSilent(): boolean {
    return !this.#parser.started;
  }

  /** Another connection needs its place. */
  abandon(): void {
    this.#refuse('gave_way');
  }

  onEnd(): void {
    this.#refuse('closed');
  }

  onBlocked(): void {}

  onDrain(): void {}

  onClose(): void {
    if (this.#held === null) return;
    this.#count('closed');
    this.#end();
  }
}

function whyOf({ kind, detail }: ProxyRefusal): string {
  return kind === 'missing'
    ? 'it expects a PROXY header, and what came is none'
    : `its PROXY header is malformed: ${detail}`;
}

/** A connection whose client was named by a PROXY header. */
export class ToldConnection implements RawConnection {
  readonly remoteAddress: string;
  readonly info: TransportInfo;
  readonly source: EndsSource;
  readonly #raw: RawTransport;

  /** `peer` is the proxy, which is the client when the header names no other. */
  constructor(raw: RawTransport, peer: string, header: ProxyHeader, info: TransportInfo) {
    const { ends, alpn, authority, tls } = header;
    this.#raw = raw;
    this.remoteAddress = ends?.source.text ?? peer;
    this.source = ends === null ? raw : { ends };
    this.info = {
      ...info,
      scheme: tls?.isEncrypted === true ? 'https' : 'http',
      port: ends?.destinationPort ?? info.port,
      alpn,
      sni: authority,
    };
  }

  transport(): RawTransport {
    return this.#raw;
  }

  refuse(): void {
    this.#raw.reset();
  }
}
