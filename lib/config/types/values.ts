import type { CamelKey } from '../key-names.js';
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

/**
 * Settings that compile to numbers, each under its name in camelCase: durations in ms, sizes in bytes, shares from 0 to 1.
 * `schema.json` says what each one means.
 */
export type Numbers<Written> = { readonly [Key in keyof Written as CamelKey<Key & string>]-?: number };
