import { readBodyFile } from './body-file.js';
import type { Context } from './context.js';
import { checkHeaderText } from './fields.js';
import { each } from './report.js';
import type { ErrorPageSettings } from './settings.js';
import { compileStatuses } from './statuses.js';
import type { Path } from './tree.js';
import type { ErrorPageConfig } from './types.js';

/** What stands in a page for a value of the response. All other braces are text: style sheets are full of them. */
export const PLACEHOLDER = /\{(status|title|reason|request_id)\}/g;

const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** Compiles the error pages of one scope, in their order. Those of the scopes around it follow them. */
export function compileErrorPages(
  settings: readonly ErrorPageSettings[] | undefined,
  path: Path,
  context: Context,
): ErrorPageConfig[] {
  const pages: ErrorPageConfig[] = [];
  for (const [setting, at] of each(settings, path)) {
    const page = compilePage(setting, at, context);
    if (page !== undefined) pages.push(page);
  }
  return pages;
}

function compilePage(
  { status, file, text, type, servers = false }: ErrorPageSettings,
  path: Path,
  context: Context,
): ErrorPageConfig | undefined {
  const { report } = context;
  const statuses = status === undefined ? [] : compileStatuses(status, [...path, 'status'], report);
  if (statuses.some(({ from }) => from < 400))
    report.problem([...path, 'status'], 'expected statuses of errors: 400 to 599');
  if (file === undefined && text === undefined) {
    report.problem(path, 'expected a page: file or text');
    return undefined;
  }
  if (file !== undefined && text !== undefined)
    report.problem([...path, 'text'], 'file and text cannot both be set', '', 'key');
  const read =
    file === undefined ? undefined : report.attempt([...path, 'file'], () => readBodyFile(file, context));
  const body = read?.body ?? Buffer.from(text ?? '').toString('latin1');
  const contentType = type ?? read?.contentType ?? typeOf(body);
  report.attempt([...path, 'type'], () => checkHeaderText(contentType));
  if (/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType) && !isJson(body))
    report.problem(
      [...path, file === undefined ? 'text' : 'file'],
      'this is not JSON',
      'A placeholder stands for a text without quotes: "reason": "{reason}".',
    );
  return { statuses, contentType, body, file: file ?? null, servers };
}

/** The type of a text that says none. */
function typeOf(text: string): string {
  if (/^\s*</.test(text)) return 'text/html; charset=utf-8';
  return /^\s*(?:\{\s*["}]|\[)/.test(text) && isJson(text) ? 'application/json' : PLAIN_TEXT;
}

/** Is it JSON when its placeholders have values? */
function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(PLACEHOLDER, '0'));
    return true;
  } catch {
    return false;
  }
}
