import { writeLatin1 } from '../base/latin1.js';

/** Blocks kept for reuse: one is filled while another is written. */
const SPARE = 2;

interface Block {
  readonly bytes: Buffer;
  /** How many of them are lines. */
  readonly length: number;
}

/**
 * Lines as bytes, in blocks that are filled again once they are written. Making a block for each batch, or a string of
 * 64 KiB that is turned into bytes at the end, costs four times what writing each line to its place does: fresh memory
 * has to be fetched page by page.
 */
export class LineBlocks {
  readonly #size: number;
  readonly #encoding: 'latin1' | 'utf8';
  #block: Buffer;
  #length = 0;
  readonly #spare: Buffer[] = [];
  /** Handed out and not written yet, oldest first. */
  #handedOut: Block[] = [];
  #written = 0;

  /** `size` in bytes. `ascii`: no line has another character, which makes one byte of each. */
  constructor(size: number, characters: 'ascii' | 'any') {
    this.#size = size;
    this.#encoding = characters === 'ascii' ? 'latin1' : 'utf8';
    this.#block = Buffer.allocUnsafeSlow(size);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** False, and nothing has happened, when there is no room for it. */
  append(line: string): boolean {
    const isAscii = this.#encoding === 'latin1';
    if (this.#length + line.length * (isAscii ? 1 : 3) > this.#size) return false;
    this.#length += isAscii
      ? writeLatin1(this.#block, line, this.#length)
      : this.#block.write(line, this.#length, 'utf8');
    return true;
  }

  /** The bytes of a line that is longer than a block. */
  encode(line: string): Buffer {
    return this.#track(Buffer.from(line, this.#encoding));
  }

  /** What has been appended since the last time. Its bytes stay as they are until `written` has told of them all. */
  take(): Buffer {
    const lines = this.#track(this.#block.subarray(0, this.#length));
    this.#block = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    this.#length = 0;
    return lines;
  }

  /** So many bytes more of what was taken are where they belong. */
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

  /** Nobody will tell of what was taken so far. */
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
