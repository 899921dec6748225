import { writeLatin1 } from '../base/bytes.js';

/** Blocks kept for reuse: one is filled while another is written. */
const SPARE = 2;

interface Block {
  readonly bytes: Buffer;
  /** How many bytes of the block are lines. */
  readonly length: number;
}

/**
 * Lines as bytes, in blocks that are reused once they are written. Allocating a block for each batch, or encoding a
 * string of 64 KiB at the end, costs four times as much as writing each line to its place, because new memory is mapped
 * page by page.
 */
export class LineBlocks {
  readonly #size: number;
  readonly #encoding: 'latin1' | 'utf8';
  #block: Buffer;
  #length = 0;
  readonly #spare: Buffer[] = [];
  /** Taken and not written yet, oldest first. */
  #handedOut: Block[] = [];
  #written = 0;

  /** `size` in bytes. `ascii`: all lines are ASCII, so that each character is one byte. */
  constructor(size: number, characters: 'ascii' | 'any') {
    this.#size = size;
    this.#encoding = characters === 'ascii' ? 'latin1' : 'utf8';
    this.#block = Buffer.allocUnsafeSlow(size);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Returns false and changes nothing when the line does not fit. */
  append(line: string): boolean {
    const isAscii = this.#encoding === 'latin1';
    if (this.#length + line.length * (isAscii ? 1 : 3) > this.#size) return false;
    this.#length += isAscii
      ? writeLatin1(this.#block, line, this.#length)
      : this.#block.write(line, this.#length, 'utf8');
    return true;
  }

  /** Copies whole lines; returns false and changes nothing when they do not fit. */
  appendBytes(lines: Buffer): boolean {
    if (this.#length + lines.length > this.#size) return false;
    this.#block.set(lines, this.#length);
    this.#length += lines.length;
    return true;
  }

  /** A copy of lines that are longer than a block. */
  copy(lines: Buffer): Buffer {
    return this.#track(Buffer.from(lines));
  }

  /** The bytes of a line that is longer than a block. */
  encode(line: string): Buffer {
    return this.#track(Buffer.from(line, this.#encoding));
  }

  /**
   * Returns what was appended since the last call. These bytes do not change until `written` has accounted for all of
   * them.
   */
  take(): Buffer {
    const lines = this.#track(this.#block.subarray(0, this.#length));
    this.#block = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    this.#length = 0;
    return lines;
  }

  /** `bytes` more of what was taken are written. */
  written(bytes: number): void {
    this.#written += bytes;
    for (let first = this.#handedOut[0]; first !== undefined; first = this.#handedOut[0]) {
      if (first.length > this.#written) return;
      this.#written -= first.length;
      this.#handedOut.shift();
      this.#putAside(first.bytes);
    }
  }

  /** What was taken last will not be written. */
  takeBack(): void {
    const last = this.#handedOut.pop();
    if (last !== undefined) this.#putAside(last.bytes);
  }

  /** `written` will not be called for what was taken so far. */
  forget(): void {
    this.#handedOut = [];
    this.#written = 0;
  }

  #track(bytes: Buffer): Buffer {
    this.#handedOut.push({ bytes, length: bytes.length });
    return bytes;
  }

  #putAside({ buffer, byteOffset }: Buffer): void {
    if (this.#spare.length >= SPARE || buffer.byteLength !== this.#size) return;
    this.#spare.push(Buffer.from(buffer, byteOffset, this.#size));
  }
}
