import type { HeadEdit } from './head-edit.js';
import { connectionLine, httpDate, type ResponseForm } from './head-encoder.js';

/** Reason phrases of RFC 9110, 15, and of some other statuses in use; further statuses have none, which is allowed. */
const PHRASES: { readonly [status: number]: string } = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};
const PLAIN_TEXT = 'text/plain; charset=utf-8';
const ALLOW = 'Allow: GET, HEAD, QUERY, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/** The phrase of a status; empty for one that has none. */
export function reasonPhrase(status: number): string {
  return PHRASES[status] ?? '';
}

/** Seconds after which a client may try again: about the time it takes to notice that a server has recovered. */
const RETRY_AFTER = 5;

/**
 * A local reply, head and body. `text` replaces the usual body, bytes as latin1; `fields` are lines of the head, each with
 * its line end; a HEAD gets only the head. `edit` is what rules change; null is nothing.
 */
export function encodeReply(
  status: number,
  form: ResponseForm,
  toHead: boolean,
  wallMs: number,
  text?: string,
  fields = '',
  edit: HeadEdit | null = null,
  contentType = PLAIN_TEXT,
): string {
  const phrase = PHRASES[status] ?? '';
  const body = text ?? (status === 200 ? '' : phrase);
  let out = `Date: ${httpDate(wallMs)}\r\nContent-Length: ${body.length}\r\n`;
  if (body !== '') out += `Content-Type: ${contentType}\r\n`;
  out += 'Cache-Control: no-store\r\n';
  if ((status === 405 && !/^allow:/im.test(fields)) || status === 200) out += ALLOW;
  if (status === 503 && !/^retry-after:/im.test(fields)) out += `Retry-After: ${RETRY_AFTER}\r\n`;
  out += fields;
  edit?.begin();
  if (edit !== null) out = edit.lines(out) + edit.rest();
  out = `HTTP/1.1 ${status} ${phrase}\r\n${out}${connectionLine(form)}`;
  return toHead ? out : out + body;
}

/**
 * The fixed response of a route, head and body. `body` is bytes as latin1; `edit` may set Content-Type and all other
 * fields except those of framing.
 */
export function encodeRouteReply(
  status: number,
  body: string,
  edit: HeadEdit,
  form: ResponseForm,
  toHead: boolean,
  wallMs: number,
): string {
  let out = `HTTP/1.1 ${status} ${PHRASES[status] ?? ''}\r\n`;
  let own = `Date: ${httpDate(wallMs)}\r\n`;
  if (body !== '') own += 'Content-Type: text/plain; charset=utf-8\r\n';
  edit.begin();
  out += edit.own(own) + edit.rest();
  // RFC 9110, 8.6 and 15.4.5: a 204 has no length, and the length of a 304 would describe the client's copy.
  if (status !== 204 && status !== 304) out += `Content-Length: ${body.length}\r\n`;
  out += connectionLine(form);
  return toHead ? out : out + body;
}
