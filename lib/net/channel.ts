import { channel } from 'node:diagnostics_channel';
import { latin1 } from '../base/bytes.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { BorrowedWrite, currentRead } from './borrowed-write.js';
import { atTickEnd, type TickTask } from './loop-tick.js';
import { type StreamReader, StreamReading } from './stream-reading.js';
import type { SocketWriter, Transport, TransportOwner } from './transport.js';

/** The owner of a channel, called for events of its transport. `onClose` is the last call, and comes exactly once. */
export interface ChannelOwner {
  /** Should reading continue after a failed write, even while paused? Then the owner closes the channel itself, later. */
  readonly wantsRest?: boolean;
  /** The bytes `buffer[0, length)` were read: valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends nothing more (FIN). */
  onEnd(): void;
  /** The kernel has not taken all that was written in this tick; `onDrain` follows. */
  onBlocked(): void;
  /** The kernel has taken all that was written; called only after `onBlocked`, or after a write or flush returned false. */
  onDrain(): void;
  /** The socket is gone; `error` is set unless it was closed normally. */
  onClose(error: NodeJS.ErrnoException | null): void;
}

/** The longest write made of one string: Node copies it to the kernel without allocating. */
const TEXT_BYTES = 16 * 1024;
/** The silence after which the kernel checks that the peer is still there. */
const PROBE_AFTER_MS = 60_000;

/**
 * open: bytes go both ways. ended: our FIN is sent, or follows pending bytes; reading continues. closing: both directions
 * are closed when the kernel has taken everything; finishing: the same after our FIN. broken: writing failed; bytes that
 * the peer sent before are still read. closed: the socket is gone.
 */
export type ChannelState = 'open' | 'ended' | 'closing' | 'finishing' | 'broken' | 'closed';

export const CHANNEL_MOVES: Moves<ChannelState> = {
  open: ['ended', 'closing', 'broken', 'closed'],
  ended: ['finishing', 'broken', 'closed'],
  closing: ['finishing', 'broken', 'closed'],
  finishing: ['broken', 'closed'],
  broken: ['closed'],
  closed: [],
};

/** Each new channel is published here, as servers are on `lb:server`. */
const created = channel('lb:channel');

/** One socket: reading with backpressure, gathered writes, half-close, and one teardown. */
export class Channel implements TransportOwner, TickTask, StreamReader {
  readonly #transport: Transport;
  #writer: SocketWriter | null = null;
  /** Does someone wait for a drain? */
  #awaited = false;
  readonly #owner: ChannelOwner;
  /** Written at the end of this tick of the event loop, or before a large piece. */
  #held = '';
  #awaitsTickEnd = false;
  /** Made when a read first fills its buffer. */
  #stream: StreamReading | null = null;
  /** Made when a large piece is first written. */
  #borrowed: BorrowedWrite | null = null;
  #paused = false;
  #state: ChannelState = 'open';
  #error: NodeJS.ErrnoException | null = null;

  constructor(transport: Transport, owner: ChannelOwner) {
    this.#transport = transport;
    this.#owner = owner;
    transport.attach(this);
    if (created.hasSubscribers) created.publish(this);
  }

  #move(to: ChannelState): void {
    if (assertsMoves) checkMove(CHANNEL_MOVES, this.#state, to);
    this.#state = to;
  }

  get #isBroken(): boolean {
    return this.#state === 'broken';
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Has the kernel taken everything that was written? */
  get flushed(): boolean {
    return this.#held === '' && (this.#writer === null || this.#writer.pending === 0);
  }

  /** Has the peer ended a TLS connection without saying so? Then its data may be incomplete. */
  get truncated(): boolean {
    return this.#transport.truncated;
  }

  /** Bytes that wait for the end of this tick. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Bytes written that the kernel has not taken; falls whenever the peer reads. */
  get backlog(): number {
    return this.#writer === null ? 0 : this.#writer.pending;
  }

