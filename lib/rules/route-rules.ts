import type { Address } from '../base/address.js';
import type { HeaderRule, RulesConfig } from '../config/types.js';
import { FieldNames } from '../http/fields.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Refusal } from '../http/refusal.js';
import { AUTHORITY } from '../http/request-parser.js';
import type { RuleContext } from './context.js';
import { CookieRules } from './cookie-rules.js';
import { HeaderRules } from './header-rules.js';
import { ParamRules } from './param-rules.js';
import { PathRules } from './path-rules.js';
import { Text } from './text.js';

export const NO_RULES: RulesConfig = Object.freeze({
  host: 'client',
  path: [],
  params: [],
  cookies: [],
  headers: [],
  responseHeaders: [],
});

/** What lets a cache keep an answer. Rules mean the answers of servers by it: an error is not to be kept. */
const CACHING: ReadonlySet<string> = new Set([
  'age', 'cache-control', 'cdn-cache-control', 'cloudflare-cdn-cache-control', 'etag', 'expires', 'last-modified', 'pragma',
  'surrogate-control',
]); // biome-ignore format: one table
/** What describes the content of a server's answer, and not a text of ours. */
const CONTENT: ReadonlySet<string> = new Set([
  'accept-ranges', 'content-digest', 'content-disposition', 'content-encoding', 'content-language', 'content-location',
  'content-md5', 'content-range', 'content-type', 'digest', 'repr-digest',
]); // biome-ignore format: one table
const CACHING_AND_CONTENT: ReadonlySet<string> = new Set([...CACHING, ...CONTENT]);

/** The rules of one route, made ready once. They read the request as it came and note what to change in a `HeadEdit`. */
export class RouteRules {
  readonly #host: 'client' | 'server' | Text;
  readonly #path: PathRules | null;
  readonly #params: ParamRules | null;
  readonly #cookies: CookieRules | null;
  readonly #headers: HeaderRules;
  readonly #responseHeaders: HeaderRules;
  /** What rules and guards look at in the head of a request: trailers of these names are not passed on. */
  readonly requestNames: FieldNames | null;
  /** The same of a response. */
  readonly responseNames: FieldNames | null;
  readonly #watched: FieldNames | null;
  /** Is a server asked for the host that its client asked for, if any? */
  readonly keepsHost: boolean;
  /** Is there anything for `editRequest` to do? The Host is not among it: see `hostFor`. */
  readonly editsRequests: boolean;
  /** Has `editRequest` to be asked anew for each attempt? */
  readonly countsAttempts: boolean;
  /** Is there anything for `editResponse` to do? */
  readonly editsResponses: boolean;

  /** `watched`: names of fields, in lower case, by which requests are judged before they come here. */
  constructor(
    { host, path, params, cookies, headers, responseHeaders }: RulesConfig,
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
  }

  /**
   * Notes what to change in the request, once for all attempts unless it `countsAttempts`. A refusal when a rewritten path is one that would not
   * have been let in: the request must not be sent.
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

  /** What `encodeRequestHead` takes as `host` when the request goes to the server at `address`. */
  hostFor(context: RuleContext, address: Address): string {
    if (this.#host === 'client') return context.view.head.authority === '' ? serverHost(address) : '';
    if (this.#host === 'server') return serverHost(address);
    const host = this.#host.render(context);
    return AUTHORITY.test(host) ? host : serverHost(address);
  }

  /** The same in the answer of a route that does not forward. */
  editRouteReply(context: RuleContext, edit: HeadEdit, status: number): void {
    this.#responseHeaders.apply(edit, context, status >= 400 ? CACHING : null);
  }

  /** The same in an answer that the balancer gives because no server does. */
  editLocalReply(context: RuleContext, edit: HeadEdit, status: number): void {
    this.#responseHeaders.apply(edit, context, status >= 400 ? CACHING_AND_CONTENT : CONTENT);
  }

  /** Notes what to change in the final response of a server. */
  editResponse(context: RuleContext, edit: HeadEdit): void {
    // Another head, another budget.
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
    // A question mark with nothing behind it stays, if that is how it came.
    const mark = query !== '' || view.head.originTarget === `${view.rawPath}?` ? '?' : '';
    edit.target = path + mark + query;
    return null;
  }
}

function namesOrNull(names: readonly string[]): FieldNames | null {
  return names.length === 0 ? null : new FieldNames(names);
}

/** Does it say which attempt it is? */
function countsAttempts(rule: HeaderRule): boolean {
  if (rule.kind === 'remove') return false;
  const template = rule.kind === 'replace' ? rule.edit.to : rule.value;
  return template.some((part) => part.kind === 'variable' && part.name === 'attempt');
}

/** A server behind a Unix socket has no address of its own that could stand in a Host field. */
function serverHost(address: Address): string {
  return address.kind === 'tcp' ? address.text : 'localhost';
}

/** X-Forwarded-Prefix: what was stripped here, behind what a trusted peer has stripped before. */
function sendPrefix(stripped: string, { view, trustsPeer }: RuleContext, edit: HeadEdit): void {
  const before = trustsPeer ? view.header('x-forwarded-prefix').join(',') : '';
  edit.set('x-forwarded-prefix', 'X-Forwarded-Prefix', before.replace(/\/+$/, '') + stripped);
}
