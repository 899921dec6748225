import { ValueError } from '../base/units.js';
import { parseHostName } from './host-name.js';
import { readRegexConfig } from './regex.js';
import type { HostName, HostPattern } from './types.js';

/** Reads a name of `hosts`: as `parseHostName` does, or `~ regex` and `~* regex` (case does not count). Throws a ValueError. */
export function parseHostPattern(text: string): HostPattern {
  const [, operator, source = ''] = /^(~\*?)\s*(.*)$/s.exec(text) ?? [];
  if (operator === undefined) return parseHostName(text);
  const advice = adviseOnSource(source, operator === '~*');
  if (advice !== null)
    throw new ValueError(`${JSON.stringify(source)} matches no host: ${advice.why}`, advice.hint);
  return { kind: 'regex', regex: readRegexConfig(source, operator === '~*') };
}

/** What keeps every host from matching; null when nothing is known to. */
function adviseOnSource(source: string, ignoresCase: boolean): { why: string; hint: string } | null {
  if (source === '')
    return { why: 'the regular expression is empty', hint: 'Write one: "~ ^app-[0-9]+\\.example\\.com$".' };
  // Without groups of characters, escapes and names of groups: what is left stands for itself.
  const literal = source.replace(/\\(?:[pP]\{[^}]*\}|.)|\[(?:\\.|[^\]\\])*\]|\(\?<[A-Za-z_]\w*>/gs, '');
  if (!ignoresCase && /[A-Z]/.test(literal))
    return { why: 'hosts are compared in lower case', hint: 'Write it in lower case, or with ~* before it.' };
  if (literal.includes('/')) return { why: 'a host has no slash', hint: 'Write the path under paths.' };
  if (/:(?![?=!])/.test(literal.replace(/\(\?:/g, '(')))
    return { why: 'hosts are compared without their port', hint: 'Leave the port out.' };
  return null;
}

/**
 * The names that take all that an expression matches, as far as its end tells: `*.example.com` takes
 * `~ ^app-[0-9]+\.example\.com$`. undefined when none does.
 */
export function takenBy(source: string, names: readonly HostName[]): HostName | undefined {
  const suffix = suffixOf(source);
  if (suffix === '') return undefined;
  return names.find((name) => name.kind === 'wildcard' && suffix.endsWith(name.suffix));
}

/** What every match ends with, from a dot on: `.example.com`; empty when it is not known. */
function suffixOf(source: string): string {
  const [, end = ''] = /((?:\\\.|[a-z0-9-])+)\$$/.exec(source) ?? [];
  const dot = end.indexOf('\\.');
  if (dot === -1 || hasBranches(source)) return '';
  return end.slice(dot).replaceAll('\\.', '.');
}

/** Is there an alternative outside of all groups? Then the end belongs to one of them only. */
function hasBranches(source: string): boolean {
  return branchesOf(source).length > 1;
}

/**
 * Which of `^` and `$` an expression lacks, as in `no ^` or `neither ^ nor $`; empty when it has both. Without one of them it matches
 * part of a host, such as `app.example.com.evil.net`. An expression that is meant so has `.*` there.
 */
export function openEnds(source: string): string {
  const branches = branchesOf(source);
  const missing = [
    ...(branches.every((branch) => /^\(*(?:\?:)?(?:\^|\.[*+])/.test(branch)) ? [] : ['^']),
    ...(branches.every((branch) => /(?:^|[^\\])(?:\\\\)*(?:\$|\.[*+])\)*$/.test(branch)) ? [] : ['$']),
  ];
  if (missing.length === 0) return '';
  return missing.length === 1 ? `no ${missing[0]}` : `neither ${missing.join(' nor ')}`;
}

/** The alternatives outside of all groups. */
function branchesOf(source: string): readonly string[] {
  const branches: string[] = [];
  let branch = '';
  let depth = 0;
  for (const [piece] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|./gs)) {
    if (piece === '(') depth++;
    else if (piece === ')') depth--;
    if (piece === '|' && depth === 0) {
      branches.push(branch);
      branch = '';
    } else branch += piece;
  }
  return [...branches, branch];
}
