import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { BudgetExhausted } from '../../lib/base/work-budget.js';
import { Regex } from '../../lib/config/regex.js';
import type { Template, TemplatePart } from '../../lib/config/template.js';
import type { CookieRule, HeaderRule, ParamRule, PathRule, RulesConfig } from '../../lib/config/types.js';
import { FIELD } from '../../lib/http/fields.js';
import { HeadEdit } from '../../lib/http/head-edit.js';
import { encodeInterimHead, encodeResponseHead } from '../../lib/http/head-encoder.js';
import { normalisePath } from '../../lib/http/path.js';
import { RequestView } from '../../lib/http/request-view.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { fieldsOf, requestHead, responseHead } from '../http/heads.js';
import { contextOf, send } from './routes.js';

/** Texts as no configuration would have them: rules are compiled from them without any check. */
const NASTY = fc.string({
  unit: fc.constantFrom('a', 'B', '1', '/', '.', '..', '%', '%2F', '?', '#', '&', '=', ';', ',', ' ', '\t', '\r\n', '\0',
    '\x7f', '"', ':', 'é', '\xa0', 'ਊ', '€', '\\', '$1', '\u{1f4a9}'),
  maxLength: 6,
}); // biome-ignore format: an alphabet
const NAMES = [
  'X-A',
  'x-a',
  'X-B',
  'Cookie',
  'Via',
  'X-Forwarded-For',
  'X-Forwarded-Prefix',
  'Date',
  'Referer',
];
const GUARDED = [
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Upgrade',
  'TE',
  'content_length',
];

const part: fc.Arbitrary<TemplatePart> = fc.oneof(
  NASTY.map((text): TemplatePart => ({ kind: 'text', text })),
  fc
    .constantFrom('client_ip', 'host', 'path', 'query', 'method', 'scheme', 'server', 'route', 'request_id')
    .map((name): TemplatePart => ({ kind: 'variable', name: name as 'host' })),
  fc.constantFrom('x-a', 'cookie', 'x-none').map((name): TemplatePart => ({ kind: 'header', name })),
  fc.constantFrom('param', 'cookie').map((kind): TemplatePart => ({ kind: kind as 'param', name: 'q' })),
  fc.integer({ min: 0, max: 2 }).map((group): TemplatePart => ({ kind: 'capture', group })),
  fc.integer({ min: 0, max: 2 }).map((group): TemplatePart => ({ kind: 'group', group })),
);
const template: fc.Arbitrary<Template> = fc.array(part, { maxLength: 3 });
const edit = fc.record({
  find: fc.constantFrom<string | Regex>(
    'a',
    '/',
    ...['a', '(a)(b)?', '^\\/(.*)', 'x*', '2', '$', '[^a]'].map((source) => new Regex(source, false)),
    new Regex('(a)(b)?', true),
  ),
  to: template,
});
const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, fc.constantFrom(...GUARDED));

const headerRule: fc.Arbitrary<HeaderRule> = fc
  .tuple(fc.constantFrom('set', 'append', 'remove', 'replace'), name, template, edit)
  .map(([kind, name, value, edit]) => {
    const key = name.toLowerCase();
    if (kind === 'remove') return { kind, name, key };
    return kind === 'replace' ? { kind, name, key, edit } : { kind: kind as 'set', name, key, value };
  });
const pairRule = fc
  .tuple(fc.boolean(), fc.constantFrom('q', 'r'), template)
  .map(([set, name, value]): ParamRule & CookieRule =>
    set ? { kind: 'set', name, value } : { kind: 'remove', name },
  );
