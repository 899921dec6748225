import { escapeForScreen, shownTarget } from '../observe/escape.js';
import { shownFieldValue } from '../observe/shown-field.js';

/**
 * A head as sent or received, each line after a mark, as curl -v shows it: `>` what the client sent, `>>` what its server
 * got, `<` the response. Control bytes are escaped; credentials and the values of cookies are masked, because others may see
 * the terminal, and with `masksAddresses` the addresses of clients.
 */
export function renderHead(head: string, mark: '>' | '>>' | '<', masksAddresses = false): string {
  const lines = head.split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  lines.push('');
  return lines
    .map((line) => `${`${mark} ${escapeForScreen(shownLine(line, masksAddresses))}`.trimEnd()}\n`)
    .join('');
}

function shownLine(line: string, masksAddresses: boolean): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon).trim();
  // The start line has no name, or a name with a blank in it.
  if (colon === -1 || name.includes(' ')) return shownTarget(line);
  const value = line.slice(colon + 1).trim();
  const shown = shownFieldValue(name, value, masksAddresses);
  return shown === value ? line : `${line.slice(0, colon)}: ${shown}`;
}
