import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { AdminConfig } from '../config/types.js';
import { ApiError } from './api-error.js';

/** A reader may see everything and change nothing. */
export type Role = 'operator' | 'reader' | 'stranger';

/**
 * Decides who may do what. An operator's browser reaches this listener too, and any web page in it can send requests
 * here: so unknown host names are refused (DNS rebinding), and so are requests caused by other sites.
 */
export class Authorization {
  readonly #checksHost: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #operator: Buffer | null;
  readonly #reader: Buffer | null;

  constructor({ listen, token, readToken, hosts }: AdminConfig) {
    // A web page cannot make a browser connect to a Unix socket.
    this.#checksHost = listen.kind === 'tcp';
    const own = listen.kind === 'tcp' ? [listen.host.toLowerCase()] : [];
    this.#hosts = new Set(['localhost', ...own, ...hosts]);
    this.#operator = token === null ? null : digest(token);
    this.#reader = readToken === null ? null : digest(readToken);
  }

  /** Throws an ApiError when the Host, or the site that caused the request, is not allowed. */
  admit(request: IncomingMessage, isNavigation: boolean): void {
    checkHostCount(request);
    if (this.#checksHost) this.#checkHost(request.headers.host);
    checkSite(request, isNavigation);
  }

  /**
   * The role that the token of the request has; without a configured token everyone operates. Takes the same time for
   * every wrong token.
   */
  roleOf(request: IncomingMessage): Role {
    if (this.#operator === null) return 'operator';
    const [, shown] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    if (shown === undefined) return 'stranger';
    const given = digest(shown);
    if (timingSafeEqual(given, this.#operator)) return 'operator';
    return this.#reader !== null && timingSafeEqual(given, this.#reader) ? 'reader' : 'stranger';
  }

  /** A name can be rebound, an address cannot: only known names are allowed. */
  #checkHost(host: string | undefined): void {
    const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host ?? '') ?? [];
    const name = (bracketed ?? plain ?? '').toLowerCase().replace(/\.$/, '');
    if (isIP(name) !== 0 || this.#hosts.has(name)) return;
    throw new ApiError(
      421,
      'wrong_host',
      `${JSON.stringify(host ?? '')} is not a host name of this listener`,
      {
        hint: 'Ask by address, or put the name into admin.hosts.',
      },
    );
  }
}

/** Node keeps the first of several; a proxy in front may have used another (RFC 9112, 3.2). */
function checkHostCount({ headersDistinct, httpVersion }: IncomingMessage): void {
  const count = headersDistinct.host?.length ?? 0;
  if (count === 1 || (count === 0 && httpVersion === '1.0')) return;
  throw new ApiError(
    400,
    'bad_request',
    count === 0 ? 'the request has no Host' : 'the request has more than one Host',
    {
      hint: 'Send one, with the address of this listener.',
    },
  );
}

/** `isNavigation`: a person opens the page itself, which any link may lead to. */
function checkSite({ headers, method }: IncomingMessage, isNavigation: boolean): void {
  const site = headers['sec-fetch-site'];
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const { origin } = headers;
  const isChange = method !== 'GET' && method !== 'HEAD';
  // A proxy in front may use TLS to the browser: only the host is compared.
  const foreignOrigin =
    isChange && origin !== undefined && origin.replace(/^https?:\/\//, '') !== headers.host;
  if ((foreignSite && !isNavigation) || foreignOrigin)
    throw new ApiError(403, 'foreign_origin', 'this request was sent by a page of another site', {
      hint: 'Use the status page of this listener, or a program.',
    });
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
