import type { Address } from '../base/address.js';
import type { HeaderRule, RulesConfig } from '../config/types.js';
import { FieldNames } from '../http/fields.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Refusal } from '../http/refusal.js';
import { AUTHORITY } from '../http/request-parser.js';
import type { RuleContext } from './context.js';
import { CookieRules } from './cookie-rules.js';
import { ErrorPages } from './error-pages.js';
import { HeaderRules } from './header-rules.js';
import { ParamRules } from './param-rules.js';
import { PathRules } from './path-rules.js';
import { Text } from './text.js';

const SLASH = 0x2f;

export const NO_RULES: RulesConfig = Object.freeze({
  host: 'client',
  path: [],
  params: [],
  cookies: [],
  headers: [],
  responseHeaders: [],
  errorPages: [],
});

/** Fields that allow a cache to store a response. Rules mean responses of servers: an error must not be stored. */
const CACHING: ReadonlySet<string> = new Set([
  'age', 'cache-control', 'cdn-cache-control', 'cloudflare-cdn-cache-control', 'etag', 'expires', 'last-modified', 'pragma',
  'surrogate-control',
]); // biome-ignore format: one table
/** Fields that describe the content of a server's response, and would be wrong for a text of ours. */
const CONTENT: ReadonlySet<string> = new Set([
  'accept-ranges', 'content-digest', 'content-disposition', 'content-encoding', 'content-language', 'content-location',
  'content-md5', 'content-range', 'content-type', 'digest', 'repr-digest',
]); // biome-ignore format: one table
const CACHING_AND_CONTENT: ReadonlySet<string> = new Set([...CACHING, ...CONTENT]);

/** Of a response that an error page replaces: does it concern what is sent instead? */
export function outlivesBody(name: string): boolean {
  return !CACHING_AND_CONTENT.has(name);
}

/** The compiled rules of one route. They read the request as received and record changes in a `HeadEdit`. */
export class RouteRules {
  readonly #host: 'client' | 'server' | Text;
  readonly #path: PathRules | null;
  readonly #params: ParamRules | null;
  readonly #cookies: CookieRules | null;
  readonly #headers: HeaderRules;
  readonly #responseHeaders: HeaderRules;
  /** The names that rules and guards look at in the head of a request: trailers with these names are removed. */
  readonly requestNames: FieldNames | null;
  /** The same for a response. */
  readonly responseNames: FieldNames | null;
  readonly #watched: FieldNames | null;
  /** Is a server asked for the host that its client asked for, if any? */
  readonly keepsHost: boolean;
  /** Does `editRequest` have anything to do? Host is separate: see `hostFor`. */
  readonly editsRequests: boolean;
  /** Does `editRequest` have to run for each attempt? */
  readonly countsAttempts: boolean;
  /** Does `editResponse` have anything to do? */
  readonly editsResponses: boolean;
  /** null: there are none. */
  readonly errorPages: ErrorPages | null;