const pathRule: fc.Arbitrary<PathRule> = fc.oneof(
  fc.constantFrom('/a', '/a/b').map((prefix): PathRule => ({ kind: 'strip_prefix', prefix })),
  template.map((prefix): PathRule => ({ kind: 'add_prefix', prefix })),
  fc
    .tuple(fc.constantFrom(['a'], ['a', 'b']), template)
    .map(([from, to]): PathRule => ({ kind: 'replace_segments', from, to })),
  edit.map((edit): PathRule => ({ kind: 'replace', edit })),
);
const rules: fc.Arbitrary<RulesConfig> = fc.record({
  host: fc.oneof(fc.constantFrom('client' as const, 'server' as const), template),
  path: fc.array(pathRule, { maxLength: 3 }),
  params: fc.array(pairRule, { maxLength: 3 }),
  cookies: fc.array(pairRule, { maxLength: 3 }),
  headers: fc.array(headerRule, { maxLength: 6 }),
  responseHeaders: fc.array(headerRule, { maxLength: 6 }),
  errorPages: fc.constant([]),
});

const value = fc.string({
  unit: fc.constantFrom('a', ' ', '\t', '\xe0', '\xa0', ';', 'q=1', '..', '/', '%0d%0a'),
  maxLength: 5,
});
const field = fc
  .tuple(fc.constantFrom(...NAMES, 'X-Own', 'x-own', 'Accept'), value)
  .map(([name, value]) => `${name}:${value}`);
const target = fc
  .tuple(
    fc.array(
      fc.constantFrom('/', '/a', '/b', '/.', '/..', '%2F', '%61', '%20', '..', '%C3%A9', '\\', '%5c'),
      {
        maxLength: 6,
      },
    ),
    fc.array(fc.constantFrom('?', 'q=%0D%0A', 'q', '&', 'r=..', '%', '='), { maxLength: 5 }),
  )
  .map(([path, query]) => `/${path.join('')}${query.length > 0 ? `?${query.join('')}` : ''}`);
