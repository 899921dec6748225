import { parseSpan, ValueError } from '../base/units.js';
import { type CommonSettings, type Context, names, texts } from './context.js';
import { compileErrorPages } from './error-pages.js';
import { checkToken } from './fields.js';
import { headerRules, hostRule } from './header-rules.js';
import { pathRules } from './path-rules.js';
import type { HstsTermsSetting, ParamRulesSettings, Settings } from './settings.js';
import { parseTemplate, plainText, type Template, type TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { CookieRule, HeaderRule, ParamRule, RulesConfig } from './types.js';

const YEAR_MS = 365 * 86_400_000;

/**
 * The rules of one scope, to be added after those of the scopes around it. `host` is null when the scope does not set
 * it.
 */
export type OwnRules = Omit<RulesConfig, 'host'> & { readonly host: RulesConfig['host'] | null };

/** Compiles the changes that a scope makes to heads. `captures` is the number of groups for `{$1}`. */
export function compileRules(
  settings: CommonSettings & Pick<Settings, 'hsts'>,
  path: Path,
  captures: number,
  context: Context,
): OwnRules {
  const { header_rules = {}, response_header_rules = {}, rewrite_rules = {} } = settings;
  const request: TemplateContext = { captures };
  const fields: TemplateContext = { captures, attempt: true };
  const response: TemplateContext = { ...fields, server: true };
  const headersPath = [...path, 'header_rules'];
  return {
    host: hostRule(header_rules, headersPath, request, context) ?? preserved(settings.preserve_host),
    path: pathRules(rewrite_rules, [...path, 'rewrite_rules'], request, context),
    params: paramRules(settings.param_rules, [...path, 'param_rules'], request, context),
    cookies: cookieRules(settings.cookie_rules, [...path, 'cookie_rules'], request, context),
    headers: headerRules(header_rules, headersPath, fields, context),
    responseHeaders: [
      ...hstsRule(settings.hsts, [...path, 'hsts'], context),
      ...headerRules(response_header_rules, [...path, 'response_header_rules'], response, context),
    ],
    errorPages: compileErrorPages(settings.error_pages, [...path, 'error_pages'], context),
  };
}

/** Before the rules that are written out, which may change it. */
function hstsRule(setting: HstsTermsSetting | undefined, path: Path, { report }: Context): HeaderRule[] {
  if (setting === undefined) return [];
  const isMap = typeof setting === 'object';
  const { max_age, include_subdomains, preload } = isMap ? setting : { max_age: setting };
  if (max_age === undefined) return [];
  const ms = report.attempt(isMap ? [...path, 'max_age'] : path, () => parseSpan(max_age));
  if (ms === undefined) return [];
  if (preload === true && (include_subdomains !== true || ms < YEAR_MS))
    report.problem(
      [...path, 'preload'],
      'browsers preload only hosts with a max_age of a year or more, and with all names below them',
      'Set max_age: 1y and include_subdomains: true, or leave preload out.',
    );
  const all = include_subdomains === true ? '; includeSubDomains' : '';
  const text = `max-age=${Math.floor(ms / 1000)}${all}${preload === true ? '; preload' : ''}`;
  const name = 'Strict-Transport-Security';
  return [{ kind: 'set', name, key: name.toLowerCase(), value: [{ kind: 'text', text }], secure: true }];
}

function preserved(setting: boolean | undefined): OwnRules['host'] {
  if (setting === undefined) return null;
  return setting ? 'client' : 'server';
}

function paramRules(
  settings: ParamRulesSettings = {},
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
  settings: ParamRulesSettings = {},
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): CookieRule[] {
  const rules: CookieRule[] = [];
  const isName = (name: string, at: Path): boolean =>
    report.attempt(at, () => checkToken(name, 'the name of a cookie'), 'key') !== undefined;
  for (const [name, at] of names(settings.remove, [...path, 'remove'])) {
    if (isName(name, at)) rules.push({ kind: 'remove', name });
  }
  for (const [name, text, at] of texts(settings.add, [...path, 'add'])) {
    const value = isName(name, at) && report.attempt(at, () => parseCookieValue(text, templates));
    if (value) rules.push({ kind: 'set', name, value });
  }
  return rules;
}

/** RFC 6265, 4.1.1: no spaces, quotes, commas, semicolons or backslashes. */
function parseCookieValue(text: string, templates: TemplateContext): Template {
  const template = parseTemplate(text, templates);
  if (/^[!#-+\--:<-[\]-~]*$/.test(plainText(template))) return template;
  const message = `expected the value of a cookie, got ${JSON.stringify(text)}`;
  throw new ValueError(message, 'Percent-encode special characters.');
}
