import { latin1 } from '../base/latin1.js';
import { confirmBehindNextPoll, type EndWitness } from './end-witness.js';
import { beginRead, endRead, Lending } from './lending.js';
import type { Outlet } from './outlet.js';
import { type StreamReader, StreamReading } from './stream-reading.js';
import { atTurnEnd, type TurnTask } from './turn.js';
import type { Wire, WireOwner } from './wire.js';

export type { EndWitness } from './end-witness.js';

/** Whoever owns a channel: told what the wire did. `onClose` is the last call, and comes exactly once. */
export interface ChannelOwner {
  /** Does it read on when writing has failed, even if it has paused? Then it closes the channel itself, some day. */
  readonly wantsRest?: boolean;
  /** Bytes came, `buffer[0, length)`: valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends nothing more (FIN). */
  onEnd(): void;
  /** The kernel does not take all that was written behind this turn; `onDrain` follows. */
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
 * One socket: reading with backpressure, gathered writes, half-close, and one teardown.
 */
export class Channel implements WireOwner, TurnTask, StreamReader {
  readonly #wire: Wire;
  #outlet: Outlet | null = null;
  /** Somebody was told to wait for the drain. */
  #awaited = false;
  readonly #owner: ChannelOwner;
  /** What goes out behind this turn of the event loop, or in front of a large piece. */
  #held = '';
  #awaitsTurnEnd = false;
  /** There is one as soon as a read filled its buffer. */
  #stream: StreamReading | null = null;
  /** There is one as soon as a large piece was written. */
  #lending: Lending | null = null;
  #paused = false;
  #ended = false;
  /** Writing failed; what the peer sent before is still being read. */
  #isBroken = false;
  /** Nothing more will be written, and nobody waits for what the peer may still say. */
  #closes = false;
  #closed = false;
  #error: NodeJS.ErrnoException | null = null;

  constructor(wire: Wire, owner: ChannelOwner) {
    this.#wire = wire;
    this.#owner = owner;
    wire.attach(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Is everything that was written with the kernel? */
  get flushed(): boolean {
    return this.#held === '' && this.backlog === 0;
  }

  /** Bytes that wait for the end of this turn. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Bytes that were written and that the kernel has not taken: falls whenever the peer takes something. */
  get backlog(): number {
    return this.#outlet === null ? 0 : this.#outlet.pending;
  }

  /** Writes `text` (latin1), together with whatever else is written in this turn of the event loop. */
  writeText(text: string): void {
    if (this.#closed || this.#ended) return;
    this.#held += text;
    if (!this.#awaitsTurnEnd) this.#awaitTurnEnd();
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
    if (this.#closed || this.#ended) return true;
    const held = this.#held;
    if (end - start + held.length <= TEXT_BYTES) {
      this.writeText(latin1(buffer, start, end));
      return true;
    }
    const outlet = this.#open();
    this.#held = '';
    this.#lending ??= new Lending();
    this.#lending.write(outlet, held, buffer, start, end);
    return this.#goesOn(outlet);
  }

  #awaitTurnEnd(): void {
    this.#awaitsTurnEnd = true;
    atTurnEnd(this);
  }

  onTurnEnd(): void {
    this.#awaitsTurnEnd = false;
    if (this.#held !== '' && !this.flush()) this.#owner.onBlocked();
    else if (this.#closes && this.backlog === 0) this.#wire.destroy();
    // A stream tells of no drain when little is waiting.
    else if (this.#closes) this.end();
  }

  /** Writes what waits for the end of this turn. False asks to wait for `onDrain`. */
  flush(): boolean {
    if (this.#closed || this.#ended) return true;
    const outlet = this.#open();
    if (this.#held !== '') {
      outlet.writeText(this.#held);
      this.#held = '';
    }
    return this.#goesOn(outlet);
  }

  /** The outlet is opened with the first write: a socket that connects has no handle before. */
  #open(): Outlet {
    this.#outlet ??= this.#wire.openOutlet();
    return this.#outlet;
  }

  #goesOn(outlet: Outlet): boolean {
    this.#awaited = outlet.isFull;
    return !this.#awaited;
  }

  /** Stops reading; the kernel's buffer fills, and the peer has to wait. */
  pause(): void {
    this.#paused = true;
    this.#wire.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#stream?.rests !== true) this.#wire.resume();
  }

  /**
   * Behind `onEnd`: makes sure that the peer ended, and did not reset. libuv takes a reset that comes together with
   * the last bytes for an end; reading once more tells. `onEndConfirmed` is called soon, or `onClose` with the error.
   */
  confirmEnd(witness: EndWitness): void {
    this.#wire.readAnew();
    confirmBehindNextPoll(this, witness);
  }

  /** Called by the event loop: no reset was read. */
  endConfirmed(witness: EndWitness): void {
    if (!this.#wire.destroyed) witness.onEndConfirmed();
  }

  /** Asks the kernel to notice a peer that vanished without a word, for a connection that may be silent for long. */
  probePeer(): void {
    this.#wire.probePeer(PROBE_AFTER_MS);
  }

  /** Half-close: flushes, then FIN. Reading goes on. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.flush();
    this.#ended = true;
    this.#wire.end();
  }

  /** Closes both ways as soon as all that was written is with the kernel, which may never be. */
  close(): void {
    this.#closes = true;
    if (!this.#awaitsTurnEnd) this.#awaitTurnEnd();
  }

  /** Closes at once, both ways. */
  destroy(): void {
    this.#wire.destroy();
  }

  /** Closes with RST, also in place of what waits for the end of the turn: the peer must not take what it got for the whole. */
  reset(): void {
    this.#held = '';
    // Behind a FIN there is nothing to reset.
    if (this.#ended) this.#wire.destroy();
    else this.#wire.reset();
  }

  // From the reading of a stream.

  rest(): void {
    this.#wire.pause();
  }

  readOn(): void {
    if (!this.#paused) this.#wire.resume();
  }

  // From the wire.

  /** Gives the buffer for the next read if it is to be another one. */
  read(length: number, buffer: Buffer): Buffer | undefined {
    if (length === buffer.length) {
      this.#stream ??= new StreamReading(this);
      this.#stream.begin();
    }
    beginRead(buffer);
    this.#owner.onBytes(buffer, length);
    const fate = endRead();
    return this.#stream === null ? undefined : this.#stream.next(length, buffer, fate, this.#paused);
  }

  received(chunk: Buffer): void {
    this.#owner.onBytes(chunk, chunk.length);
  }

  peerEnded(): void {
    if (this.#isBroken) this.#wire.destroy();
    else this.#owner.onEnd();
  }

  /**
   * From the outlet. A server that answers an upload and closes resets it: its answer is there to be read, and a
   * socket destroyed for the failed write would lose it. Reading goes on to the end, which is near.
   */
  broken(error: NodeJS.ErrnoException): void {
    this.#error = error;
    this.#isBroken = true;
    const isRead = !this.#paused || this.#owner.wantsRest === true;
    if (!isRead || this.#wire.readEnded) this.#wire.destroy();
  }

  drained(): void {
    this.#lending?.giveBack();
    if (this.#closes && this.#held === '') this.#wire.destroy();
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#owner.onDrain();
  }

  /** An error is always followed by the close, which tells of it. */
  failed(error: NodeJS.ErrnoException): void {
    this.#error = error;
  }

  gone(): void {
    this.#closed = true;
    this.#held = '';
    this.#lending?.giveBack();
    this.#stream?.release();
    this.#owner.onClose(this.#error);
  }
}
