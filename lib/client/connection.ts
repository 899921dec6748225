import { FAILURES } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { Deadline, type DeadlineOwner, spread } from '../base/timer-wheel.js';
import type { ClientPin } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import type { ClientConnectionState, ConnectionControl } from './contracts.js';
import { LingeringClose, SlowReader } from './deadlines.js';
import { ClientInput, type InputDeps } from './input.js';

/** Ages vary by this share in both directions, so that clients that connected together do not reconnect together. */
const AGE_JITTER = 0.1;

export const CLIENT_CONNECTION_MOVES: Moves<ClientConnectionState> = {
  open: ['lingering', 'finishing', 'cut', 'closed'],
  lingering: ['closed'],
  finishing: ['closed'],
  cut: ['closed'],
  closed: [],
};

/** What every client connection needs, the same for all of one balancer. */
export interface ClientDeps extends InputDeps {
  onClosed(connection: ClientConnection): void;
}

/**
 * A client's connection: its socket, its one deadline, and its end. Requests arrive through `ClientInput`, their answers
 * leave through `Responder`; while there is neither, the connection holds no shared objects.
 */
export class ClientConnection implements ConnectionControl, ChannelOwner, DeadlineOwner {
  readonly deps: ClientDeps;
  readonly forwarded: ForwardedClient;
  readonly deadline: Deadline;
  readonly channel: Channel;
  readonly #input: ClientInput;
  readonly endsAt: number;
  // Only this class changes these five.
  state: ClientConnectionState = 'open';
  isDraining = false;
  requests = 0;
  peerEnded = false;
  /** Was the current request refused, or unreadable? */
  #isUnwanted = false;
  pin: ClientPin | null = null;
  /** Made when the client first leaves something unread. */
  #reader: SlowReader | null = null;
  /** The way the connection ends; null before. */
  #closing: LingeringClose | null = null;

  constructor(deps: ClientDeps, forwarded: ForwardedClient, open: (owner: ChannelOwner) => Channel) {
    this.deps = deps;
    this.forwarded = forwarded;
    this.deadline = new Deadline(deps.wheel, this);
    // A client that connects and sends nothing is idle: the header deadline starts at the first byte.
    this.deadline.armRoughly(deps.timeouts.keepAlive);
    const age = spread(deps.timeouts.connectionAge, AGE_JITTER);
    this.endsAt = age === 0 ? Number.POSITIVE_INFINITY : deps.wheel.now + age;
    this.#input = new ClientInput(this, deps);
    this.channel = open(this);
  }

  /** Is there no request, so that closing the connection loses nothing? */
  get isIdle(): boolean {
    return this.#input.isIdle;
  }

  /**
   * Since when the connection has been idle, in the wheel's time; infinite while it is in use, or its last answer is
   * unsent.
   */
  get idleSince(): number {
    return this.isIdle && this.channel.flushed ? this.#input.idleSince : Number.POSITIVE_INFINITY;
  }

  #move(to: ClientConnectionState): void {
    if (assertsMoves) checkMove(CLIENT_CONNECTION_MOVES, this.state, to);
    this.state = to;
  }

  beginRequest(): void {
    this.requests++;
    this.#isUnwanted = false;
  }

  turnAway(): void {
    this.#isUnwanted = true;
  }

  get reader(): SlowReader {
    this.#reader ??= new SlowReader(this.channel, this.deadline, this.deps);
    return this.#reader;
  }

  /** Shutdown: the current request is the last one, or the next if it comes before `closeIfIdle`. */
  announceEnd(): void {
    this.isDraining = true;
  }

  closeIfIdle(): void {
    if (this.isIdle) this.closePolitely();
  }

  /** Cuts the connection; a client that has got nothing of its answer gets an error response. */
  destroy(): void {
    this.#input.fail(FAILURES.shutdown, '');
    this.channel.flush();
    this.channel.destroy();
  }

  // Endings.

  closePolitely(): void {
    if (this.state === 'open') this.#close('lingering').begin();
  }

  closeAtOnce(): void {
    this.#close('finishing').closeAtOnce();
  }

  #close(how: 'lingering' | 'finishing'): LingeringClose {
    this.#move(how);
    this.#closing = new LingeringClose(this.channel, this.deadline, this.reader, this.#isUnwanted);
    this.#input.stop();
    return this.#closing;
  }

  cut(): void {
    this.#move('cut');
    this.channel.reset();
  }

  abandon(): void {
    this.#move('cut');
    this.#input.abandon();
    this.channel.flush();
    this.channel.destroy();
  }

  // Called by the socket and the timer wheel.

  onBytes(buffer: Buffer, length: number): void {
    if (this.state === 'open') this.#input.onBytes(buffer, length);
    else this.#closing?.drop(length);
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
    this.#move('closed');
    this.deadline.release();
    this.#input.abandon();
    this.pin?.release();
    this.deps.onClosed(this);
  }

  onDeadline(): void {
    if (this.#closing === null) this.#input.onDeadline();
    else this.#closing.deadlinePassed();
  }
}
