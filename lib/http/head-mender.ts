const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const CASE = 0x20;
const LETTER_C = 0x63;
const LETTER_X = 0x78;

/** What the previous byte was part of. */
type State = 'line_start' | 'name' | 'blanks' | 'value' | 'line_end' | 'last_line_end' | 'complete';

/**
 * Reads a head again that llhttp refused: most such heads are malformed, but some hold what HTTP allows or every other
 * proxy passes. Byte by byte and in order, so it does not matter how the head is split over reads.
 *
 * - In a response, blanks between a name and its colon are removed (RFC 9112, 5.1: a proxy MUST). In a request they are
 *   not: that is 400.
 * - llhttp is shown names that begin with a C with an X instead, so it sees no Content-Length: it would refuse a tab
 *   after the number (white space: RFC 9112, 5.1), a second one, and one beside a Transfer-Encoding. `request-parser.ts`
 *   and `response-parser.ts` decide about these, from the names and values as received.
 *
 * Everything else is left to llhttp, which reads the result and decides.
 */
export class HeadMender {
  readonly #removesBlanks: boolean;
  /** The head as it is now, and the version that llhttp gets; both have `length` bytes. */
  text: Buffer;
  feed: Buffer;
  length = 0;
  #state: State = 'line_start';
  /** Blanks after a name, held back until it is known whether a colon follows. */
  #blanks = 0;

  /** `line`: the start line with its CRLF, which is not changed. */
  constructor(line: Buffer, removesBlanks: boolean) {
    this.#removesBlanks = removesBlanks;
    this.text = Buffer.from(line);
    this.feed = Buffer.from(line);
    this.length = line.length;
  }

  /** Has the empty line that ends the head arrived? */
  get complete(): boolean {
    return this.#state === 'complete';
  }

  /** Reads bytes of the fields, up to the end of the head; returns the position after the last byte read. */
  add(buffer: Buffer, start: number, end: number): number {
    this.#makeRoom(end - start);
    let position = start;
    while (position < end && this.#state !== 'complete') this.#take(buffer[position++] as number);
    return position;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case 'line_start':
        this.#put(byte, (byte | CASE) === LETTER_C ? LETTER_X : byte);
        this.#state = byte === CR ? 'last_line_end' : 'name';
        break;
      case 'name':
        if (this.#removesBlanks && (byte === SPACE || byte === TAB)) {
          this.#blanks = 1;
          this.#state = 'blanks';
        } else {
          this.#takeOfName(byte);
        }
        break;
      case 'blanks':
        if (byte === SPACE || byte === TAB) {
          this.#blanks++;
          break;
        }
        // Blanks without a colon after them stay, and llhttp refuses them.
        if (byte !== COLON) this.#putBlanks();
        this.#takeOfName(byte);
        break;
      case 'value':
        this.#put(byte, byte);
        if (byte === CR) this.#state = 'line_end';
        break;
      case 'line_end':
        this.#put(byte, byte);
        this.#state = byte === LF ? 'line_start' : 'value';
        break;
      case 'last_line_end':
        this.#put(byte, byte);
        this.#state = byte === LF ? 'complete' : 'name';
        break;
      case 'complete':
    }
  }

  #takeOfName(byte: number): void {
    if (byte === COLON) {
      this.#blanks = 0;
      this.#state = 'value';
    } else {
      this.#state = byte === CR ? 'line_end' : 'name';
    }
    this.#put(byte, byte);
  }

  #putBlanks(): void {
    for (; this.#blanks > 0; this.#blanks--) this.#put(SPACE, SPACE);
  }

  #put(byte: number, shown: number): void {
    this.text[this.length] = byte;
    this.feed[this.length] = shown;
    this.length++;
  }

  /** The blanks that are held back are not counted in `length`. */
  #makeRoom(bytes: number): void {
    const needed = this.length + this.#blanks + bytes;
    if (needed <= this.text.length) return;
    const text = Buffer.allocUnsafe(needed * 2);
    const feed = Buffer.allocUnsafe(needed * 2);
    this.text.copy(text, 0, 0, this.length);
    this.feed.copy(feed, 0, 0, this.length);
    this.text = text;
    this.feed = feed;
  }
}