const request = fc
  .tuple(
    target,
    fc.array(field, { maxLength: 6 }),
    fc.constantFrom('', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
  )
  .map(([target, fields, framing]) =>
    [`POST ${target} HTTP/1.1`, 'Host: a.test', ...fields, ...(framing ? [framing] : []), '', ''].join(
      '\r\n',
    ),
  );

t.test('with any rules, the head that is sent is one head of the same message', async (t) => {
  let sent = 0;
  fc.assert(
    fc.property(request, rules, fc.boolean(), (text, config, trustsPeer) => {
      const view = new RequestView();
      view.load(requestHead(text), '192.0.2.1');
      if (view.pathProblem !== null) return;
      const rules = new RouteRules(config);
      let outcome: ReturnType<typeof send>;
      try {
        outcome = send(view, rules, { trustsPeer, captures: ['/', '/../é', undefined], server: 's' });
      } catch (error) {
        // Rules that make a path longer and longer are cut short, sooner while their automata are not built.
        if (error instanceof BudgetExhausted) return;
        if (/rewrite rule made a path/.test((error as Error).message)) return;
        throw error;
      }
      sent++;
      const { method, framing, contentLength, originTarget } = requestHead(outcome.text);
      const before = view.head;
      assert.deepEqual(
        [method, framing, contentLength],
        [before.method, before.framing, before.contentLength],
      );
      const [path = ''] = originTarget.split('?');
      assert.equal(normalisePath(path).problem, null);
      if (path !== view.rawPath) assert.doesNotMatch(path, /^\/(?:[/\\]|%2f|%5c)/i);
      const untouched = (fields: readonly (readonly [string, string])[]) =>
        fields.filter(([name]) => /^(x-own|accept|content-length|transfer-encoding)$/i.test(name));
      assert.deepEqual(untouched(outcome.fields), untouched(fieldsOf(before)));
    }),
    { numRuns: 2000 },
  );
  t.ok(sent > 500, `${sent} of 2000 got through`);
});

t.test('with any rules, the response is one response with the same body', async () => {
  const fields = fc.array(field, { maxLength: 6 });
  fc.assert(
    fc.property(
      request,
      fields,
      rules,
      fc.constantFrom('length', 'chunked'),
      (text, fields, config, framing) => {
        const view = new RequestView();
        view.load(requestHead(text), '192.0.2.1');
        const line = framing === 'length' ? 'Content-Length: 5' : 'Transfer-Encoding: chunked';
        const head = responseHead(['HTTP/1.1 200 OK', ...fields, line, '', ''].join('\r\n'));
        const edit = new HeadEdit();
        new RouteRules(config).editResponse(contextOf(view, { server: 's', captures: ['\r\n'] }), edit);
        const form = { framing: head.framing, keepAlive: true, oldClient: false };
        const after = responseHead(encodeResponseHead(head, form, 0, edit));
        assert.deepEqual(
          [after.status, after.framing, after.contentLength],
          [200, head.framing, head.contentLength],
        );
        const offer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', ...fields, line, '', ''];
        const switched = responseHead(encodeInterimHead(responseHead(offer.join('\r\n')), edit));
        assert.deepEqual([switched.status, switched.valueOf(FIELD.upgrade)], [101, 'websocket']);
        assert.deepEqual(
          [FIELD.contentLength, FIELD.transferEncoding].filter((id) => switched.has(id)),
          [],
        );
      },
    ),
    { numRuns: 1000 },
  );
});

/** What header rules mean, on a list of fields; names in lower case. */
function model(fields: readonly (readonly [string, string])[], rules: readonly HeaderRule[]): string[] {
  let list = fields.map(([name, value]) => [name.toLowerCase(), value] as const);
  for (const rule of rules) {
    const { key } = rule;
    if (rule.kind === 'set') {
      const entry = [key, plain(rule.value)] as const;
      const at = list.findIndex(([name]) => name === key);
      list = list.map((field, i) => (i === at ? entry : field)).filter((f) => f[0] !== key || f === entry);
      if (at === -1) list.push(entry);
    } else if (rule.kind === 'append') list.push([key, plain(rule.value)]);
    else if (rule.kind === 'remove') list = list.filter(([name]) => name !== key);
    else list = list.map(([n, v]) => [n, n === key ? v.replaceAll('a', plain(rule.edit.to)) : v]);
  }
  return list.map((field) => field.join(':'));
}

function plain(template: Template): string {
  return template.map((part) => (part.kind === 'text' ? part.text : '')).join('');
}

t.test('header rules are applied in order', async () => {
  const word = fc.constantFrom('a', 'b', 'ab').map((text): Template => [{ kind: 'text', text }]);
  const rule: fc.Arbitrary<HeaderRule> = fc
    .tuple(fc.constantFrom('set', 'append', 'remove', 'replace'), fc.constantFrom('X-A', 'X-B'), word)
    .map(([kind, name, value]) => {
      const key = name.toLowerCase();
      if (kind === 'remove') return { kind, name, key };
      if (kind === 'replace') return { kind, name, key, edit: { find: new Regex('a', false), to: value } };
      return { kind: kind as 'set', name, key, value };
    });
  const fields = fc.array(fc.tuple(fc.constantFrom('X-A', 'x-b', 'C'), fc.constantFrom('a', 'ba', '')), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(fields, fc.array(rule, { maxLength: 6 }), (fields, headers) => {
      const lines = fields.map(([name, value]) => `${name}: ${value}`);
      const head = responseHead(['HTTP/1.1 200 OK', 'Date: d', ...lines, '', ''].join('\r\n'));
      const none: RulesConfig = {
        host: 'client',
        path: [],
        params: [],
        cookies: [],
        headers: [],
        errorPages: [],
        responseHeaders: headers,
      };
      const edit = new HeadEdit();
      new RouteRules(none).editResponse(contextOf(new RequestView()), edit);
      const form = { framing: 'none', keepAlive: true, oldClient: false } as const;
      const after = fieldsOf(responseHead(encodeResponseHead(head, form, 0, edit))).slice(1);
      const got = after.map(([name, value]) => `${name.toLowerCase()}:${value}`);
      const expected = model(fields, headers);
      // Where a field that is set stands among others depends on what stood there; of one name the order is kept.
      for (const key of ['x-a:', 'x-b:', 'c:']) {
        const ofKey = (list: readonly string[]) => list.filter((field) => field.startsWith(key));
        assert.deepEqual(ofKey(got), ofKey(expected));
      }
    }),
    { numRuns: 1000 },
  );
});
