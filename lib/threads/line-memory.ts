import { writeLatin1 } from '../base/bytes.js';

/** Bytes of a block: more than a hundred lines. */
const BLOCK_BYTES = 64 * 1024;
/** 4 MiB for each thread, taken from the system when a block is first used. */
const BLOCKS = 64;
/** Words for the state of each block. */
const FREE = 0;
const TAKEN = 1;

/** What another thread attaches to. */
export interface LineMemoryHandle {
  readonly states: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
}

/**
 * Blocks of lines that a thread fills and the main thread empties, in memory that both see: a line is encoded into its
 * place, and a message names the block. While the main thread is busy at most 4 MiB wait.
 */
export class LineMemory {
  readonly #states: Int32Array;
  readonly #bytes: Buffer;

  constructor({ states, bytes }: LineMemoryHandle) {
    this.#states = new Int32Array(states);
    this.#bytes = Buffer.from(bytes);
  }

  static create(): LineMemoryHandle {
    return { states: new SharedArrayBuffer(BLOCKS * 4), bytes: new SharedArrayBuffer(BLOCKS * BLOCK_BYTES) };
  }

  /** The number of a block that is free, which is the caller's until `release`; -1 when all are taken. */
  claim(): number {
    for (let block = 0; block < BLOCKS; block++)
      if (Atomics.compareExchange(this.#states, block, FREE, TAKEN) === FREE) return block;
    return -1;
  }

  release(block: number): void {
    Atomics.store(this.#states, block, FREE);
  }

  bytesOf(block: number, length = BLOCK_BYTES): Buffer {
    return this.#bytes.subarray(block * BLOCK_BYTES, block * BLOCK_BYTES + length);
  }
}

/** How many blocks are posted together: a message costs the main thread as much as the lines of a block. */
const BLOCKS_PER_MESSAGE = 8;

/** Lines in a block of the memory for lines; `length` in bytes. */
export interface FilledBlock {
  readonly block: number;
  readonly length: number;
  readonly lines: number;
}

/** Posts lines: those of blocks, or, for a line longer than a block, its bytes. */
export interface LinePort {
  postBlocks(blocks: readonly FilledBlock[]): void;
  /** False when too many bytes wait. */
  postLong(line: Buffer): boolean;
}

/** Fills blocks with lines. */
export class LineWriter {
  readonly #memory: LineMemory;
  readonly #port: LinePort;
  /** Of all lines: then each character is a byte. */
  readonly #isAscii: boolean;
  #block = -1;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  #lines = 0;
  /** Not posted yet. */
  #filled: FilledBlock[] = [];
  /** Lines that were not posted, because too many wait. */
  #dropped = 0;

  constructor(memory: LineMemory, characters: 'ascii' | 'any', port: LinePort) {
    this.#memory = memory;
    this.#isAscii = characters === 'ascii';
    this.#port = port;
  }

  /** The number of lines that were dropped since it was asked before. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  write(line: string): void {
    const most = line.length * (this.#isAscii ? 1 : 3);
    if (most > BLOCK_BYTES) {
      this.#writeLong(line);
      return;
    }
    if (this.#length + most > BLOCK_BYTES) this.#endBlock();
    if (this.#block === -1 && !this.#begin()) {
      this.#dropped++;
      return;
    }
    this.#length += this.#isAscii
      ? writeLatin1(this.#bytes, line, this.#length)
      : this.#bytes.write(line, this.#length, 'utf8');
    this.#lines++;
  }

  /** Posts what was written so far. */
  flush(): void {
    this.#endBlock();
    this.#postBlocks();
  }

  #endBlock(): void {
    if (this.#lines === 0) return;
    this.#filled.push({ block: this.#block, length: this.#length, lines: this.#lines });
    this.#block = -1;
    this.#length = 0;
    this.#lines = 0;
    if (this.#filled.length >= BLOCKS_PER_MESSAGE) this.#postBlocks();
  }

  #postBlocks(): void {
    if (this.#filled.length === 0) return;
    this.#port.postBlocks(this.#filled);
    this.#filled = [];
  }

  #writeLong(line: string): void {
    this.flush();
    if (!this.#port.postLong(Buffer.from(line, this.#isAscii ? 'latin1' : 'utf8'))) this.#dropped++;
  }

  #begin(): boolean {
    this.#block = this.#memory.claim();
    if (this.#block === -1) return false;
    this.#bytes = this.#memory.bytesOf(this.#block);
    return true;
  }
}
