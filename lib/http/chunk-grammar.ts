import type { MessageKind } from './llhttp.js';

/**
 * The framing of chunks (RFC 9112, 7.1) as a table: what a byte makes of a state. Strict where two programs could read
 * another size or another end: hexadecimal digits, then `;` or CRLF; no bare LF, no blank but around the parts of an
 * extension. What an extension says is for nobody, so an empty name or value passes.
 */

/** Bytes are counted here, and none of them is looked at. */
export const DATA = 0;
/** Where a chunk begins. */
export const START = 1;
export const DIGITS = 2;
/** Behind the CR of a line with a size. */
export const SIZE_CR = 3;
export const DATA_END = 4;
export const DATA_CR = 5;
/** Behind the line of the last chunk: an empty line, or the trailer section. */
export const LAST = 6;
export const LAST_CR = 7;
/** The trailer section, which is not read here. */
export const TRAILERS = 8;
export const END = 9;
export const REFUSED = 10;
/** From here on: in an extension, or in the blanks before one. */
export const EXTENSION = 11;
const BLANK = 11;
/** Some servers pad their sizes with spaces. Requests may not. */
const PADDING = 12;
const EXTENSION_START = 13;
const NAME = 14;
const NAME_BLANK = 15;
/** Behind `=`. */
const VALUE_START = 16;
const VALUE_BLANK = 17;
const VALUE = 18;
const QUOTED = 19;
const QUOTED_PAIR = 20;
const QUOTED_END = 21;
const STATES = 22;

const TOKEN = [..."!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].map(code);
const BLANKS = [' ', '\t'].map(code);

function code(character: string): number {
  return character.charCodeAt(0);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const DEL = 0x7f;
/** What may stand behind a backslash (RFC 9110, 5.6.4). */
const QUOTED_PAIRS = [0x09, ...range(0x20, 0xff)].filter((byte) => byte !== DEL);
/** The same without double quote and backslash, and DEL, which is harmless here and no error to llhttp. */
const QUOTED_TEXT = [...QUOTED_PAIRS.filter((byte) => byte !== code('"') && byte !== code('\\')), DEL];

/** The value of each hexadecimal digit, and what every other byte has instead. */
export const NO_DIGIT = 16;
export const DIGIT_VALUE = new Uint8Array(256).fill(NO_DIGIT);
const HEX = [...'0123456789abcdefABCDEF'].map(code);
for (const digit of HEX) DIGIT_VALUE[digit] = Number.parseInt(String.fromCharCode(digit), 16);

function tableOf(kind: MessageKind): Uint8Array {
  const table = new Uint8Array(STATES << 8).fill(REFUSED);
  const on = (state: number, bytes: readonly number[] | string, next: number): void => {
    const list = typeof bytes === 'string' ? [...bytes].map(code) : bytes;
    for (const byte of list) table[(state << 8) | byte] = next;
  };
  on(START, HEX, DIGITS);
  on(DIGITS, HEX, DIGITS);
  on(DIGITS, BLANKS, BLANK);
  if (kind === 'response') on(DIGITS, ' ', PADDING);
  on(PADDING, BLANKS, BLANK);
  on(PADDING, ' ', PADDING);
  on(BLANK, BLANKS, BLANK);
  on(EXTENSION_START, BLANKS, EXTENSION_START);
  for (const state of [EXTENSION_START, NAME]) on(state, TOKEN, NAME);
  for (const state of [NAME, NAME_BLANK]) on(state, BLANKS, NAME_BLANK);
  for (const state of [EXTENSION_START, NAME, NAME_BLANK]) on(state, '=', VALUE_START);
  for (const state of [VALUE_START, VALUE_BLANK]) on(state, BLANKS, VALUE_BLANK);
  for (const state of [VALUE_START, VALUE_BLANK, VALUE]) {
    on(state, TOKEN, VALUE);
    on(state, '"', QUOTED);
  }
  for (const state of [VALUE, QUOTED_END]) on(state, BLANKS, BLANK);
  on(QUOTED, QUOTED_TEXT, QUOTED);
  on(QUOTED, '\\', QUOTED_PAIR);
  on(QUOTED, '"', QUOTED_END);
  on(QUOTED_PAIR, QUOTED_PAIRS, QUOTED);
  const isWhole = [NAME, VALUE_START, VALUE, QUOTED_END];
  for (const state of [DIGITS, PADDING, BLANK, EXTENSION_START, NAME_BLANK, ...isWhole])
    on(state, ';', EXTENSION_START);
  for (const state of [DIGITS, PADDING, ...isWhole]) on(state, '\r', SIZE_CR);
  on(SIZE_CR, '\n', DATA);
  on(DATA_END, '\r', DATA_CR);
  on(DATA_CR, '\n', START);
  on(LAST, range(0, 255), TRAILERS);
  on(LAST, '\r', LAST_CR);
  on(LAST_CR, '\n', END);
  return table;
}

/** The next state, at `state << 8 | byte`. */
export const CHUNK_TABLES: { readonly [kind in MessageKind]: Uint8Array } = {
  request: tableOf('request'),
  response: tableOf('response'),
};
