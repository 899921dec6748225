import { latin1 } from '../base/bytes.js';
import { assertsMoves, checkMove, type Moves } from '../base/states.js';
import { BorrowedWrite, currentRead } from './borrowed-write.js';
import { atTickEnd, type TickTask } from './loop-tick.js';
import { type StreamReader, StreamReading } from './stream-reading.js';
import type { SocketWriter, Transport, TransportOwner } from './transport.js';

/** Whoever owns a channel: told what the transport did. `onClose` is the last call, and comes exactly once. */
export interface ChannelOwner {
  /** Does it read on when writing has failed, even if it has paused? Then it closes the channel itself, some day. */
  readonly wantsRest?: boolean;
  /** Bytes came, `buffer[0, length)`: valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends nothing more (FIN). */
  onEnd(): void;
  /** The kernel does not take all that was written in this tick; `onDrain` follows. */
  onBlocked(): void;
  /** All that was written is with the kernel; called only after `onBlocked`, or after a write or flush said false. */
  onDrain(): void;
  /** Gone, for whatever reason; `error` when it was not a polite one. */
  onClose(error: NodeJS.ErrnoException | null): void;
}

/** Up to here a write is made of one string: Node copies it to the kernel without allocating. */
const TEXT_BYTES = 16 * 1024;
/** Silence after which the kernel asks whether the peer is still there. */
const PROBE_AFTER_MS = 60_000;

/**
 * open: bytes go both ways. ended: our FIN is out, or follows what is pending; reading goes on. closing: both ways are closed
 * as soon as all that was written is with the kernel; finishing: the same after our FIN. broken: writing failed; what the
 * peer sent before is still being read. closed: the socket is gone.
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

/**
 * One socket: reading with backpressure, gathered writes, half-close, and one teardown.
 */
export class Channel implements TransportOwner, TickTask, StreamReader {
  readonly #transport: Transport;
  #writer: SocketWriter | null = null;
  /** Somebody was told to wait for the drain. */
  #awaited = false;
  readonly #owner: ChannelOwner;
  /** What goes out at the end of this tick of the event loop, or before a large piece. */
  #held = '';
  #awaitsTickEnd = false;
  /** There is one as soon as a read filled its buffer. */
  #stream: StreamReading | null = null;
  /** There is one as soon as a large piece was written. */
  #borrowed: BorrowedWrite | null = null;
  #paused = false;
  #state: ChannelState = 'open';
  #error: NodeJS.ErrnoException | null = null;