  /** `watched`: names of fields, in lower case, that decided about the request before rules run. */
  constructor(
    { host, path, params, cookies, headers, responseHeaders, errorPages }: RulesConfig,
    watched: readonly string[] = [],
  ) {
    this.#host = typeof host === 'string' ? host : new Text(host, 'field');
    this.keepsHost = host === 'client';
    this.#path = path.length > 0 ? new PathRules(path) : null;
    this.#params = params.length > 0 ? new ParamRules(params) : null;
    this.#cookies = cookies.length > 0 ? new CookieRules(cookies) : null;
    this.#headers = new HeaderRules(headers);
    this.#responseHeaders = new HeaderRules(responseHeaders);
    this.#watched = namesOrNull(watched);
    this.requestNames = namesOrNull([...this.#headers.names, ...watched]);
    this.responseNames = namesOrNull(this.#responseHeaders.names);
    const rules = path.length + params.length + cookies.length + headers.length;
    this.editsRequests = rules + watched.length > 0;
    this.countsAttempts = headers.some(countsAttempts);
    this.editsResponses = responseHeaders.length > 0;
    this.errorPages = ErrorPages.of(errorPages);
  }

  /**
   * Records the changes to the request, once for all attempts unless it `countsAttempts`. Returns a refusal when the
   * rewritten path would have been refused: the request must not be sent.
   */
  editRequest(context: RuleContext, edit: HeadEdit): Refusal | null {
    const problem = this.#editTarget(context, edit);
    if (problem !== null) return problem;
    if (this.#cookies !== null) {
      const fields = context.view.header('cookie');
      edit.replaceValues('cookie', 'Cookie', this.#cookies.apply(fields, context), fields.length);
    }
    this.#headers.probe(context);
    this.#headers.apply(edit, context);
    if (this.#watched !== null) edit.watch(this.#watched);
    return null;
  }

  /** The `host` for `encodeRequestHead` when the request goes to the server at `address`. */
  hostFor(context: RuleContext, address: Address): string {
    if (this.#host === 'client') return context.view.head.authority === '' ? serverHost(address) : '';
    if (this.#host === 'server') return serverHost(address);
    const host = this.#host.render(context);
    return AUTHORITY.test(host) ? host : serverHost(address);
  }

  /** The same for the local reply of a route that does not forward. */
  editRouteReply(context: RuleContext, edit: HeadEdit, status: number): void {
    this.#responseHeaders.apply(edit, context, status >= 400 ? CACHING : null);
  }

  /** The same for other local replies. */
  editLocalReply(context: RuleContext, edit: HeadEdit, status: number): void {
    this.#responseHeaders.apply(edit, context, status >= 400 ? CACHING_AND_CONTENT : CONTENT);
  }

  /** Records the changes to the final response of a server. */
  editResponse(context: RuleContext, edit: HeadEdit): void {
    // A new head gets a new budget.
    context.view.budget.renew();
    this.#responseHeaders.apply(edit, context);
  }

  #editTarget(context: RuleContext, edit: HeadEdit): Refusal | null {
    const { view } = context;
    if ((this.#path === null && this.#params === null) || view.rawPath === '*') return null;
    let path = view.rawPath;
    if (this.#path !== null) {
      const rewriting = this.#path.apply(path, context);
      if (rewriting.problem !== null) return rewriting.problem;
      if (rewriting.stripped !== '') sendPrefix(rewriting.stripped, context, edit);
      path = rewriting.path;
    }
    const query = this.#params === null ? view.query : this.#params.apply(view.query, context);
    if (path === view.rawPath && query === view.query) return null;
    // A question mark with nothing after it stays if it was received.
    const mark = query !== '' || view.head.originTarget === `${view.rawPath}?` ? '?' : '';
    edit.target = path + mark + query;
    return null;
  }
}

function namesOrNull(names: readonly string[]): FieldNames | null {
  return names.length === 0 ? null : new FieldNames(names);
}

/** Does the text use the number of the attempt? */
function countsAttempts(rule: HeaderRule): boolean {
  if (rule.kind === 'remove') return false;
  const template = rule.kind === 'replace' ? rule.edit.to : rule.value;
  return template.some((part) => part.kind === 'variable' && part.name === 'attempt');
}

/** A server at a Unix socket has no address that could be a Host. */
function serverHost(address: Address): string {
  return address.kind === 'tcp' ? (address.authority ?? address.text) : 'localhost';
}

/** X-Forwarded-Prefix: the prefix stripped here, after the prefix that a trusted peer has stripped. */
function sendPrefix(stripped: string, { view, trustsPeer }: RuleContext, edit: HeadEdit): void {
  const before = trustsPeer ? view.header('x-forwarded-prefix').join(',') : '';
  edit.set('x-forwarded-prefix', 'X-Forwarded-Prefix', withoutSlashes(before) + stripped);
}

/**
 * Without slashes at the end. Written by hand: a regular expression would take quadratic time for a long run of slashes
 * inside, which a proxy in front may have passed on from a client.
 */
function withoutSlashes(prefix: string): string {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === SLASH) end--;
  return prefix.slice(0, end);
}
