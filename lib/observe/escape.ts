import { MASK } from '../config/secrets.js';

// Everything a client sends comes from a stranger. In a log, a line feed forges a line, and an ESC byte or a C1 control
// (0x80-0x9f) controls the reader's terminal. Heads are latin1: one character is one byte.
const UNSAFE_IN_QUOTES = /["\\\x00-\x1f\x7f-\uffff]/;
const UNSAFE_BARE = /["\\\x00-\x20\x7f-\uffff]/;
const UNSAFE_ON_SCREEN = /[\x00-\x1f\x7f-\xa0]/;
/** Characters that a JSON string must escape, and everything that is not ASCII. */
export const UNSAFE_IN_JSON = /["\\\x00-\x1f\x7f-\uffff]/;

const EVERY_UNSAFE_IN_QUOTES = new RegExp(UNSAFE_IN_QUOTES, 'g');
const EVERY_UNSAFE_BARE = new RegExp(UNSAFE_BARE, 'g');
const EVERY_UNSAFE_ON_SCREEN = new RegExp(UNSAFE_ON_SCREEN, 'g');

/** For a field inside double quotes, in the way of nginx: `"`, `\`, control and non-ASCII bytes become `\xNN`. */
export function escapeQuoted(text: string): string {
  return UNSAFE_IN_QUOTES.test(text) ? text.replace(EVERY_UNSAFE_IN_QUOTES, hex) : text;
}

/** For a field that ends at the next space: the same, with spaces escaped too; `-` stands for an empty field. */
export function escapeBare(text: string): string {
  if (text === '') return '-';
  return UNSAFE_BARE.test(text) ? text.replace(EVERY_UNSAFE_BARE, hex) : text;
}

/** For a terminal: control bytes become `\xNN`, everything readable stays. */
export function escapeForScreen(text: string): string {
  return UNSAFE_ON_SCREEN.test(text) ? text.replace(EVERY_UNSAFE_ON_SCREEN, hex) : text;
}

/** A JSON string with its quotes, in ASCII; a byte above 0x7e becomes the character of the same number, as `\u00NN`. */
export function jsonString(text: string): string {
  return UNSAFE_IN_JSON.test(text) ? JSON.stringify(text).replace(/[\x7f-\uffff]/g, unicode) : `"${text}"`;
}

function hex(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function unicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/**
 * `name=` of a query. It ends where the next one may begin, so that a search through a target of any kind takes time in
 * proportion to its length: clients choose it.
 */
const NAME = /[?&]([^=&#?]+)=/g;
/** A name that suggests a credential. Narrower than for settings: `author` is not one. */
const CREDENTIAL = /(?:^|[-_.])auth(?:orization)?$|token|secret|passw(?:or)?d|api[-_]?key|signature|session/i;

/** A target or a URL as a log shows it: credentials in its query are masked, because logs are read by many. */
export function shownTarget(target: string): string {
  if (!target.includes('?') || !target.includes('=')) return target;
  let shown = '';
  let from = 0;
  NAME.lastIndex = 0;
  for (let found = NAME.exec(target); found !== null; found = NAME.exec(target)) {
    if (!CREDENTIAL.test(found[1] as string)) continue;
    shown += target.slice(from, NAME.lastIndex) + MASK;
    from = valueEnd(target, NAME.lastIndex);
    NAME.lastIndex = from;
  }
  return shown + target.slice(from);
}

function valueEnd(target: string, from: number): number {
  const length = target.slice(from).search(/[&#]/);
  return length === -1 ? target.length : from + length;
}
