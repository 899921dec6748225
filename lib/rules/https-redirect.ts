import type { Template } from '../config/template.js';
import { RouteReply } from './route-reply.js';

/** The answers of a listener that redirects to HTTPS. */
interface HttpsRedirect {
  /** 301, which clients of any age know, for GET and HEAD. */
  readonly ofReads: RouteReply;
  /** 308 for the rest: after a 301 many clients send GET in place of POST (RFC 9110, 15.4.2). */
  readonly ofWrites: RouteReply;
}

const known = new Map<number, HttpsRedirect>();

/** The answer to a request with `method`: to the same URL with https on `port`, which is left out where it is 443. */
export function httpsRedirect(port: number, method: string): RouteReply {
  let redirect = known.get(port);
  if (redirect === undefined) {
    const to = target(port);
    const reply = (status: number): RouteReply => new RouteReply({ kind: 'redirect', status, to });
    redirect = { ofReads: reply(301), ofWrites: reply(308) };
    known.set(port, redirect);
  }
  return method === 'GET' || method === 'HEAD' ? redirect.ofReads : redirect.ofWrites;
}

function target(port: number): Template {
  const afterHost: Template = port === 443 ? [] : [{ kind: 'text', text: `:${port}` }];
  return [
    { kind: 'text', text: 'https://' },
    { kind: 'variable', name: 'host' },
    ...afterHost,
    { kind: 'variable', name: 'path' },
  ];
}
