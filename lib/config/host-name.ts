import { isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';
import { ValueError } from '../base/units.js';
import type { HostName } from './types.js';

/** Reads `www.mango.com`, `*.mango.com`, an address, or a name in any script. Throws a ValueError. */
export function parseHostName(text: string): HostName {
  const bare = text.toLowerCase().replace(/\.$/, '');
  if (bare === '*') throw unexpected(text, 'Settings for every host belong at the top of the file.');
  if (/^\/.+\/$/.test(text))
    throw unexpected(text, `A regular expression begins with ~ here: "~ ${text.slice(1, -1)}".`);
  if (bare.includes('://') || bare.includes('/')) throw unexpected(text, 'Write the name alone.');
  if (/:\d+$/.test(bare) && !/^\[.*\]$/.test(bare)) throw unexpected(text, 'Write it without the port.');
  if (bare.startsWith('*.')) return { kind: 'wildcard', suffix: `.${checkName(bare.slice(2), text)}` };
  if (bare.includes('*')) throw unexpected(text, 'A star stands for whole labels at the front: *.mango.com.');
  return { kind: 'exact', name: checkName(bare, text) };
}

function checkName(name: string, text: string): string {
  // domainToASCII brings addresses into their canonical form, as the URL standard requires; [v6] and v4 keep their
  // meaning.
  const ascii = domainToASCII(name);
  const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
  if (new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`).test(ascii)) {
    if (isIPv4(ascii) && ascii !== name) throw unexpected(text, `Write ${ascii}.`);
    return ascii;
  }
  if (/^\[[0-9a-f:.]+\]$/.test(ascii)) return ascii;
  throw unexpected(text, '');
}

function unexpected(text: string, hint: string): ValueError {
  return new ValueError(
    `expected a host such as www.mango.com or "*.mango.com", got ${JSON.stringify(text)}`,
    hint,
  );
}
