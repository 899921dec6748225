import { ValueError } from '../base/units.js';
import { type Context, texts } from './context.js';
import { parsePath, parseRegex } from './pattern.js';
import type { RegexConfig } from './regex.js';
import type { RewriteRulesSettings } from './settings.js';
import { parseTemplate, plainText, type Template, type TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { PathRule } from './types.js';

/** The edits of the path, in the order strip_prefix, replace, add_prefix. */
export function pathRules(
  settings: RewriteRulesSettings,
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): PathRule[] {
  const rules: (PathRule | undefined)[] = [];
  const { strip_prefix: strip, add_prefix: prefix } = settings;
  if (strip !== undefined) rules.push(report.attempt([...path, 'strip_prefix'], () => stripRule(strip)));
  for (const [find, text, at] of texts(settings.replace, [...path, 'replace'])) {
    const found = report.attempt(at, () => parseSegments(find), 'key');
    if (found) rules.push(report.attempt(at, () => replaceRule(found, text, templates)));
  }
  if (prefix !== undefined) {
    rules.push(report.attempt([...path, 'add_prefix'], () => prefixRule(prefix, templates)));
  }
  return rules.filter((rule) => rule !== undefined);
}

function stripRule(text: string): PathRule {
  const pattern = parsePath(text);
  if (pattern.kind === 'prefix') return { kind: 'strip_prefix', prefix: pattern.path };
  const message = `expected a path such as /api, got ${JSON.stringify(text)}`;
  throw new ValueError(message, 'A regular expression goes to replace.');
}

function prefixRule(text: string, templates: TemplateContext): PathRule {
  if (text.startsWith('/')) {
    return { kind: 'add_prefix', prefix: parsePathText(text.replace(/\/+$/, ''), templates) };
  }
  const message = `expected a path such as /internal, got ${JSON.stringify(text)}`;
  throw new ValueError(message, 'A path begins with a slash.');
}

/** What is replaced: matches of a regular expression over the whole path, or segments. */
function parseSegments(find: string): RegexConfig | string[] {
  const regex = parseRegex(find);
  if (regex) return regex;
  const segments = find.split('/').filter((segment) => segment !== '');
  if (segments.length > 0) return segments;
  throw new ValueError('expected segments of a path such as v1, or a regular expression between slashes');
}

function replaceRule(found: RegexConfig | string[], text: string, templates: TemplateContext): PathRule {
  if (!Array.isArray(found)) {
    const to = parsePathText(text, { ...templates, groups: found.groups });
    return { kind: 'replace', edit: { find: found, to } };
  }
  const to = parsePathText(text.replace(/^\/+|\/+$/g, ''), templates);
  return { kind: 'replace_segments', from: found, to };
}

/** Reads a text that becomes part of a path. A `?` would begin the query. */
function parsePathText(text: string, templates: TemplateContext): Template {
  const template = parseTemplate(text, templates);
  if (!/[?#\x00-\x1f\x7f]/.test(plainText(template))) return template;
  const message = `expected part of a path, got ${JSON.stringify(text)}`;
  throw new ValueError(message, 'Parameters are changed by param_rules.');
}
