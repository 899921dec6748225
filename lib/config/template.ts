import { didYouMean, nearest } from '../base/nearest.js';
import { ValueError } from '../base/units.js';

/** A text with templates: its parts, in order. A text without templates is one part, an empty text none. */
export type Template = readonly TemplatePart[];

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: Variable }
  /** A field of the request as received; header names in lower case. Empty when the request has none. */
  | { readonly kind: 'header' | 'cookie' | 'param'; readonly name: string }
  /** `{$1}`: a group of the regular expression that the route was found by. */
  | { readonly kind: 'capture'; readonly group: number }
  /** `$1`: a group of the rule's own regular expression; 0 is the whole match. */
  | { readonly kind: 'group'; readonly group: number };

/** The meaning of each variable, in the words of the reference. */
export const VARIABLE_MEANINGS = {
  client_ip: 'the address of the client; behind trusted proxies the one they forward',
  host: 'the host asked for, without a port',
  path: 'the path, undecoded',
  query: 'the query, without its question mark',
  method: 'the method',
  scheme: '`http` or `https`, as the client spoke it',
  sni: 'the host name of its TLS handshake; empty without one',
  tls_version: '`TLSv1.2` or `TLSv1.3`; empty without TLS',
  client_cert_subject: 'whom the valid certificate that the client showed was issued to; empty without one',
  client_cert_fingerprint: 'the SHA-256 of that certificate in hexadecimal digits',
  server: 'the name of the server that answered; in response rules only',
  route: 'the name of the route',
  request_id: 'the id of the request, as in the log and in `X-Request-Id`',
  trace_id:
    'the id of the trace that the request belongs to: of its `traceparent`, or the one that `tracing` began; empty without',
  span_id: 'the id of the span of the request; empty without `tracing`',
  attempt: '1 for the first server that is asked, one more for each retry; in request header rules only',
} as const;

/** A part of the request as received, before any rule. */
export type Variable = keyof typeof VARIABLE_MEANINGS;

const VARIABLES = Object.keys(VARIABLE_MEANINGS) as readonly Variable[];

export interface TemplateContext {
  /** The number of groups of the route's regular expression, for `{$1}`. */
  readonly captures: number;
  /** The number of groups of the rule's own expression, for `$1`; undefined where `$` is a plain character. */
  readonly groups?: number;
  /** Whether `{server}` is known: only after a server has answered. */
  readonly server?: boolean;
  /** Whether `{attempt}` is known: only where the text is made for each attempt. */
  readonly attempt?: boolean;
}

/**
 * `{{name}` stands for a plain `{name}`. Braces around anything but a word are plain too, so that JSON can be written,
 * and so is `${name}`, which may be left after variables were expanded.
 */
const HOLE = /(\$\{[^{}]*\})|\{(\{)?([a-z$][\w$-]*(?:\.[^{}\s]+)?)\}|\$(\$|\d)/gi;

/** Reads `{client_ip}`, `{header.X-Name}`, `{$1}` and, in a rule with a regular expression, `$1`. Throws a ValueError. */
export function parseTemplate(text: string, context: TemplateContext): Template {
  const parts: TemplatePart[] = [];
  let plain = '';
  let end = 0;
  for (const match of text.matchAll(HOLE)) {
    plain += text.slice(end, match.index);
    end = match.index + match[0].length;
    const part = readHole(match, context);
    if (typeof part === 'string') {
      plain += part;
      continue;
    }
    if (plain !== '') parts.push({ kind: 'text', text: plain });
    plain = '';
    parts.push(part);
  }
  plain += text.slice(end);
  if (plain !== '') parts.push({ kind: 'text', text: plain });
  return parts;
}

/** The text of a template without its variable parts, for checks of what is certainly in it. */
export function plainText(template: Template): string {
  return template.map((part) => (part.kind === 'text' ? part.text : '')).join('');
}

function readHole(match: RegExpMatchArray, context: TemplateContext): TemplatePart | string {
  const [, verbatim, escaped, name = '', dollar] = match;
  if (verbatim !== undefined) return verbatim;
  return dollar === undefined ? hole(name, escaped !== undefined, context) : group(dollar, context);
}

function hole(name: string, escaped: boolean, context: TemplateContext): TemplatePart | string {
  if (escaped) return `{${name}}`;
  if (/^\$\d+$/.test(name)) return capture(Number(name.slice(1)), context.captures);
  const [, kind, field] = /^(header|cookie|param)\.(.+)$/.exec(name) ?? [];
  if (field !== undefined) {
    return { kind: kind as 'header', name: kind === 'header' ? field.toLowerCase() : field };
  }
  const variable = VARIABLES.find((known) => known === name);
  if (variable === undefined) throw unknownName(name);
  if (variable === 'server' && !context.server) {
    throw new ValueError(
      '{server} is not known before a server has answered',
      'Use it in response_header_rules.',
    );
  }
  if (variable === 'attempt' && !context.attempt)
    throw new ValueError('{attempt} is not known here', 'Use it in header_rules or response_header_rules.');
  return { kind: 'variable', name: variable };
}

function capture(number: number, captures: number): TemplatePart {
  if (number >= 1 && number <= captures) return { kind: 'capture', group: number };
  throw new ValueError(
    `{$${number}} is not known here`,
    captures === 0
      ? 'It is a group of the regular expression in the path or host of the route.'
      : `The expression of the route has ${captures} ${captures === 1 ? 'group' : 'groups'}.`,
  );
}

function group(dollar: string, { groups }: TemplateContext): TemplatePart | string {
  if (groups === undefined) return `$${dollar}`;
  if (dollar === '$') return '$';
  const number = Number(dollar);
  if (number <= groups) return { kind: 'group', group: number };
  throw new ValueError(
    `$${number} is not known here`,
    `The regular expression has ${groups === 0 ? 'no groups' : `${groups} ${groups === 1 ? 'group' : 'groups'}`}.`,
  );
}

function unknownName(name: string): ValueError {
  const [kind = '', ...field] = name.split('.');
  const near =
    field.length > 0
      ? nearest(kind, ['header', 'cookie', 'param'])?.concat('.', field.join('.'))
      : nearest(name, [...VARIABLES, 'header.Name', 'cookie.name', 'param.name']);
  const literal = `Write {{${name}} for a plain {${name}}.`;
  return new ValueError(`{${name}} is not known`, didYouMean(near && `{${near}}`, literal));
}
