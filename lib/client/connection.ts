import { FAILURES } from '../base/failure.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { Deadline, type DeadlineOwner, spread } from '../base/timer-wheel.js';
import type { ClientPin } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { Channel, ChannelOwner } from '../net/channel.js';
import type { ClientConnectionState, ConnectionControl } from './contracts.js';
import { LingeringClose, SlowReader } from './deadlines.js';
import { ClientInput, type InputDeps } from './input.js';

/** Ages differ by so much either way, so that clients that came together do not come back together. */
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
 * A client's connection: its socket, its one deadline, and its end. Requests come in through `ClientInput`, their
 * answers go out through `Responder`; while there is neither, the connection holds nothing that could be shared.
 */
export class ClientConnection implements ConnectionControl, ChannelOwner, DeadlineOwner {
  readonly deps: ClientDeps;
  readonly forwarded: ForwardedClient;
  readonly deadline: Deadline;
  readonly channel: Channel;
  readonly #input: ClientInput;
  readonly endsAt: number;
  // These five are changed here alone.
  state: ClientConnectionState = 'open';
  isDraining = false;
  requests = 0;
  peerEnded = false;
  /** The current request was turned away. */
  #isUnwanted = false;
  pin: ClientPin | null = null;
  /** Made when the client first leaves something untaken. */
  #reader: SlowReader | null = null;
  /** How it ends, from when it does. */
  #closing: LingeringClose | null = null;

  constructor(deps: ClientDeps, forwarded: ForwardedClient, open: (owner: ChannelOwner) => Channel) {
    this.deps = deps;
    this.forwarded = forwarded;
    this.deadline = new Deadline(deps.wheel, this);
    // A client that connects and says nothing is idle: the header deadline starts at the first byte.
    this.deadline.armRoughly(deps.timeouts.keepAlive);
    const age = spread(deps.timeouts.connectionAge, AGE_JITTER);
    this.endsAt = age === 0 ? Number.POSITIVE_INFINITY : deps.wheel.now + age;
    this.#input = new ClientInput(this, deps);
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

  /** The balancer is going away: the current request, or the next if it comes before `closeIfIdle`, is the last. */
  announceEnd(): void {
    this.isDraining = true;
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

  // What the socket and the wheel say.

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
