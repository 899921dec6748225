import type { ValuePattern } from '../pattern.js';

/** An inclusive range of status codes. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** A field of which one value matches. Header names are in lower case, those of parameters and cookies as written. */
export interface FieldMatch {
  readonly name: string;
  readonly value: ValuePattern;
}
