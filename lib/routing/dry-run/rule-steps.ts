import type { CookieRule, HeaderRule, ParamRule, PathRule, RulesConfig } from '../../config/types.js';
import type { RequestContext } from '../../exchange/context.js';
import type { ForwardedClient } from '../../http/forwarded.js';
import { HeadEdit } from '../../http/head-edit.js';
import { encodeRequestHead } from '../../http/head-encoder.js';
import { readUtf8 } from '../../http/percent.js';
import { NO_RULES, RouteRules } from '../../rules/route-rules.js';
import type { Server } from '../../servers/server.js';
import { diffLines, type LineChange } from './line-diff.js';

/** A rule, and what it changed in the head. */
export interface RuleStep {
  /** The setting: `header_rules.add MyCustomHeader`. Empty for the changes that the balancer makes to every request. */
  readonly rule: string;
  /** Empty when the rule changed nothing. */
  readonly changes: readonly LineChange[];
}

/**
 * The effect of each rule of a route on a head for `server`: the head is encoded with the first rule alone, with the
 * first two, and so on, and each result is compared with the previous one.
 */
export function ruleSteps(
  rules: RulesConfig,
  server: Server,
  context: RequestContext,
  forwarded: ForwardedClient,
): RuleStep[] {
  const { head } = context.view;
  let before = linesOf(head.text);
  const steps: RuleStep[] = [];
  for (const { rule, upTo } of stages(rules)) {
    const routeRules = new RouteRules(upTo);
    const edit = new HeadEdit();
    // A refusal by some of the rules is ignored: all rules together did not refuse the request.
    const refused = routeRules.editRequest(context, edit) !== null;
    const host = routeRules.hostFor(context, server.pool.address);
    const after = refused
      ? before
      : linesOf(encodeRequestHead(head, forwarded, context.requestId, host, edit, context.trace?.lines));
    steps.push({ rule, changes: diffLines(before, after) });
    before = after;
  }
  return steps;
}

interface Stage {
  readonly rule: string;
  readonly upTo: RulesConfig;
}

/** In the order in which rules are applied, each together with all before it. */
function stages(rules: RulesConfig): Stage[] {
  let upTo = NO_RULES;
  const found: Stage[] = [{ rule: '', upTo }];
  const add = (rule: string, more: Partial<RulesConfig>): void => {
    upTo = { ...upTo, ...more };
    found.push({ rule, upTo });
  };
  for (const rule of rules.path) add(pathRuleName(rule), { path: [...upTo.path, rule] });
  for (const rule of rules.params) add(`param_rules.${verb(rule)}`, { params: [...upTo.params, rule] });
  for (const rule of rules.cookies) add(cookieRuleName(rule), { cookies: [...upTo.cookies, rule] });
  for (const rule of rules.headers) add(`header_rules.${verb(rule)}`, { headers: [...upTo.headers, rule] });
  if (rules.host === 'server') add("Host is the server's own", { host: rules.host });
  else if (rules.host !== 'client') add('header_rules.add Host', { host: rules.host });
  return found;
}

function verb(rule: HeaderRule | ParamRule | CookieRule): string {
  return `${rule.kind === 'set' ? 'add' : rule.kind} ${rule.name}`;
}

function cookieRuleName(rule: CookieRule): string {
  return rule.kind === 'remove' && rule.sticky ? `sticky.cookie ${rule.name}` : `cookie_rules.${verb(rule)}`;
}

function pathRuleName(rule: PathRule): string {
  switch (rule.kind) {
    case 'strip_prefix':
      return `strip_prefix ${rule.prefix}`;
    case 'add_prefix':
      return 'add_prefix';
    case 'replace_segments':
      return `rewrite_rules.replace ${rule.from.join('/')}`;
    case 'replace': {
      const { find } = rule.edit;
      return `rewrite_rules.replace ${typeof find === 'string' ? find : `/${find.source}/`}`;
    }
  }
}

/** The lines of a head, decoded for people, without the empty line at its end. */
function linesOf(head: string): string[] {
  return readUtf8(head)
    .split('\r\n')
    .filter((line) => line !== '');
}