  /** Writes `text` (latin1), together with everything else that is written in this tick of the event loop. */
  writeText(text: string): void {
    if (this.#state !== 'open') return;
    this.#held = this.#held === '' ? text : this.#held + text;
    if (this.#awaitsTickEnd) return;
    this.#awaitsTickEnd = true;
    atTickEnd(this);
  }

  /**
   * Takes back `text` and what was written after it, if all of that still waits for the end of the tick. `mark`:
   * `heldBytes` as it was when `text` was written.
   */
  takeBack(mark: number, text: string): boolean {
    if (!this.#held.startsWith(text, mark)) return false;
    this.#held = this.#held.slice(0, mark);
    return true;
  }

  /**
   * Writes `buffer[start, end)`; small pieces go together with everything else written in this tick, large ones at once.
   * The bytes may lie in a read buffer: they are copied, or the buffer is kept until they are sent. False: the caller
   * should wait for `onDrain`.
   */
  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#state !== 'open') return true;
    const held = this.#held;
    if (end - start + held.length <= TEXT_BYTES) {
      this.writeText(latin1(buffer, start, end));
      return true;
    }
    const writer = this.#writer ?? this.#open();
    this.#held = '';
    this.#borrowed ??= new BorrowedWrite();
    this.#borrowed.write(writer, held, buffer, start, end);
    this.#awaited = writer.isFull;
    return !this.#awaited;
  }

  onTickEnd(): void {
    this.#awaitsTickEnd = false;
    if (this.#held !== '' && !this.flush()) this.#owner.onBlocked();
    else if (this.#state === 'closing' || this.#state === 'finishing') this.#finish();
  }

  /** Closes if nothing is unsent; else sends the FIN, because a stream does not report a drain when little is waiting. */
  #finish(): void {
    if (this.backlog === 0) {
      this.#transport.close();
    } else if (this.#state === 'closing') {
      this.#move('finishing');
      this.#transport.end();
    }
  }

  /** Writes what waits for the end of this tick. False: the caller should wait for `onDrain`. */
  flush(): boolean {
    if (this.#state !== 'open' && this.#state !== 'closing') return true;
    const writer = this.#writer ?? this.#open();
    if (this.#held !== '') {
      writer.writeText(this.#held);
      this.#held = '';
    }
    this.#awaited = writer.isFull;
    return !this.#awaited;
  }

  /** The writer is opened at the first write: a connecting socket has no handle before. */
  #open(): SocketWriter {
    this.#writer = this.#transport.openWriter();
    return this.#writer;
  }

  /** Stops reading; the kernel's buffer fills, and the peer has to wait. */
  pause(): void {
    this.#paused = true;
    this.#transport.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#stream?.rests !== true) this.#transport.resume();
  }

  /**
   * After `onEnd`: makes sure that the peer ended, and did not reset. libuv reports a reset that comes together with the
   * last bytes as an end; reading again shows the difference. `onEndConfirmed` is called soon, or `onClose` with the
   * error.
   */
  confirmEnd(listener: EndListener): void {
    this.#transport.readAnew();
    confirmAfterNextPoll(this, listener);
  }

  /** Called by the event loop: no reset was read. */
  endConfirmed(listener: EndListener): void {
    if (!this.#transport.destroyed) listener.onEndConfirmed();
  }

  /** Lets the kernel notice a peer that vanished, for a connection that may be silent for long. */
  probePeer(): void {
    this.#transport.probePeer(PROBE_AFTER_MS);
  }

  /** Half-close: flushes, then sends FIN. Reading continues. */
  end(): void {
    if (this.#state !== 'open') return;
    this.flush();
    // The flush may have failed.
    if (this.closed || this.#isBroken) return;
    this.#move('ended');
    this.#transport.end();
  }

  /** Closes both directions when the kernel has taken everything, which may never happen. */
  close(): void {
    if (this.#state === 'open') this.#move('closing');
    else if (this.#state === 'ended') this.#move('finishing');
    else if (this.#isBroken) this.#transport.destroy();
    if (this.#awaitsTickEnd) return;
    this.#awaitsTickEnd = true;
    atTickEnd(this);
  }

  /** Gives the transport to another owner; this one is not called any more. Only while nothing was written. */
  leave(): void {
    this.#move('closed');
    this.#stream?.release();
    this.#stream = null;
  }

  /** Closes both directions at once. */
  destroy(): void {
    this.#transport.destroy();
  }

  /** Closes with RST, also dropping what waits for the end of the tick: the peer must not take what it got for complete. */
  reset(): void {
    this.#held = '';
    // After a FIN a reset has no effect.
    if (this.#state === 'ended' || this.#state === 'finishing') this.#transport.destroy();
    else this.#transport.reset();
  }

  // Called by the reading of a stream.

  rest(): void {
    this.#transport.pause();
  }

  readOn(): void {
    if (!this.#paused) this.#transport.resume();
  }

  // Called by the transport.

  /** Returns the buffer for the next read if it is a different one. */
  read(length: number, buffer: Buffer): Buffer | undefined {
    if (length === buffer.length) {
      this.#stream ??= new StreamReading(this);
      this.#stream.begin();
    }
    currentRead.buffer = buffer;
    currentRead.use = 'taken';
    this.#owner.onBytes(buffer, length);
    currentRead.buffer = null;
    return this.#stream === null
      ? undefined
      : this.#stream.next(length, buffer, currentRead.use, this.#paused);
  }

  received(chunk: Buffer): void {
    this.#owner.onBytes(chunk, chunk.length);
  }

  peerEnded(): void {
    if (this.#isBroken) this.#transport.destroy();
    else this.#owner.onEnd();
  }

  /**
   * Called by the writer. A server that answers an upload and closes resets the connection: destroying the socket for the
   * failed write would lose the answer, which can still be read. So reading continues to the end, which is near.
   */
  broken(error: NodeJS.ErrnoException): void {
    this.#error = error;
    // A closing channel does not wait for further bytes of the peer.
    const closes = this.#state === 'closing' || this.#state === 'finishing';
    const isRead = !closes && (!this.#paused || this.#owner.wantsRest === true);
    this.#move('broken');
    if (!isRead || this.#transport.readEnded) this.#transport.destroy();
  }

  drained(): void {
    this.#borrowed?.giveBack();
    if ((this.#state === 'closing' || this.#state === 'finishing') && this.#held === '')
      this.#transport.close();
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#owner.onDrain();
  }

  /** An error is always followed by the close, which reports it. */
  failed(error: NodeJS.ErrnoException): void {
    this.#error = error;
  }

  gone(): void {
    this.#move('closed');
    this.#held = '';
    this.#borrowed?.giveBack();
    this.#stream?.release();
    this.#owner.onClose(this.#error);
  }
}

/** Called when an end is confirmed. */
export interface EndListener {
  onEndConfirmed(): void;
}

/** Can tell after the next poll whether the end was one. */
interface Ended {
  endConfirmed(listener: EndListener): void;
}

/** Calls `ended` after the next poll for input. */
function confirmAfterNextPoll(ended: Ended, listener: EndListener): void {
  // This callback runs before that poll; one that it schedules runs after it.
  setImmediate(afterNextPoll, ended, listener);
}

function afterNextPoll(ended: Ended, listener: EndListener): void {
  setImmediate(confirm, ended, listener);
}

function confirm(ended: Ended, listener: EndListener): void {
  ended.endConfirmed(listener);
}
