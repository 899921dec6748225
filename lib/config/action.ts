import { ValueError } from '../base/units.js';
import { type BodyFile, readBodyFile } from './body-file.js';
import { type CommonSettings, type Context, texts } from './context.js';
import { checkHeaderName, parseHeaderValue } from './fields.js';
import type { GroupTerms } from './group-terms.js';
import { isOpenRedirect } from './open-redirect.js';
import { defaultsOf } from './schema.js';
import type { RedirectSettings, RespondSettings } from './settings.js';
import { parseTemplate, plainText, type Template, type TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { GroupConfig, RouteAction } from './types.js';

/** The settings that decide how a request is answered; a scope has at most one of them. */
export const ACTIONS = ['servers', 'redirect', 'respond'] as const;

const REDIRECT = defaultsOf<{ readonly status: number }>('redirect');
const RESPOND = defaultsOf<{ readonly status: number; readonly body: string }>('respond');

/** RFC 9110, 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** The action that a scope sets itself; undefined when it inherits that of the scope around it. */
export function ownAction(settings: CommonSettings): (typeof ACTIONS)[number] | undefined {
  return ACTIONS.find((key) => Object.hasOwn(settings, key));
}

/** The action of a scope; null when it sets none. `groupName` is the name of its server group. */
export function compileAction(
  settings: CommonSettings,
  groupName: string,
  path: Path,
  terms: GroupTerms,
  templates: TemplateContext,
  context: Context,
): RouteAction | null {
  const { report } = context;
  const [key, other] = ACTIONS.filter((action) => Object.hasOwn(settings, action));
  if (other) report.problem([...path, other], `${key} and ${other} cannot both be set`, '', 'key');
  if (settings.servers) {
    const at = [...path, 'servers'];
    const { servers, providers } = context.book.compile(settings.servers, at, terms.pool.maxConnections);
    const group: GroupConfig = { name: groupName, servers, providers, ...terms };
    context.groups.push(group);
    return { kind: 'forward', group };
  }
  if (settings.redirect) return compileRedirect(settings.redirect, [...path, 'redirect'], templates, context);
  if (settings.respond) return compileRespond(settings.respond, [...path, 'respond'], templates, context);
  return null;
}

function compileRedirect(
  { to, status = REDIRECT.status }: RedirectSettings,
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): RouteAction {
  const target = to === undefined ? [] : report.attempt([...path, 'to'], () => parseTarget(to, templates));
  if (target && isOpenRedirect(target))
    report.warning(
      [...path, 'to'],
      'a parameter of the URL chooses the host: anybody can make a link that leads elsewhere',
      'Write how the host ends, as in https://{param.shop}.example.com.',
    );
  return { kind: 'redirect', status, to: target ?? [] };
}

function parseTarget(text: string, templates: TemplateContext): Template {
  const template = parseTemplate(text, templates);
  if (/[^!-~]/.test(plainText(template))) {
    throw new ValueError(
      `expected a URL, got ${JSON.stringify(text)}`,
      'Percent-encode everything but visible ASCII.',
    );
  }
  if (/^(https?:\/\/|\/|\{)/i.test(text)) return template;
  throw new ValueError(`expected a URL, got ${JSON.stringify(text)}`, 'Begin with https:// or with a slash.');
}

function compileRespond(
  { status = RESPOND.status, body: text, file, headers }: RespondSettings,
  path: Path,
  templates: TemplateContext,
  context: Context,
): RouteAction {
  const { report } = context;
  const key = file === undefined ? 'body' : 'file';
  if ((text || file) && WITHOUT_BODY.has(status))
    report.problem([...path, key], `a response with status ${status} has no body`);
  if (text !== undefined && file !== undefined)
    report.problem([...path, 'file'], 'body and file cannot both be set', '', 'key');
  let read: BodyFile | undefined;
  if (file !== undefined) read = report.attempt([...path, 'file'], () => readBodyFile(file, context));
  const body = read?.body ?? Buffer.from(text ?? RESPOND.body).toString('latin1');
  const fields: { name: string; value: Template }[] = [];
  for (const [name, text, at] of texts(headers, [...path, 'headers'])) {
    const known = report.attempt(at, () => checkHeaderName(name), 'key');
    const value = report.attempt(at, () => parseHeaderValue(text, templates));
    if (known && value) fields.push({ name, value });
  }
  if (read !== undefined && !fields.some(({ name }) => name.toLowerCase() === 'content-type'))
    fields.push({ name: 'Content-Type', value: [{ kind: 'text', text: read.contentType }] });
  return { kind: 'respond', status, body, file: file ?? null, headers: fields };
}
