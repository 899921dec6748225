import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { Page, SCRIPTS, STYLES } from '../../lib/admin/page.js';

const folder = new URL('../../../lib/admin/page/', import.meta.url);
const { answer } = new Page();
const html = String(answer.body);
const policy = answer.headers?.['content-security-policy'] ?? '';

t.test('every file of the page is in it', async (t) => {
  const files = readdirSync(folder).filter((name) => name !== 'page.html');
  t.same(files.sort(), [...SCRIPTS, ...STYLES].sort());
});

t.test('all modules of the page make one script', async (t) => {
  const [, script = ''] = /<script type="module">([\s\S]*)<\/script>/.exec(html) ?? [];
  t.notMatch(script, /^(?:import|export) /m);
  t.notMatch(script, /<\/script/i);
  t.doesNotThrow(() => new Function(`async () => {"use strict";${script}}`));
  t.match(policy, `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`);
});

t.test('the page loads nothing from other hosts, and has one inline style and script', async (t) => {
  t.notMatch(html, /(?:src|href)="(?:https?:)?\/\//);
  t.notMatch(html, /\son[a-z]+="|\sstyle="|javascript:/);
  t.notMatch(html, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  for (const rule of [
    "default-src 'none'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ])
    t.ok(policy.includes(rule), rule);
  t.notMatch(policy, 'unsafe');
});

t.test('every kind of event in the API has words of its own on the page', async (t) => {
  const api = JSON.parse(readFileSync(new URL('../openapi.json', folder), 'utf8'));
  const { enum: kinds } = api.components.schemas.Event.properties.what as { enum: readonly string[] };
  const [, words = ''] = /const EVENTS = \{\n([\s\S]*?)\n\};/.exec(html) ?? [];
  t.ok(kinds.length > 30);
  for (const kind of kinds) t.match(words, new RegExp(`^ *${kind}: \\[`, 'm'), kind);
});
