import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Answer } from './call.js';

/** The files lie in `lib/admin/page/` of the package; this module runs from `dist/lib/admin/`. */
const folder = new URL('../../../lib/admin/page/', import.meta.url);

/** In order of precedence. */
export const STYLES = [
  'base.css',
  'head.css',
  'sections.css',
  'charts.css',
  'tables.css',
  'tree.css',
  'focus.css',
  'lists.css',
  'dialogs.css',
  'narrow.css',
] as const;

/** The modules of the page, each before those that import it. */
export const SCRIPTS = [
  'words.js',
  'elements.js',
  'connection.js',
  'place.js',
  'store.js',
  'chart.js',
  'charts.js',
  'dialogs.js',
  'questions.js',
  'timeline.js',
  'notices.js',
  'data-table.js',
  'sections.js',
  'server-row.js',
  'route-row.js',
  'tree.js',
  'focus.js',
  'toolbar.js',
  'failures.js',
  'main.js',
] as const;

/** The status page: one document that loads nothing but the API, and runs no script but its own. */
export class Page {
  readonly answer: Answer;

  constructor() {
    const style = STYLES.map(read).join('\n');
    const script = SCRIPTS.map((name) => inlined(read(name))).join('\n');
    // A function, because `$&` and the like have a meaning in a replacement text.
    const html = read('page.html')
      .replace('/* styles */', () => style)
      .replace('/* scripts */', () => script);
    this.answer = {
      status: 200,
      type: 'text/html; charset=utf-8',
      body: Buffer.from(html),
      headers: { 'content-security-policy': policy(style, script) },
    };
  }
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

/** All modules of the page become one script, where the exports of one are simply in scope for the next. */
function inlined(module: string): string {
  return module.replace(/^import [^;]*;\n/gm, '').replace(/^export /gm, '');
}

function policy(style: string, script: string): string {
  const sha = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return [
    "default-src 'none'",
    `script-src ${sha(script)}`,
    `style-src ${sha(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
