import type { PathRule } from '../config/types.js';
import { hasDotSegments, normalisePath, withoutDotSegments } from '../http/path.js';
import { decodeTriplets, PATH, percentEncode, readUtf8, utf8Bytes } from '../http/percent.js';
import { type Refusal, refusal } from '../http/refusal.js';
import type { RuleContext } from './context.js';
import { Text } from './text.js';
import { TextEdit } from './text-edit.js';

/** The values that were filled in, or what was removed, made a path that would have been refused. */
const UNFIT = refusal(400, 'a rewrite rule made a path that would be refused in a request');

/** A segment of a raw path, compared decoded. */
interface Segment {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

type Rule =
  | { readonly kind: 'strip_prefix'; readonly prefix: readonly string[]; readonly encoded: string }
  | { readonly kind: 'add_prefix'; readonly prefix: Text }
  | { readonly kind: 'replace_segments'; readonly from: readonly string[]; readonly to: Text }
  | { readonly kind: 'replace'; readonly edit: TextEdit };

/** The result of the path rules. */
export interface Rewriting {
  /** The path to send; as received if no rule changed anything. */
  readonly path: string;
  /** The prefixes that were stripped, percent-encoded; empty when none was. */
  readonly stripped: string;
  readonly problem: Refusal | null;
}

/**
 * Changes the path that is sent. Rules work on the received path after its dot segments are resolved, and keep the
 * encoding of what they do not change. The result begins with one slash: a server would read a text after two slashes
 * as a host, and may take a backslash for a slash.
 */
export class PathRules {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly PathRule[]) {
    this.#rules = rules.map(compile);
  }

  /** `raw` is a valid path. */
  apply(raw: string, context: RuleContext): Rewriting {
    if (!raw.startsWith('/')) return { path: raw, stripped: '', problem: null };
    const start = withoutDotSegments(raw);
    let path = start;
    let stripped = '';
    for (const rule of this.#rules) {
      const rest = applyRule(rule, path, context);
      if (rule.kind === 'strip_prefix' && rest !== path) stripped += rule.encoded;
      path = rest;
    }
    if (path === start) return { path: raw, stripped, problem: null };
    const { problem } = normalisePath(path);
    return { path, stripped, problem: problem === null && !hasDotSegments(path) ? null : UNFIT };
  }
}

function compile(rule: PathRule): Rule {
  switch (rule.kind) {
    case 'strip_prefix':
      return {
        kind: 'strip_prefix',
        prefix: rule.prefix.split('/').filter((segment) => segment !== ''),
        encoded: percentEncode(utf8Bytes(rule.prefix), PATH),
      };
    case 'add_prefix':
      return { kind: 'add_prefix', prefix: new Text(rule.prefix, 'path') };
    case 'replace_segments':
      return { kind: 'replace_segments', from: rule.from, to: new Text(rule.to, 'path') };
    case 'replace':
      return { kind: 'replace', edit: new TextEdit(rule.edit, 'path') };
  }
}

function applyRule(rule: Rule, path: string, context: RuleContext): string {
  switch (rule.kind) {
    case 'strip_prefix':
      return stripPrefix(path, rule);
    case 'add_prefix':
      return rooted(rule.prefix.render(context) + path, path);
    case 'replace_segments':
      return rooted(replaceSegments(path, rule, context), path);
    case 'replace':
      return rooted(rule.edit.apply(path, context), path);
  }
}

/** The result begins with one slash, unless it is `before`. */
function rooted(path: string, before: string): string {
  return path === before ? path : path.replace(/^(?:[/\\]|%2f|%5c)*/i, '/');
}

function stripPrefix(
  path: string,
  { prefix, encoded }: { readonly prefix: readonly string[]; readonly encoded: string },
): string {
  if (prefix.length === 0) return path;
  let end = encoded.length;
  if (!path.startsWith(encoded) || path[end] !== '/') {
    const segments = segmentsOf(path);
    if (!startsWith(segments, 0, prefix)) return path;
    end = (segments[prefix.length - 1] as Segment).end;
  }
  return rooted(path.slice(end), path);
}

function replaceSegments(
  path: string,
  { from, to }: { readonly from: readonly string[]; readonly to: Text },
  context: RuleContext,
): string {
  // Decides nearly every path: what is not encoded appears as it is.
  if (!/[%\x80-\xff]/.test(path) && !path.includes(from[0] as string)) return path;
  const segments = segmentsOf(path);
  let edited = '';
  let run = 0;
  for (let i = 0; i + from.length <= segments.length; i++) {
    if (!startsWith(segments, i, from)) continue;
    const text = to.render(context);
    const last = segments[i + from.length - 1] as Segment;
    edited += path.slice(run, (segments[i] as Segment).start) + text;
    // When nothing replaces them, the slash after them is removed too.
    run = text === '' && path[last.end] === '/' ? last.end + 1 : last.end;
    i += from.length - 1;
  }
  return edited + path.slice(run);
}

function startsWith(segments: readonly Segment[], from: number, names: readonly string[]): boolean {
  return names.every((name, i) => segments[from + i]?.name === name);
}

/** The segments as in the normalised path: between slashes, encoded ones included, without empty ones and dots. */
function segmentsOf(path: string): Segment[] {
  const segments: Segment[] = [];
  for (const { index: start, 1: raw } of path.matchAll(/((?:(?!%2f)[^/])+)|%2f/gi)) {
    if (raw === undefined) continue;
    const name = readUtf8(decodeTriplets(raw));
    if (name !== '.') segments.push({ start, end: start + raw.length, name });
  }
  return segments;
}
