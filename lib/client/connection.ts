import { FAILURES } from '../base/failure.js';
import { Deadline, type DeadlineOwner, spread } from '../base/timer-wheel.js';
import type { ClientPin } from '../http/flow.js';
import type { ForwardedClient } from '../http/request-encoder.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import { ClientInput } from './input.js';
import { LingeringClose } from './lingering-close.js';
import type { ClientDeps } from './services.js';
import { SlowReader } from './slow-reader.js';

/** Ages differ by so much either way, lest clients that came together come back together. */
const AGE_JITTER = 0.1;

/**
 * A client's connection: its socket, its one deadline, and its end. Requests come in through `ClientInput`, their
 * answers go out through `Responder`; while there is neither, the connection holds nothing that could be shared.
 */
export class ClientConnection implements ChannelOwner, DeadlineOwner {
  readonly services: ClientDeps;
  readonly forwarded: ForwardedClient;
  readonly deadline: Deadline;
  readonly channel: Channel;
  readonly #input: ClientInput;
  /** The current request, or the next, is the last. */
  draining = false;
  /** In the wheel's time: the first answer from then on is the last. */
  readonly #endsAt: number;
  /** Begun so far. */
  requests = 0;
  /** Little of what the client sends after its answer is read: its current request was not let in, or can't be read. */
  isUnwanted = false;
  /** The client sends nothing more. */
  peerEnded = false;
  pin: ClientPin | null = null;
  /** Made when the client first leaves something untaken. */
  #reader: SlowReader | null = null;
  /** How it ends, from when it does. */
  #closing: LingeringClose | null = null;

  constructor(services: ClientDeps, forwarded: ForwardedClient, open: (owner: ChannelOwner) => Channel) {
    this.services = services;
    this.forwarded = forwarded;
    this.deadline = new Deadline(services.wheel, this);
    // A client that connects and says nothing is idle: the header deadline starts at the first byte.
    this.deadline.armRoughly(services.timeouts.keepAlive);
    const age = spread(services.timeouts.connectionAge, AGE_JITTER);
    this.#endsAt = age === 0 ? Number.POSITIVE_INFINITY : services.wheel.now + age;
    this.#input = new ClientInput(this);
    this.channel = open(this);
  }

  /** Is nothing going on, so that closing it now loses nothing? */
  get isIdle(): boolean {
    return this.#input.isIdle;
  }

  /** Since when nothing goes on, in the wheel's time; infinite while something does, or its last answer is going out. */
  get idleSince(): number {
    return this.isIdle && this.channel.flushed ? this.#input.idleSince : Number.POSITIVE_INFINITY;
  }

  /** May another request follow the current one, for all that the connection knows? */
  get mayGoOn(): boolean {
    const most = this.services.limits.requestsPerConnection;
    if (this.draining || (most > 0 && this.requests >= most)) return false;
    return this.services.wheel.now < this.#endsAt;
  }

  /** The client as somebody who does not take all it is sent. */
  get reader(): SlowReader {
    this.#reader ??= new SlowReader(this.channel, this.deadline, this.services);
    return this.#reader;
  }

  /** The balancer is going away: the current request, or the next if it comes before `closeIfIdle`, is the last. */
  announceEnd(): void {
    this.draining = true;
  }

  closeIfIdle(): void {
    if (this.isIdle) this.closePolitely();
  }

  /** Cuts it off; who waits for an answer and has seen nothing of it is told. */
  destroy(): void {
    this.#input.fail(FAILURES.shutdown, '');
    this.channel.flush();
    this.channel.destroy();
  }

  // Endings.

  /** Sends what there is to send, then FIN, and reads on for a while so that the client gets to see it. */
  closePolitely(): void {
    if (this.#input.isOver) return;
    this.#beginClosing().begin();
  }

  /** Sends what there is to send, then closes both ways: the client has nothing more to say. */
  closeAtOnce(): void {
    this.#beginClosing().closeAtOnce();
  }

  #beginClosing(): LingeringClose {
    this.#closing = new LingeringClose(this.channel, this.deadline, this.reader, this.isUnwanted);
    this.#input.stop();
    return this.#closing;
  }

  /** The client has gone; what it has asked before may have an answer that is on its way. */
  abandon(): void {
    this.#input.abandon();
    this.channel.flush();
    this.channel.destroy();
  }

  // What the socket and the wheel say.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#closing === null) this.#input.onBytes(buffer, length);
    else this.#closing.drop(length);
  }

  onEnd(): void {
    this.peerEnded = true;
    this.#input.onEnd();
  }

  onBlocked(): void {
    this.reader.note();
    this.#input.onBlocked();
  }

  onDrain(): void {
    if (this.#closing === null) this.#input.onDrain();
    else this.#closing.finish();
  }

  onClose(): void {
    this.deadline.release();
    this.#input.abandon();
    this.pin?.release();
    this.services.onClosed(this);
  }

  onDeadline(): void {
    if (this.#closing === null) this.#input.onDeadline();
    else this.#closing.deadlinePassed();
  }
}
