import { GrowingBuffer } from '../../base/bytes.js';
import { compileRegex, type Regex, type RegexConfig } from '../../config/regex.js';
import { matchesWithin } from './expectation.js';

/** A text is searched in this many bytes of content. */
const MAX_BYTES = 64 * 1024;
/** A regular expression is run on this many. */
const MAX_SUBJECT = 8192;

/**
 * Searches the content of an answer, and keeps no more of it than is searched. A text is found as soon as it has arrived;
 * a regular expression is run once, at the end, as later content may change its result.
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

  /** Can more content not change the result? */
  get isDecided(): boolean {
    return this.#found || this.#content.length === this.#limit;
  }

  /** Copies `buffer[start, end)`, as far as it is searched. */
  add(buffer: Buffer, start: number, end: number): void {
    if (this.isDecided) return;
    const before = this.#content.length;
    const room = this.#limit - before;
    this.#content.append(buffer, start, Math.min(end, start + room), this.#limit);
    if (this.#text === null) return;
    // The text may have begun in earlier content.
    const from = Math.max(0, before - this.#text.length + 1);
    this.#found = this.#content.bytes.indexOf(this.#text, from) !== -1;
  }

  /** Does the content match? Called when no more content comes, or when the result is decided. */
  conclude(): boolean {
    return this.#regex === null
      ? this.#found
      : matchesWithin(this.#regex, this.#content.bytes.toString('utf8'));
  }
}
