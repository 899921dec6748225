import { isIP } from 'node:net';
import { suggest } from '../base/nearest.js';
import { ValueError } from '../base/units.js';
import { type Context, names, texts } from './context.js';
import { checkHeaderText, checkToken, compileFields } from './fields.js';
import { each } from './report.js';
import { defaultsOf } from './schema.js';
import type { ExpectSettings, TestSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ExpectConfig, TestConfig } from './types.js';

const { ip: IP } = defaultsOf<{ readonly ip: string }>('test');

/** Compiles `tests:`. `routes` are the names of all routes. */
export function compileTests(
  settings: readonly TestSettings[] | undefined,
  routes: ReadonlySet<string>,
  context: Context,
): TestConfig[] {
  const tests: TestConfig[] = [];
  for (const [setting, path] of each(settings, ['tests'])) {
    const { request = '', headers, ip = IP, expect = {} } = setting;
    const line = context.report.attempt([...path, 'request'], () => parseRequest(request));
    if (isIP(ip) === 0) {
      context.report.problem(
        [...path, 'ip'],
        `expected an address such as 192.0.2.1, got ${JSON.stringify(ip)}`,
      );
    }
    const fields = compileHeaders(headers, [...path, 'headers'], context);
    const expected = compileExpect(expect, [...path, 'expect'], routes, context);
    const position = context.lineOf(path);
    if (line)
      tests.push({ line: position, request, ...line, headers: fields, clientIp: ip, expect: expected });
  }
  return tests;
}

function parseRequest(text: string): Pick<TestConfig, 'scheme' | 'method' | 'host' | 'target'> {
  const [, method = '', scheme, host, target = '/'] =
    /^(\S+) +(https?):\/\/([^/?#\s]+)([/?][!-"$-~]*)?$/.exec(text) ?? [];
  if (host === undefined)
    throw new ValueError(
      `expected a method and a URL such as GET http://www.mango.com/v1, got ${JSON.stringify(text)}`,
    );
  return {
    scheme: scheme === 'https' ? 'https' : 'http',
    method: checkToken(method, 'a method such as GET'),
    host,
    target: target.replace(/^\?/, '/?'),
  };
}

function compileHeaders(
  settings: TestSettings['headers'],
  path: Path,
  { report }: Context,
): { name: string; value: string }[] {
  const headers: { name: string; value: string }[] = [];
  for (const [name, value, at] of texts(settings, path)) {
    report.attempt(at, () => checkToken(name, 'the name of a header'), 'key');
    report.attempt(at, () => checkHeaderText(value));
    headers.push({ name, value });
  }
  return headers;
}

function compileExpect(
  settings: ExpectSettings,
  path: Path,
  routes: ReadonlySet<string>,
  context: Context,
): ExpectConfig {
  const { route = null, closed = null, status = null } = settings;
  const { path: sent = null, query = null, location = null } = settings;
  if (route !== null && !routes.has(route)) {
    const message = `there is no route ${JSON.stringify(route)}`;
    context.report.problem([...path, 'route'], message, suggest(route, routes));
  }
  return {
    route,
    closed,
    status,
    path: sent,
    query,
    location,
    headers: compileFields(settings.header, [...path, 'header'], context, 'header'),
    noHeaders: [...names(settings.no_header, path)].map(([name]) => name.toLowerCase()),
  };
}
