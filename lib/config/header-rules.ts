import { type Context, names, texts } from './context.js';
import { checkHeaderName, parseHeaderValue } from './fields.js';
import { parseFind } from './pattern.js';
import type { HeaderEditsSettings } from './settings.js';
import type { TemplateContext } from './template.js';
import type { Path } from './tree.js';
import type { HeaderRule, RulesConfig } from './types.js';

/** One rule as written. */
interface Written {
  readonly kind: HeaderRule['kind'];
  readonly name: string;
  readonly at: Path;
  readonly text: string;
  /** The text or expression that a `replace` looks for; empty for other rules. */
  readonly find: string;
}

/**
 * Compiles the changes to header fields, in the order remove, replace, add, append. Host is treated separately: see
 * `hostRule`.
 */
export function headerRules(
  settings: HeaderEditsSettings,
  path: Path,
  templates: TemplateContext,
  context: Context,
): HeaderRule[] {
  const rules: HeaderRule[] = [];
  const firstPaths = new Map<string, Path>();
  for (const written of inOrder(settings, path)) {
    const { kind, name, at } = written;
    const key = name.toLowerCase();
    if (key === 'host' && !templates.server) continue;
    if (!context.report.attempt(at, () => checkHeaderName(name), 'key')) continue;
    const first = firstPaths.get(`${kind} ${key}`);
    if (first) context.report.repeated(at, `${name} is given twice, first in`, first);
    else if (kind !== 'replace') firstPaths.set(`${kind} ${key}`, at);
    const rule = headerRule(written, key, templates, context);
    if (rule) rules.push(rule);
  }
  return rules;
}

/** The rule for Host. Removing it sends the server's own address, because a request always has a Host. */
export function hostRule(
  settings: HeaderEditsSettings,
  path: Path,
  templates: TemplateContext,
  { report }: Context,
): RulesConfig['host'] | undefined {
  let host: RulesConfig['host'] | undefined;
  for (const { kind, name, at, text } of inOrder(settings, path)) {
    if (name.toLowerCase() !== 'host') continue;
    if (kind === 'remove') host = 'server';
    else if (kind === 'set') host = report.attempt(at, () => parseHeaderValue(text, templates));
    else report.problem(at, 'a request has one Host', 'Set it with add.', 'key');
  }
  return host;
}

function* inOrder(settings: HeaderEditsSettings, path: Path): Generator<Written> {
  for (const [name, at] of names(settings.remove, [...path, 'remove'])) {
    yield { kind: 'remove', name, at, text: '', find: '' };
  }
  for (const [name, edits] of Object.entries(settings.replace ?? {})) {
    for (const [find, text, at] of texts(edits, [...path, 'replace', name])) {
      yield { kind: 'replace', name, at, text, find };
    }
  }
  for (const [name, text, at] of texts(settings.add, [...path, 'add'])) {
    yield { kind: 'set', name, at, text, find: '' };
  }
  for (const [name, text, at] of texts(settings.append, [...path, 'append'])) {
    yield { kind: 'append', name, at, text, find: '' };
  }
}

function headerRule(
  { kind, name, at, text, find }: Written,
  key: string,
  templates: TemplateContext,
  { report }: Context,
): HeaderRule | undefined {
  if (kind === 'remove') return { kind, name, key };
  if (kind === 'replace') {
    const found = report.attempt(at, () => parseFind(find), 'key');
    if (found === undefined) return undefined;
    const groups = typeof found === 'string' ? {} : { groups: found.groups };
    const to = report.attempt(at, () => parseHeaderValue(text, { ...templates, ...groups }));
    return to && { kind, name, key, edit: { find: found, to } };
  }
  const value = report.attempt(at, () => parseHeaderValue(text, templates));
  return value && { kind, name, key, value };
}
