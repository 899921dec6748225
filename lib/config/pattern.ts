import { ValueError } from '../base/units.js';
import { compileRegex, type Regex, type RegexConfig, readRegexConfig, regexText } from './regex.js';

/**
 * A pattern for paths. It is compared with the normalised, decoded path of a request. `R`: how regular expressions are
 * held, as data or ready to match.
 */
export type PathPattern<R = RegexConfig> =
  /**
   * A prefix of whole segments, without a final slash: `/img` matches `/img` and `/img/a` but not `/images`. `/`
   * matches all.
   */
  | { readonly kind: 'prefix'; readonly path: string }
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'regex'; readonly regex: R };

/** A pattern for values. */
export type ValuePattern<R = RegexConfig> =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'regex'; readonly regex: R }
  /** The field is there, with any value. */
  | { readonly kind: 'present' };

/** Reads `/prefix`, `= /exact`, `~ regex` and `~* regex` (case does not count). Throws a ValueError. */
export function parsePath(text: string): PathPattern {
  const [, operator, rest = ''] = /^(=|~\*?)\s*(.*)$/s.exec(text) ?? [undefined, undefined, text];
  if (operator?.startsWith('~')) {
    return { kind: 'regex', regex: readRegexConfig(rest, operator === '~*') };
  }
  const path = checkPath(rest);
  if (operator === '=') return { kind: 'exact', path };
  return { kind: 'prefix', path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path };
}

/** The same with its regular expression ready to match. */
export function compilePath(pattern: PathPattern): PathPattern<Regex> {
  return pattern.kind === 'regex' ? { kind: 'regex', regex: compileRegex(pattern.regex) } : pattern;
}

/** The same with its regular expression ready to match. */
export function compileValue(pattern: ValuePattern): ValuePattern<Regex> {
  return pattern.kind === 'regex' ? { kind: 'regex', regex: compileRegex(pattern.regex) } : pattern;
}

/** A path pattern as `parsePath` reads it, without the flag for case. */
export function pathText(pattern: PathPattern): string {
  switch (pattern.kind) {
    case 'prefix':
      return pattern.path;
    case 'exact':
      return `= ${pattern.path}`;
    case 'regex':
      return `~ ${pattern.regex.source}`;
  }
}

/** Reads `text`, `/regex/`, `/regex/i` and `*`. Throws a ValueError. */
export function parseValue(text: string): ValuePattern {
  if (text === '*') return { kind: 'present' };
  const regex = parseRegex(text);
  return regex ? { kind: 'regex', regex } : { kind: 'exact', text };
}

/** Reads `/regex/` and `/regex/i`; undefined for a text that is not between slashes. Throws a ValueError. */
export function parseRegex(text: string): RegexConfig | undefined {
  const [, source, flag] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? [];
  if (source === undefined) return undefined;
  if (flag !== '' && flag !== 'i') throw new ValueError(`the flag ${flag} is not supported`, 'Only i is.');
  return readRegexConfig(source, flag === 'i');
}

/** Reads the pattern of a replacement: a text, or a regular expression between slashes. Throws a ValueError. */
export function parseFind(text: string): RegexConfig | string {
  if (text === '') throw new ValueError('expected a text to find, or a regular expression between slashes');
  return parseRegex(text) ?? text;
}

/** The number of groups that a path pattern provides for `{$1}`. */
export function groupsOf(pattern: PathPattern | null): number {
  return pattern?.kind === 'regex' ? pattern.regex.groups : 0;
}

/** True when `a`, which is tried first, matches every path that `b` matches. */
export function coversPath(a: PathPattern | null, b: PathPattern | null): boolean {
  if (a === null || takesAll(a)) return true;
  if (b === null) return false;
  if (a.kind === 'regex') return b.kind === 'regex' && regexText(a.regex) === regexText(b.regex);
  if (b.kind === 'regex') return false;
  if (a.kind === 'exact') return b.kind === 'exact' && a.path === b.path;
  return b.path === a.path || b.path.startsWith(`${a.path}/`);
}

function takesAll(pattern: PathPattern): boolean {
  if (pattern.kind === 'prefix') return pattern.path === '/';
  return pattern.kind === 'regex' && /^(\^?\/?(\.\*\$?)?)$/.test(pattern.regex.source.replace('\\/', '/'));
}

function checkPath(path: string): string {
  const hint = adviseOnPath(path);
  if (hint === undefined) return path;
  throw new ValueError(
    `expected a path such as /img, "= /exact" or "~ regex", got ${JSON.stringify(path)}`,
    hint,
  );
}

/** Why a text is not a normalised, decoded path; undefined when it is one. */
function adviseOnPath(path: string): string | undefined {
  if (!path.startsWith('/')) return path === '' ? '' : 'A path begins with a slash.';
  if (path.endsWith('/*')) return 'A path takes everything below it: drop the /*.';
  if (/[?#]/.test(path)) return 'A path has no query and no fragment: use match with param.';
  if (/%[0-9a-f]{2}/i.test(path)) return 'Write the path decoded: it is compared with the decoded path.';
  if (/\/\//.test(path)) return 'Write one slash: doubled slashes are joined before paths are compared.';
  if (/\/\.{1,2}(\/|$)/.test(path))
    return 'Write the path without . and .. segments: they are resolved first.';
  if (/[\^\\|]|\.\*/.test(path)) return `A regular expression begins with a tilde: "~ ${path}".`;
  return /[\x00-\x1f\x7f]/.test(path) ? 'A path has no control characters.' : undefined;
}
