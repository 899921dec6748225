import { httpDate } from './date.js';
import { connectionLine, type ResponseForm } from './response-encoder.js';

/** Status, reason phrase, and the text a person sees. */
const REPLIES: { readonly [status: number]: readonly [phrase: string, text: string] } = {
  200: ['OK', ''],
  400: ['Bad Request', 'Bad Request'],
  403: ['Forbidden', 'Forbidden'],
  404: ['Not Found', 'Not Found'],
  405: ['Method Not Allowed', 'Method Not Allowed'],
  408: ['Request Timeout', 'Request Timeout'],
  413: ['Content Too Large', 'Content Too Large'],
  414: ['URI Too Long', 'URI Too Long'],
  417: ['Expectation Failed', 'Expectation Failed'],
  429: ['Too Many Requests', 'Too Many Requests'],
  431: ['Request Header Fields Too Large', 'Request Header Fields Too Large'],
  500: ['Internal Server Error', 'Internal Server Error'],
  501: ['Not Implemented', 'Not Implemented'],
  502: ['Bad Gateway', 'Bad Gateway'],
  503: ['Service Unavailable', 'No backend servers available.'],
  504: ['Gateway Timeout', 'Gateway Timeout'],
  505: ['HTTP Version Not Supported', 'HTTP Version Not Supported'],
  508: ['Loop Detected', 'Loop Detected'],
};
const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/**
 * An answer of the balancer's own, head and body (features 38). `retryAfter` in seconds goes with 503;
 * a HEAD gets the head alone.
 */
export function encodeReply(
  status: number,
  form: ResponseForm,
  toHead: boolean,
  retryAfter: number,
  wallMs: number,
): string {
  const [phrase, text] = REPLIES[status] ?? (REPLIES[500] as readonly [string, string]);
  let out = `HTTP/1.1 ${status} ${phrase}\r\nDate: ${httpDate(wallMs)}\r\nContent-Length: ${text.length}\r\n`;
  if (text !== '') out += 'Content-Type: text/plain; charset=utf-8\r\n';
  out += 'Cache-Control: no-store\r\n';
  if (status === 405 || status === 200) out += ALLOW;
  if (status === 503) out += `Retry-After: ${retryAfter}\r\n`;
  out += connectionLine(form);
  return toHead ? out : out + text;
}
