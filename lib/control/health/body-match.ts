import { GrowingBuffer } from '../../base/bytes.js';
import { compileRegex, type Regex, type RegexConfig } from '../../config/regex.js';
import { matchesWithin } from './expectation.js';

/** A text is looked for in so many bytes of content. */
const MAX_BYTES = 64 * 1024;
/** An expression is run on so many. */
const MAX_SUBJECT = 8192;

/**
 * Looks for something in the content of an answer, of which it keeps no more than it may look at. A text is found as
 * soon as it is there; an expression is asked once, at the end, since what follows may change what it says.
 */
export class BodyMatch {
  readonly #text: Buffer | null;
  readonly #regex: Regex | null;
  readonly #limit: number;
  readonly #content = new GrowingBuffer();
  #found = false;

  constructor(expected: string | RegexConfig) {
    this.#text = typeof expected === 'string' ? Buffer.from(expected) : null;
    this.#regex = typeof expected === 'string' ? null : compileRegex(expected);
    this.#limit = typeof expected === 'string' ? MAX_BYTES : MAX_SUBJECT;
  }

  /** Can more content change the answer? */
  get isDecided(): boolean {
    return this.#found || this.#content.length === this.#limit;
  }

  /** Takes a copy of `buffer[start, end)`, as far as it may matter. */
  add(buffer: Buffer, start: number, end: number): void {
    if (this.isDecided) return;
    const before = this.#content.length;
    const room = this.#limit - before;
    this.#content.append(buffer, start, Math.min(end, start + room), this.#limit);
    if (this.#text === null) return;
    // It may have begun in what came before.
    const from = Math.max(0, before - this.#text.length + 1);
    this.#found = this.#content.bytes.indexOf(this.#text, from) !== -1;
  }

  /** Is it there? Asked once no more content comes, or it is decided. */
  conclude(): boolean {
    return this.#regex === null
      ? this.#found
      : matchesWithin(this.#regex, this.#content.bytes.toString('utf8'));
  }
}
