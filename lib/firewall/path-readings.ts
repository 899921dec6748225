import { decodeTriplets, readUtf8 } from '../http/percent.js';

/**
 * How servers may read a path differently from its normal form. Paths that no two servers agree on were refused before
 * (`http/path.ts`); this is what some servers are known to do with the rest:
 *
 * - parameters are removed, before or after decoding: `/a;x`, `/a;x/b` (Tomcat, Jetty), with `..;` as well;
 * - `\`, as `%5C`, is a slash (IIS, ASP.NET);
 * - a decoded text is decoded once more: `/%2561` (gateways in front of gateways);
 * - a `%00`, `%3F` or `%23` hidden in that ends the path;
 * - dots, spaces and control characters at the end of a segment are dropped: `/a.`, `/a%20`, `/a%09` (Windows);
 * - a text after two slashes at the beginning is a host: `//x/a` is `/a` (what makes a URL of the target, as `new URL` does);
 * - the bytes 0x85 and 0xA0, blanks in Latin-1, are dropped at the end (Express, Python's `http.server`), and others that are no
 * UTF-8 (decoders that ignore errors);
 * - `..` goes up late or never: `/a/../b` is routed below `/a` (many routers of frameworks).
 */

/** Characters of a decoded path that may give it another reading. */
const UNUSUAL = /[;\\%?#]|[.\x00-\x20\x7f](?:\/|$)|[\x85\xa0\ufffd]$/;
/** Blanks of Latin-1 beyond ASCII, as UTF-8 or not. */
const NEXT_LINE = 0x85;
const NO_BREAK_SPACE = 0xa0;
/** What stands for a byte that is no UTF-8. */
const REPLACEMENT = 0xfffd;
const PARAMETERS = /;[^/]*/g;
/** What a URL would have as its host; browsers and `new URL` treat a backslash as a slash. */
const HOST = /^\/[/\\]+[^/\\]*/;
/** The second character of a path that may begin so, once it is decoded. */
const BEFORE_HOST = /^\/[/\\%]/;
/** Nothing after these belongs to the path. */
const END = /[\0?#]/;
const DOT = 0x2e;
const SPACE = 0x20;
const DELETE = 0x7f;
/** `%252561` and so on: no server in use decodes four times. */
const MAX_DECODINGS = 3;

const NONE: readonly string[] = Object.freeze([]);

/**
 * Other readings of a path, decoded and without empty segments; nearly every request has none. `path` is its normal
 * form, `rawPath` the path as received.
 */
export function otherReadings(path: string, rawPath: string): readonly string[] {
  // A path that is longer than its normal form had dots, slashes or percent-encoding in it.
  const goesUp = rawPath.length !== path.length && decodeTriplets(rawPath).includes('..');
  if (!goesUp && !BEFORE_HOST.test(rawPath) && !UNUSUAL.test(path)) return NONE;
  const readings = new Set<string>();
  const whole = decodeAll(rawPath);
  for (const decoded of [whole.replace(PARAMETERS, ''), decodeAll(rawPath.replace(PARAMETERS, '')), whole]) {
    for (const text of HOST.test(decoded) ? [decoded, decoded.replace(HOST, '')] : [decoded]) {
      for (const slashed of [text, text.replaceAll('\\', '/')]) {
        readings.add(join(slashed, true));
        readings.add(join(slashed, false));
      }
    }
  }
  for (const reading of [path, ...readings]) readings.add(withoutOddEnd(reading));
  readings.delete(path);
  return [...readings];
}

/** Without blanks of Latin-1 at the end, and what is no UTF-8. */
function withoutOddEnd(path: string): string {
  let end = path.length;
  for (; end > 0; end--) {
    const code = path.charCodeAt(end - 1);
    if (code !== NEXT_LINE && code !== NO_BREAK_SPACE && code !== REPLACEMENT) break;
  }
  return path.slice(0, end);
}

/** Decoded until nothing is left to decode, and cut where a path ends. Bytes, not yet read as UTF-8. */
function decodeAll(text: string): string {
  let decoded = text;
  for (let i = 0; i < MAX_DECODINGS && decoded.includes('%'); i++) decoded = decodeTriplets(decoded);
  const end = decoded.search(END);
  return end === -1 ? decoded : decoded.slice(0, end);
}

/** The segments, without what is dropped from their ends; `..` goes up as far as there is a segment, or stays. */
function join(bytes: string, goesUp: boolean): string {
  const kept: string[] = [];
  for (const written of bytes.split('/')) {
    const spaceless = trimEnd(written, false);
    const segment = spaceless === '..' ? spaceless : trimEnd(spaceless, true);
    if (segment === '..' && goesUp) kept.pop();
    else if (segment !== '') kept.push(segment);
  }
  const slash = kept.length > 0 && bytes.endsWith('/') ? '/' : '';
  return readUtf8(`/${kept.join('/')}${slash}`);
}

/** Written by hand: a regular expression would take quadratic time for a segment full of dots. */
function trimEnd(segment: string, dots: boolean): string {
  let end = segment.length;
  for (; end > 0; end--) {
    const code = segment.charCodeAt(end - 1);
    if (code > SPACE && code !== DELETE && !(dots && code === DOT)) break;
  }
  return segment.slice(0, end);
}
