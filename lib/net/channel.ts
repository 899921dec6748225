import type * as net from 'node:net';
import { latin1 } from '../base/latin1.js';
import { type Outlet, type OutletOwner, openOutlet, type Writing } from './outlet.js';
import { giveReadBuffer, SHARED_BYTES, sharedReadBuffer, takeReadBuffer } from './read-buffer.js';
import { attach } from './socket-events.js';

/** Whoever owns a channel: told what the wire did. `onClose` is the last call, and comes exactly once. */
export interface ChannelOwner {
  /** Bytes came, `buffer[0, length)`: valid during the call only. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sends nothing more (FIN). */
  onEnd(): void;
  /** All that was written is with the kernel; called only after `write` or `flush` said false. */
  onDrain(): void;
  /** Gone, for whatever reason; `error` when it was not a polite one. */
  onClose(error: NodeJS.ErrnoException | null): void;
}

/** Told that an end was one. */
export interface EndWitness {
  onEndConfirmed(): void;
}

/** Up to here a write is made of one string: Node copies it to the kernel without allocating. */
const TEXT_BYTES = 16 * 1024;
/** Silence after which the kernel asks whether the peer is still there. */
const PROBE_AFTER_MS = 60_000;
/** Full reads in a row after which a stream is given large buffers. */
const LARGE_AFTER = 4;

/**
 * One socket: reading with backpressure, gathered writes, half-close, and one teardown. Listeners are named functions
 * at the end of this file that find their channel through the socket, so that a connection costs no closures.
 */
export class Channel implements OutletOwner {
  readonly #socket: net.Socket;
  #outlet: Outlet | null = null;
  readonly #writing: Writing;
  /** Somebody was told to wait for the drain. */
  #awaited = false;
  readonly #owner: ChannelOwner;
  /** Text waiting for what belongs behind it. */
  #held = '';
  /** The buffer this socket reads into, when it is not the shared one. */
  #ownBuffer: Buffer | null = null;
  /** Read buffers of other channels that an unfinished write still refers to. */
  #lent: Buffer[] | null = null;
  #fullReads = 0;
  #paused = false;
  #ended = false;
  /** Writing failed; what the peer sent before is still being read. */
  #isBroken = false;
  #closed = false;
  #error: NodeJS.ErrnoException | null = null;

  constructor(socket: net.Socket, owner: ChannelOwner, writing: Writing = 'handle') {
    this.#writing = writing;
    this.#socket = socket;
    this.#owner = owner;
    attach(socket, this);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Is everything that was written with the kernel? */
  get flushed(): boolean {
    return this.#held === '' && this.backlog === 0;
  }

  /** Bytes of text that wait for what belongs behind them. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Bytes that were written and that the kernel has not taken: falls whenever the peer takes something. */
  get backlog(): number {
    return this.#outlet === null ? 0 : this.#outlet.pending;
  }

  /** Keeps `text` (latin1) back for what is written next, or for `flush`: a head and its small body are one write. */
  hold(text: string): void {
    this.#held += text;
  }

  /**
   * Writes `buffer[start, end)` behind what is held. The bytes may lie in a read buffer: they are copied or the buffer
   * is kept until they are gone. False asks to wait for `onDrain`.
   */
  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#closed || this.#ended) return true;
    const outlet = this.#open();
    const held = this.#held;
    this.#held = '';
    if (end - start + held.length <= TEXT_BYTES) {
      outlet.writeText(held + latin1(buffer, start, end));
    } else {
      this.#writeLarge(outlet, held, buffer, start, end);
    }
    return this.#goesOn(outlet);
  }

