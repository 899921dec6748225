import { isSecretName } from '../config/secrets.js';
import { escapeForScreen, shownTarget } from '../observe/escape.js';

const AUTHORIZATION = /^(?:proxy-)?authorization$/i;
const COOKIES = /^(?:set-)?cookie2?$/i;

/**
 * A head as sent or received, each line after a mark (`>` or `<`), as curl -v shows it. Control bytes are escaped;
 * credentials and the values of cookies are masked, because others may see the terminal.
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
  // The start line has no name, or a name with a blank in it.
  if (colon === -1 || name.includes(' ')) return shownTarget(line);
  return isSecretName(name) ? `${line.slice(0, colon)}: ***` : line;
}

/** `Bearer ***`: the scheme is useful and not secret. */
function maskAuthorization(value: string): string {
  const scheme = /^[A-Za-z][\w-]*(?= )/.exec(value);
  return scheme ? `${scheme[0]} ***` : '***';
}

/** `sid=***; theme=***`, or `sid=***; Path=/; HttpOnly` for the cookie of a Set-Cookie. */
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
