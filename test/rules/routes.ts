import { createConfig } from '../../lib/config/config.js';
import type { CommonSettings } from '../../lib/config/context.js';
import type { RouteConfig } from '../../lib/config/types.js';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { HeadEdit } from '../../lib/http/head-edit.js';
import { encodeRequestHead } from '../../lib/http/head-encoder.js';
import type { RequestView } from '../../lib/http/request-view.js';
import type { RuleContext } from '../../lib/rules/context.js';
import type { Captures } from '../../lib/rules/pattern.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { fieldsOf, requestHead } from '../http/heads.js';

/** The route that a host with these settings has. */
export function routeOf(settings: CommonSettings): RouteConfig {
  const action = settings.redirect || settings.respond ? {} : { servers: ['origin.test:8081'] };
  const { hosts } = createConfig({ hosts: [{ host: 'www.mango.com', ...action, ...settings }] });
  const route = hosts[0]?.scope.fallback;
  if (!route) throw new Error('the host has no route');
  return route;
}

export function contextOf(view: RequestView, others: Partial<RuleContext> = {}): RuleContext {
  return {
    view,
    captures: [],
    route: 'r',
    requestId: 'id-1',
    traceId: '',
    spanId: '',
    attempt: 1,
    server: '',
    trustsPeer: false,
    ...others,
  };
}

/** What a server gets of a request: the start line, the fields without our own, our own. */
export interface Sent {
  readonly text: string;
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

const SERVER = { kind: 'tcp', host: 'origin.test', port: 8081, text: 'origin.test:8081' } as const;

/** Carries a request out as far as the head that a server gets; throws, with the detail, when rules refuse it. */
export function send(view: RequestView, rules: RouteRules, others: Partial<RuleContext> = {}): Sent {
  const context = contextOf(view, others);
  const edit = new HeadEdit();
  const refused = rules.editRequest(context, edit);
  if (refused !== null) throw new Error(refused.detail);
  const client = new ForwardedClient(view.clientAddress, context.trustsPeer);
  const host = rules.hostFor(context, SERVER);
  const text = encodeRequestHead(view.head, client, context.requestId, host, edit.isEmpty ? null : edit);
  const line = text.slice(0, text.indexOf('\r\n'));
  return { text, line, fields: fieldsOf(requestHead(text)) };
}

/** Only the path and query a server gets. */
export function targetSent(view: RequestView, settings: CommonSettings, captures: Captures = []): string {
  const { line } = send(view, new RouteRules(routeOf(settings).rules), { captures });
  return line.split(' ')[1] as string;
}

/** The values a server gets of a field. */
export function valuesSent(sent: Sent, name: string): string[] {
  return sent.fields.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
}
