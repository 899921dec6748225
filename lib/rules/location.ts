import type { Template, TemplatePart } from '../config/template.js';
import type { RuleContext } from './context.js';
import { inQuery, Text } from './text.js';

/** The beginning of a text that names a host: `https://` or `//`. */
const NAMES_HOST = /^(?:[a-z][a-z0-9+.-]*:)?\/\//i;
/** The same after a scheme from a template: `{scheme}://`. */
const AFTER_SCHEME = /^:\/\//;
/** What ends a host; browsers treat a backslash as a slash. */
const END_OF_HOST = /[/?#\\]/;
/** A value after one of these, or after the two slashes, can only be part of the host. */
const UNFINISHED = /(?:^|[.:@_-])$/;

/** A part of a host. `path`: the part as a path, which it becomes when its value begins with a slash; null where it may not. */
interface HostPart {
  readonly text: Text;
  readonly path: Text | null;
}

/** A template, split where the host that it names ends. */
interface Cut {
  /** Includes the slashes before the host; null when the URL stays on the requested host. */
  readonly scheme: Text | null;
  readonly host: readonly HostPart[];
  readonly rest: Template;
}

/**
 * Makes a URL from a template. Only the configuration decides which host the URL leads to, never a value of the
 * request:
 *
 * - A template that begins with a slash or with a value stays on the requested host: the result begins with exactly
 * one slash, because two would name a host.
 * - In the host of `https://{$1}.example.com/`, characters of a value other than letters, digits and `-._~` are
 * percent-encoded, so that the value can't end the host.
 * - A value after a complete host, as in `https://example.com{$1}`, is the path: a slash is added in front if it has
 * none. `example.com` can't become `example.com.evil.test`.
 */
export class Location {
  readonly #scheme: Text | null;
  readonly #host: readonly HostPart[];
  readonly #rest: Text;

  constructor(template: Template) {
    const { scheme, host, rest } = cut(template);
    this.#scheme = scheme;
    this.#host = host;
    this.#rest = new Text(rest, 'location');
  }

  /** A byte string. */
  render(context: RuleContext): string {
    const rest = this.#rest.render(context);
    if (this.#scheme === null) return rooted(rest);
    let host = '';
    let isPath = false;
    for (const part of this.#host) {
      const path = part.path === null ? '' : part.path.render(context);
      if (path.startsWith('/')) isPath = true;
      host += path.startsWith('/') ? path : part.text.render(context);
    }
    // Browsers read `https:///x` as the host x.
    if (host === '') return rooted(rest);
    const slash = isPath || rest === '' || END_OF_HOST.test(rest.charAt(0)) ? '' : '/';
    return this.#scheme.render(context) + host + slash + rest;
  }
}

/**
 * Makes the Location of a redirect. The query of the request is appended unless the template has a question mark; a
 * question mark with nothing after it drops the query.
 */
export class Redirect {
  readonly #to: Location;
  readonly #keepsQuery: boolean;

  constructor(to: Template) {
    this.#to = new Location(to);
    this.#keepsQuery = !to.some(
      (part) =>
        (part.kind === 'text' && /[?#]/.test(part.text)) ||
        (part.kind === 'variable' && part.name === 'query'),
    );
  }

  render(context: RuleContext): string {
    const to = this.#to.render(context);
    const { query } = context.view;
    return this.#keepsQuery && query !== '' ? `${to}?${inQuery(query)}` : to.replace(/\?$/, '');
  }
}

function rooted(url: string): string {
  return url.replace(/^\/*/, '/');
}

function cut(template: Template): Cut {
  const [first, second] = template;
  if (first?.kind === 'text') {
    const [scheme] = NAMES_HOST.exec(first.text) ?? [];
    if (scheme === undefined) return { scheme: null, host: [], rest: template };
    return cutHost([plain(scheme)], [plain(first.text.slice(scheme.length)), ...template.slice(1)]);
  }
  if (first === undefined || second?.kind !== 'text' || !AFTER_SCHEME.test(second.text))
    return { scheme: null, host: [], rest: template };
  return cutHost([first, plain('://')], [plain(second.text.slice(3)), ...template.slice(2)]);
}

/** `parts`: the template after the two slashes. */
function cutHost(scheme: Template, parts: Template): Cut {
  const host: HostPart[] = [];
  const upTo = (rest: Template): Cut => ({ scheme: new Text(scheme, 'host'), host, rest });
  let before = '';
  for (const [index, part] of parts.entries()) {
    if (part.kind === 'text') {
      const end = part.text.search(END_OF_HOST);
      before = end === -1 ? part.text : part.text.slice(0, end);
      if (before !== '') host.push({ text: new Text([plain(before)], 'host'), path: null });
      if (end !== -1) return upTo([plain(part.text.slice(end)), ...parts.slice(index + 1)]);
      continue;
    }
    const isHost = part.kind === 'variable' && part.name === 'host';
    const unfinished = UNFINISHED.test(before) && !isPath(part);
    if (!isHost && !unfinished && !goesOn(parts[index + 1])) return upTo(parts.slice(index));
    host.push({
      text: new Text([part], 'host'),
      path: isHost || unfinished ? null : new Text([part], 'location'),
    });
    before = 'a host';
  }
  return upTo([]);
}

/** Does the host continue after a value? */
function goesOn(next: TemplatePart | undefined): boolean {
  return next?.kind === 'text' && !END_OF_HOST.test(next.text.charAt(0));
}

function isPath(part: TemplatePart): boolean {
  return part.kind === 'variable' && part.name === 'path';
}

function plain(text: string): TemplatePart {
  return { kind: 'text', text };
}

/** A compiled template. */
export interface Rendering {
  /** A byte string. */
  render(context: RuleContext): string;
}

/** Fields whose value clients follow as a URL (RFC 9110, 8.7 and 10.2.2). */
const URL_FIELDS: ReadonlySet<string> = new Set(['location', 'content-location']);

/** Compiles the text for the field called `key` (lower case). */
export function fieldText(key: string, template: Template): Rendering {
  return URL_FIELDS.has(key) ? new Location(template) : new Text(template, 'field');
}
