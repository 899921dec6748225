import { isSecretName } from '../config/secrets.js';
import { escapeForScreen } from '../observe/escape.js';
import { shownTarget } from '../observe/shown-target.js';

const AUTHORIZATION = /^(?:proxy-)?authorization$/i;
const COOKIES = /^(?:set-)?cookie2?$/i;

/**
 * A head as it crossed the wire, one line per line behind a mark (`>` or `<`), as curl -v shows it. Control bytes
 * are escaped; credentials and the values of cookies are hidden: a terminal is often somebody else's screen too.
 */
export function renderHead(head: string, mark: '>' | '<'): string {
  const lines = head.split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  lines.push('');
  return lines.map((line) => `${`${mark} ${escapeForScreen(mask(line))}`.trimEnd()}\n`).join('');
}

function mask(line: string): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon).trim();
  if (AUTHORIZATION.test(name))
    return `${line.slice(0, colon)}: ${maskAuthorization(line.slice(colon + 1).trim())}`;
  if (COOKIES.test(name))
    return `${line.slice(0, colon)}: ${maskCookies(name, line.slice(colon + 1).trim())}`;
  // The start line has no name, or one with a blank in it.
  if (colon === -1 || name.includes(' ')) return shownTarget(line);
  return isSecretName(name) ? `${line.slice(0, colon)}: ***` : line;
}

/** `Bearer ***`: the scheme is worth seeing and no secret. */
function maskAuthorization(value: string): string {
  const scheme = /^[A-Za-z][\w-]*(?= )/.exec(value);
  return scheme ? `${scheme[0]} ***` : '***';
}

/** `sid=***; theme=***`, or `sid=***; Path=/; HttpOnly` for the one that a Set-Cookie sets. */
function maskCookies(name: string, value: string): string {
  const pairs = value.split(';');
  const isSet = /^set-/i.test(name);
  return pairs
    .map((pair, index) => (isSet && index > 0 ? pair : pair.replace(/=.*$|^[^=]+$/s, hide)))
    .join(';');
}

function hide(found: string): string {
  return found.startsWith('=') ? '=***' : '***';
}