  /** Writes what is held. False asks to wait for `onDrain`. */
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
    this.#outlet ??= openOutlet(this.#socket, this, this.#writing);
    return this.#outlet;
  }

  #goesOn(outlet: Outlet): boolean {
    this.#awaited = outlet.isFull;
    return !this.#awaited;
  }

  /** Stops reading; the kernel's buffer fills, and the peer has to wait. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  /**
   * Behind `onEnd`: makes sure that the peer ended, and did not reset. libuv takes a reset that comes together with
   * the last bytes for an end; reading once more tells. `onEndConfirmed` is called soon, or `onClose` with the error.
   */
  confirmEnd(witness: EndWitness): void {
    // Starts reading on the handle anew.
    this.#socket.pause();
    this.#socket.resume();
    setImmediate(behindNextPoll, this, witness);
  }

  /** Called by the event loop: no reset was read. */
  endConfirmed(witness: EndWitness): void {
    if (!this.#socket.destroyed) witness.onEndConfirmed();
  }

  /** Asks the kernel to notice a peer that vanished without a word, for a connection that may be silent for long. */
  probePeer(): void {
    this.#socket.setKeepAlive(true, PROBE_AFTER_MS);
  }

  /** Half-close: flushes, then FIN. Reading goes on. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.flush();
    this.#ended = true;
    this.#socket.end();
  }

  /** Closes at once, both ways. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes with RST: the peer must not take what it got for the whole. */
  reset(): void {
    // Behind a FIN there is nothing to reset; a unix socket knows no RST.
    if (this.#ended || this.remoteAddress === '') this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #writeLarge(outlet: Outlet, held: string, buffer: Buffer, start: number, end: number): void {
    let bytes: Buffer;
    let readBuffer: Buffer | null = null;
    if (buffer === sharedReadBuffer) {
      // The next read of any socket overwrites what lies in the shared buffer.
      readBuffer = takeReadBuffer(false);
      buffer.copy(readBuffer, 0, start, end);
      bytes = readBuffer.subarray(0, end - start);
    } else {
      bytes = buffer.subarray(start, end);
      if (buffer === currentRead) readBuffer = buffer;
    }
    if (held === '') outlet.writeBytes(bytes);
    else outlet.writeBoth(held, bytes);
    if (readBuffer === null) return;
    if (outlet.pending > 0) {
      this.#lend(readBuffer);
    } else {
      // A stream tells of no drain when less than its high-water mark was waiting.
      this.#giveBackLent();
      if (readBuffer !== currentRead) giveReadBuffer(readBuffer);
    }
  }

  /** An unfinished write still reads from `buffer`: it stays as it is until the drain. */
  #lend(buffer: Buffer): void {
    if (buffer === currentRead) currentReadKept = true;
    this.#lent ??= [];
    if (!this.#lent.includes(buffer)) this.#lent.push(buffer);
  }

  #giveBackLent(): void {
    if (this.#lent === null) return;
    for (const buffer of this.#lent) giveReadBuffer(buffer);
    this.#lent = null;
  }

  /** From the socket's read callback. Gives the buffer for the next read if it is to be another one. */
  read(length: number, buffer: Buffer): Buffer | undefined {
    if (length === buffer.length) this.#fullReads++;
    else if (length < SHARED_BYTES) this.#fullReads = 0;
    currentRead = buffer;
    currentReadKept = false;
    this.#owner.onBytes(buffer, length);
    currentRead = null;
    return this.#nextBuffer(currentReadKept);
  }

  /** `kept`: a write of the last read is not finished, so its buffer belongs to the writing channel now. */
  #nextBuffer(kept: boolean): Buffer | undefined {
    const streams = this.#fullReads > 0;
    const large = this.#fullReads > LARGE_AFTER;
    const own = this.#ownBuffer;
    if (own === null && !streams) return undefined;
    if (own !== null && !kept && streams && !(large && own.length === SHARED_BYTES)) return undefined;
    if (own !== null && !kept) giveReadBuffer(own);
    this.#ownBuffer = streams ? takeReadBuffer(large) : null;
    return this.#ownBuffer ?? sharedReadBuffer;
  }

  /** From the socket's listeners. */
  received(chunk: Buffer): void {
    this.#owner.onBytes(chunk, chunk.length);
  }

  peerEnded(): void {
    if (this.#isBroken) this.#socket.destroy();
    else this.#owner.onEnd();
  }

  /**
   * From the outlet. A server that answers an upload and closes resets it: its answer is there to be read, and a
   * socket destroyed for the failed write would lose it. Reading goes on to the end, which is near.
   */
  broken(error: NodeJS.ErrnoException): void {
    this.#error = error;
    this.#isBroken = true;
    if (this.#paused || this.#socket.readableEnded) this.#socket.destroy();
  }

  drained(): void {
    this.#giveBackLent();
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
    this.#giveBackLent();
    if (this.#ownBuffer !== null) giveReadBuffer(this.#ownBuffer);
    this.#ownBuffer = null;
    this.#owner.onClose(this.#error);
  }
}

/** The buffer being read from right now, and whether a write took it over. */
let currentRead: Buffer | null = null;
let currentReadKept = false;

/** The immediate that `confirmEnd` sets runs before the next poll for input, one set here behind it. */
function behindNextPoll(channel: Channel, witness: EndWitness): void {
  setImmediate(confirm, channel, witness);
}

function confirm(channel: Channel, witness: EndWitness): void {
  channel.endConfirmed(witness);
}
