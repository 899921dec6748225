import { formatSize, ValueError } from '../base/units.js';

const NEWLINE = 10;
const FIRST_BYTES = 16 * 1024;

/** Cuts bytes into lines, wherever the reads end. */
export class JsonLines {
  readonly #mostBytes: number;
  /** Has the beginning of a line. */
  #buffer = Buffer.alloc(0);
  #length = 0;

  /** `mostBytes`: a longer line is refused. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Returns the lines that are complete now, as values. Throws a ValueError for one that is too long or not JSON. */
  read(bytes: Buffer): readonly unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line.trim() !== '') values.push(parse(line));
    }
    this.#keep(bytes.subarray(start));
    return values;
  }

  #keep(part: Buffer): void {
    const length = this.#length + part.length;
    if (length > this.#mostBytes)
      throw new ValueError(`a line is longer than ${formatSize(this.#mostBytes)}`);
    if (length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(FIRST_BYTES, 2 * length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    part.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  #take(): string {
    const line = this.#buffer.toString('utf8', 0, this.#length);
    this.#length = 0;
    // A long line is rare.
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = Buffer.alloc(0);
    return line;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ValueError('a line is not JSON');
  }
}
