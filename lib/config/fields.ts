import { ValueError } from '../base/units.js';
import { type Context, texts } from './context.js';
import { parseValue } from './pattern.js';
import type { TextsSettings } from './settings.js';
import { parseTemplate, plainText, type Template, type TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { FieldMatch } from './types.js';

/** A token (RFC 9110, 5.6.2): the characters of field names, methods and cookie names. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Fields that frame a message or belong to one connection: only the proxy itself can set them correctly. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Fields between the client, every proxy and the server: each hop answers or counts them (RFC 9110, 7.6.2 and 10.1.1). */
const EVERY_HOP = new Set(['expect', 'max-forwards']);
/**
 * With another character instead of a `-` these fields are removed from every message, so a rule cannot set them
 * either.
 */
const SPELT_WITH_HYPHEN = new Set([
  'cdn-loop',
  'client-cert',
  'client-cert-chain',
  'user-agent',
  'x-client-cert',
  'x-real-ip',
  'x-request-id',
]);
/** Only this much of these names is compared. */
const PREFIXES: readonly string[] = ['x-forwarded-', 'x-client-cert-'];

/** Throws a ValueError unless the text may be the name of a field, method or cookie. */
export function checkToken(text: string, what: string): string {
  if (TOKEN.test(text)) return text;
  throw new ValueError(`expected ${what}, got ${JSON.stringify(text)}`);
}

/** Checks the name of a field that rules may change. Throws a ValueError. */
export function checkHeaderName(name: string): string {
  checkToken(name, 'the name of a header');
  const key = name.toLowerCase();
  const hyphened = hyphenated(key);
  if (FRAMING.has(hyphened)) {
    throw new ValueError(`${name} belongs to the connection and is set by lb itself`, 'Remove this rule.');
  }
  if (EVERY_HOP.has(hyphened)) {
    throw new ValueError(`${name} is handled by lb itself at each hop`, 'Remove this rule.');
  }
  if (key === 'host')
    throw new ValueError('Host is a field of requests: a response has none', 'Remove this rule.');
  if (isDisguised(key, hyphened)) {
    const meant = hyphenated(name);
    const [mark] = /[^a-z0-9-]/i.exec(name) ?? [];
    throw new ValueError(
      `${name} is ${meant} to servers that read ${mark} as -, and is never passed on`,
      `Write ${meant}.`,
    );
  }
  return name;
}

/** The name as servers read it that only look at letters and digits. */
function hyphenated(name: string): string {
  return name.replace(/[^a-z0-9]/gi, '-');
}

function isDisguised(key: string, hyphened: string): boolean {
  if (key === hyphened) return false;
  if (SPELT_WITH_HYPHEN.has(hyphened)) return true;
  return PREFIXES.some(
    (prefix) => hyphened.length > prefix.length && hyphened.startsWith(prefix) && !key.startsWith(prefix),
  );
}

/** Reads the value of a header with its templates. Throws a ValueError if it could not be sent. */
export function parseHeaderValue(text: string, context: TemplateContext): Template {
  const template = parseTemplate(text, context);
  checkHeaderText(plainText(template));
  return template;
}

/** Throws a ValueError for characters that would end a field. Characters beyond ASCII are sent as UTF-8. */
export function checkHeaderText(text: string): void {
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) {
    throw new ValueError('a header has no line breaks and no control characters');
  }
}

/** Compiles names with a pattern each. Header names are converted to lower case. */
export function compileFields(
  settings: TextsSettings | undefined,
  path: Path,
  { report }: Pick<Context, 'report'>,
  kind: 'header' | 'param' | 'cookie',
): FieldMatch[] {
  const fields: FieldMatch[] = [];
  for (const [name, text, fieldPath] of texts(settings, path)) {
    if (kind === 'header') {
      report.attempt(fieldPath, () => checkToken(name, 'the name of a header'), 'key');
    }
    const value = report.attempt(fieldPath, () => parseValue(text));
    if (value) fields.push({ name: kind === 'header' ? name.toLowerCase() : name, value });
  }
  return fields;
}
