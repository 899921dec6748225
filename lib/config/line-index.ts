import type { Span } from './tree.js';

/** Where a span begins, and how much of it is in that line. */
export interface Position {
  /** From 1; 0 when it is in no text. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
  /** At least 1. */
  readonly length: number;
}

/** Finds line and column of an offset by bisection: a file may be long and have many problems. */
export class LineIndex {
  readonly #text: string;
  readonly #lineStarts: number[] = [0];

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1);
  }

  /** How many lines there are; what follows the last line feed is one too. */
  get count(): number {
    return this.#lineStarts.length;
  }

  /** Line and column of a span, and its length within the line. A start of -1 (not in the text) is line 0. */
  of({ start, end }: Span): Position {
    if (start < 0) return { line: 0, column: 0, length: 1 };
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#lineStarts[middle]! <= start) low = middle;
      else high = middle;
    }
    const lineEnd = (this.#lineStarts[low + 1] ?? this.#text.length + 1) - 1;
    const length = Math.max(1, Math.min(end, lineEnd) - start);
    return { line: low + 1, column: start - this.#lineStarts[low]! + 1, length };
  }
}