  constructor(transport: Transport, owner: ChannelOwner) {
    this.#transport = transport;
    this.#owner = owner;
    transport.attach(this);
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

  /** Is everything that was written with the kernel? */
  get flushed(): boolean {
    return this.#held === '' && (this.#writer === null || this.#writer.pending === 0);
  }

  /** Has the peer ended its side of a TLS connection without saying so? Then what it sent may not be all of it. */
  get truncated(): boolean {
    return this.#transport.truncated;
  }

  /** Bytes that wait for the end of this turn. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Bytes that were written and that the kernel has not taken: falls whenever the peer takes something. */
  get backlog(): number {
    return this.#writer === null ? 0 : this.#writer.pending;
  }

  /** Writes `text` (latin1), together with whatever else is written in this turn of the event loop. */
  writeText(text: string): void {
    if (this.#state !== 'open') return;
    this.#held = this.#held === '' ? text : this.#held + text;
    if (this.#awaitsTickEnd) return;
    this.#awaitsTickEnd = true;
    atTickEnd(this);
  }

  /**
   * Takes back `text` and what was written after it, if all of that still waits for the end of the turn. `mark`:
   * `heldBytes` as it was when `text` was written.
   */
  takeBack(mark: number, text: string): boolean {
    if (!this.#held.startsWith(text, mark)) return false;
    this.#held = this.#held.slice(0, mark);
    return true;
  }

  /**
   * Writes `buffer[start, end)`; small pieces go together with whatever else is written in this turn, large ones at
   * once. The bytes may lie in a read buffer: they are copied or the buffer is kept until they are gone. False asks to
   * wait for `onDrain`.
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

  /** Closes if all is with the kernel; else the FIN goes out, as a stream tells of no drain when little is waiting. */
  #finish(): void {
    if (this.backlog === 0) {
      this.#transport.close();
    } else if (this.#state === 'closing') {
      this.#move('finishing');
      this.#transport.end();
    }
  }

  /** Writes what waits for the end of this turn. False asks to wait for `onDrain`. */
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

  /** The writer is opened with the first write: a socket that connects has no handle before. */
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
   * Behind `onEnd`: makes sure that the peer ended, and did not reset. libuv takes a reset that comes together with
   * the last bytes for an end; reading once more tells. `onEndConfirmed` is called soon, or `onClose` with the error.
   */
  confirmEnd(listener: EndListener): void {
    this.#transport.readAnew();
    confirmAfterNextPoll(this, listener);
  }

  /** Called by the event loop: no reset was read. */
  endConfirmed(listener: EndListener): void {
    if (!this.#transport.destroyed) listener.onEndConfirmed();
  }

  /** Asks the kernel to notice a peer that vanished without a word, for a connection that may be silent for long. */
  probePeer(): void {
    this.#transport.probePeer(PROBE_AFTER_MS);
  }

  /** Half-close: flushes, then FIN. Reading goes on. */
  end(): void {
    if (this.#state !== 'open') return;
    this.flush();
    // The flush may have failed.
    if (this.closed || this.#isBroken) return;
    this.#move('ended');
    this.#transport.end();
  }

  /** Closes both ways as soon as all that was written is with the kernel, which may never be. */
  close(): void {
    if (this.#state === 'open') this.#move('closing');
    else if (this.#state === 'ended') this.#move('finishing');
    else if (this.#isBroken) this.#transport.destroy();
    if (this.#awaitsTickEnd) return;
    this.#awaitsTickEnd = true;
    atTickEnd(this);
  }

  /** Another goes on with its transport: the owner is told of nothing more. Only while nothing was written. */
  leave(): void {
    this.#move('closed');
    this.#stream?.release();
    this.#stream = null;
  }

  /** Closes at once, both ways. */
  destroy(): void {
    this.#transport.destroy();
  }

  /** Closes with RST, also in place of what waits for the end of the turn: the peer must not take what it got for the whole. */
  reset(): void {
    this.#held = '';
    // Behind a FIN there is nothing to reset.
    if (this.#state === 'ended' || this.#state === 'finishing') this.#transport.destroy();
    else this.#transport.reset();
  }

  // From the reading of a stream.

  rest(): void {
    this.#transport.pause();
  }

  readOn(): void {
    if (!this.#paused) this.#transport.resume();
  }

  // From the transport.

  /** Returns the buffer for the next read if it is to be another one. */
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
   * From the writer. A server that answers an upload and closes resets it: its answer is there to be read, and a
   * socket destroyed for the failed write would lose it. Reading goes on to the end, which is near.
   */
  broken(error: NodeJS.ErrnoException): void {
    this.#error = error;
    // Who closes waits for nothing that the peer may still say.
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

  /** An error is always followed by the close, which tells of it. */
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

/** Told that an end was one. */
export interface EndListener {
  onEndConfirmed(): void;
}

/** Who knows by then whether it was. */
interface Ended {
  endConfirmed(listener: EndListener): void;
}

/** Asks `ended` once the next poll for input is over. */
function confirmAfterNextPoll(ended: Ended, listener: EndListener): void {
  // This one runs before that poll; one that is set from it runs after.
  setImmediate(afterNextPoll, ended, listener);
}

function afterNextPoll(ended: Ended, listener: EndListener): void {
  setImmediate(confirm, ended, listener);
}

function confirm(ended: Ended, listener: EndListener): void {
  ended.endConfirmed(listener);
}
