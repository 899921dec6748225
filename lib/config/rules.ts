import { ValueError } from '../base/value-error.js';
import { type Context, names, texts } from './context.js';
import { checkHeaderName, checkToken, parseHeaderValue } from './fields.js';
import { parsePath, parseRegex } from './pattern.js';
import { countGroups } from './regex.js';
import type { EditSettings, HeaderRulesSettings, RewriteRulesSettings, RouteSettings } from './settings.js';
import { parseTemplate, plainText, type Template, type TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { CookieRule, Edit, HeaderRule, ParamRule, PathRule, RulesConfig } from './types.js';

/** The rules of one place, to be put behind those of the places around it. `host` is null when it says nothing of it. */
export type OwnRules = Omit<RulesConfig, 'host'> & { readonly host: RulesConfig['host'] | null };

/** What a host, a path or a route does to the heads that pass. `captures` is how many `{$1}` it knows. */
export function compileRules(
  settings: RouteSettings,
  path: Path,
  captures: number,
  context: Context,
): OwnRules {
  const { header_rules, response_header_rules, param_rules, cookie_rules, rewrite_rules } = settings;
  const request = { captures };
  const preserved =
    settings.preserve_host === undefined ? null : settings.preserve_host ? 'client' : 'server';
  return {
    host: hostRule(header_rules, [...path, 'header_rules'], request, context) ?? preserved,
    path: pathRules(rewrite_rules, [...path, 'rewrite_rules'], request, context),
    params: paramRules(param_rules, [...path, 'param_rules'], request, context),
    cookies: cookieRules(cookie_rules, [...path, 'cookie_rules'], request, context),
    headers: headerRules(header_rules, [...path, 'header_rules'], request, context),
    responseHeaders: headerRules(
      response_header_rules,
      [...path, 'response_header_rules'],
      { captures, server: true },
      context,
    ),
  };
}

/** Host is no field among others: removed, it is the server's own address; a request always has one. */
function hostRule(
  settings: HeaderRulesSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): RulesConfig['host'] | undefined {
  for (const [name, text, textPath] of texts(settings.add, [...path, 'add'])) {
    if (isHost(name)) return report.attempt(textPath, () => parseHeaderValue(text, templates));
  }
  for (const part of ['append', 'replace'] as const) {
    for (const name of Object.keys(settings[part] ?? {}).filter(isHost)) {
      report.problem([...path, part, name], 'a request has one Host', 'Set it with add.', 'key');
    }
  }
  return [...names(settings.remove, [])].some(([name]) => isHost(name)) ? 'server' : undefined;
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host';
}

function headerRules(
  settings: HeaderRulesSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): HeaderRule[] {
  const rules: HeaderRule[] = [];
  /** Calls `make` with a name that rules may touch; each may stand in a map once, whatever its case. */
  const add = (
    seen: Map<string, Path>,
    name: string,
    at: Path,
    make: (key: string) => HeaderRule | undefined,
  ) => {
    const key = name.toLowerCase();
    if (key === 'host' && !templates.server) return;
    if (!report.attempt(at, () => checkHeaderName(name))) return;
    const first = seen.get(key);
    if (first) report.repeated(at, `${name} is given twice, first in`, first);
    seen.set(key, at);
    const rule = make(key);
    if (rule) rules.push(rule);
  };
  const removed = new Map<string, Path>();
  for (const [name, at] of names(settings.remove, [...path, 'remove'])) {
    add(removed, name, at, (key) => ({ kind: 'remove', name, key }));
  }
  for (const [name, edits] of Object.entries(settings.replace ?? {})) {
    for (const [find, to, at] of texts(edits, [...path, 'replace', name])) {
      add(new Map(), name, at, (key) => {
        const edit = report.attempt(at, () => parseEdit(find, to, templates, parseHeaderValue));
        return edit && { kind: 'replace', name, key, edit };
      });
    }
  }
  for (const [part, kind] of [['add', 'set'] as const, ['append', 'append'] as const]) {
    const seen = new Map<string, Path>();
    for (const [name, text, at] of texts(settings[part], [...path, part])) {
      add(seen, name, at, (key) => {
        const value = report.attempt(at, () => parseHeaderValue(text, templates));
        return value && { kind, name, key, value };
      });
    }
  }
  return rules;
}

function paramRules(
  settings: EditSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): ParamRule[] {
  const rules: ParamRule[] = [];
  for (const [name] of names(settings.remove, [...path, 'remove'])) rules.push({ kind: 'remove', name });
  for (const [name, text, at] of texts(settings.add, [...path, 'add'])) {
    const value = report.attempt(at, () => parseTemplate(text, templates));
    if (value) rules.push({ kind: 'set', name, value });
  }
  return rules;
}

function cookieRules(
  settings: EditSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): CookieRule[] {
  const rules: CookieRule[] = [];
  for (const [name, at] of names(settings.remove, [...path, 'remove'])) {
    if (report.attempt(at, () => checkToken(name, 'the name of a cookie')))
      rules.push({ kind: 'remove', name });
  }
  for (const [name, text, at] of texts(settings.add, [...path, 'add'])) {
    const value = report.attempt(at, () => {
      checkToken(name, 'the name of a cookie');
      return parseCookieValue(text, templates);
    });
    if (value) rules.push({ kind: 'set', name, value });
  }
  return rules;
}

/** RFC 6265 4.1.1: no spaces, quotes, commas, semicolons or backslashes. */
function parseCookieValue(text: string, templates: TemplateContext): Template {
  const template = parseTemplate(text, templates);
  if (/^[!#-+\--:<-[\]-~]*$/.test(plainText(template))) return template;
  throw new ValueError(
    `expected the value of a cookie, got ${JSON.stringify(text)}`,
    'Percent-encode what is special.',
  );
}

function pathRules(
  settings: RewriteRulesSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): PathRule[] {
  const rules: (PathRule | undefined)[] = [];
  const { strip_prefix: strip, add_prefix: prefix } = settings;
  if (strip !== undefined) rules.push(report.attempt([...path, 'strip_prefix'], () => stripRule(strip)));
  for (const [find, to, at] of texts(settings.replace, [...path, 'replace'])) {
    rules.push(report.attempt(at, () => replaceRule(find, to, templates)));
  }
  if (prefix !== undefined) {
    rules.push(report.attempt([...path, 'add_prefix'], () => prefixRule(prefix, templates)));
  }
  return rules.filter((rule) => rule !== undefined);
}

function stripRule(text: string): PathRule {
  const pattern = parsePath(text);
  if (pattern.kind === 'prefix') return { kind: 'strip_prefix', prefix: pattern.path };
  throw new ValueError(
    `expected a path such as /api, got ${JSON.stringify(text)}`,
    'A regular expression goes to replace.',
  );
}

function prefixRule(text: string, templates: TemplateContext): PathRule {
  if (!text.startsWith('/')) {
    throw new ValueError(
      `expected a path such as /internal, got ${JSON.stringify(text)}`,
      'A path begins with a slash.',
    );
  }
  return { kind: 'add_prefix', prefix: parsePathText(text.replace(/\/+$/, ''), templates) };
}

function replaceRule(find: string, to: string, templates: TemplateContext): PathRule {
  if (parseRegex(find)) return { kind: 'replace', edit: parseEdit(find, to, templates, parsePathText) };
  const from = find.split('/').filter((segment) => segment !== '');
  if (from.length === 0)
    throw new ValueError('expected segments of a path such as v1, or a regular expression');
  return { kind: 'replace_segments', from, to: parsePathText(to.replace(/^\/+|\/+$/g, ''), templates) };
}

/** What becomes part of a path. A `?` would begin the query. */
function parsePathText(text: string, templates: TemplateContext): Template {
  const template = parseTemplate(text, templates);
  if (!/[?#\x00-\x1f\x7f]/.test(plainText(template))) return template;
  throw new ValueError(
    `expected part of a path, got ${JSON.stringify(text)}`,
    'Parameters are changed by param_rules.',
  );
}

function parseEdit(
  find: string,
  to: string,
  templates: TemplateContext,
  parse: (text: string, context: TemplateContext) => Template,
): Edit {
  const regex = parseRegex(find, 'g');
  if (!regex && find === '') throw new ValueError('expected a text to find');
  if (!regex) return { find, to: parse(to, templates) };
  return { find: regex, to: parse(to, { ...templates, groups: countGroups(regex) }) };
}
